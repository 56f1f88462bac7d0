"""What docs/delivery.md promises, where three brokers replicate and are killed, stopped and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spectraq.workers.local.cluster import BROKERS, Member
from spectraq.workers.local.stack import LocalStack
from tests.support.accounts import LONG, MODES
from tests.support.feed import Feed
from tests.support.night import Night
from tests.support.silence import Silence

KILLS = 20
RATE = 25
LONGEST_S = 25.0
"""Kafka needs the broker's session to miss it (4 s), another one takes over the group, and only then counts
the session of the worker (6 s); beside other work each of these steps takes seconds more."""
CALL_S = 9.0
"""Longer than a broker is missed: what is on its way goes to whoever takes over, and nothing begins anew."""
SETTLE_S = (8.0, 11.0)
"""Between a broker's start and the next kill: it has caught up by then, and two of three replicas remain."""

ENDLESS = 10**6
"""Spectra that are fed at most: until the last kill is over, since the end of a feed is a silence, too."""


@pytest.fixture
def replicated(stack: LocalStack) -> Iterator[LocalStack]:
    """Three brokers of a test's own."""
    with LocalStack(stack.data, brokers=BROKERS) as running:
        yield running


@pytest.fixture
def brokers(replicated: LocalStack) -> list[Member]:
    """Which may be killed."""
    return replicated.cluster.brokers


@pytest.fixture
def replicated_feed(replicated: LocalStack, stack: LocalStack) -> Feed:
    """A stream on them, whose cache nobody kills."""
    feed = Feed(replicated.bootstrap_servers, stack.redis_url, replication=BROKERS)
    feed.kafka_options["call_timeout_s"] = CALL_S
    return feed


@pytest.mark.soak
@pytest.mark.timeout(1800)
@MODES
def test_a_broker_and_a_worker_killed_together_twenty_times_leave_no_partition_to_nobody(
    brokers: list[Member], replicated_feed: Feed, delivery: str, tmp_path: Path
) -> None:
    with Night(replicated_feed, tmp_path, workers=3, seed=17, delivery=delivery, batch_spectra=16) as night:
        silence = Silence(replicated_feed)
        silence.start()
        night.feed_at(RATE, ENDLESS)
        longest_s = []
        for _ in range(KILLS):
            night.wait(*SETTLE_S)
            longest_s.append(silence.longest_s())
            node = night.random.choice(brokers)
            node.kill()
            night.kill()
            night.happened["broker killed"] += 1
            night.wait(1.0, 5.0)
            node.start()
        night.wait(*SETTLE_S)
        longest_s.append(silence.longest_s())
        night.end_feed()
        found = night.accounts(within_s=600)
        silence.stop.set()
        silence.join()
    print(f"{delivery}: longest silence after each kill {[round(s, 1) for s in longest_s[1:]]}")
    found.check(delivery)
    assert found.dead == {}
    assert max(longest_s[1:]) < LONGEST_S


@LONG
def test_one_of_three_brokers_killed_under_a_worker_loses_nothing(
    brokers: list[Member], replicated_feed: Feed, delivery: str, tmp_path: Path
) -> None:
    with Night(replicated_feed, tmp_path, workers=1, seed=3, delivery=delivery, batch_spectra=16) as night:
        night.feed_at(40, 200)
        night.wait(1.5, 2.5)
        night.random.choice(brokers).kill()
        found = night.accounts(within_s=60)
    found.check(delivery)
    assert (found.once + found.twice, found.dead) == (200, {})


@pytest.mark.soak
@pytest.mark.timeout(1800)
@MODES
def test_kills_of_workers_and_brokers_and_a_rolled_restart_lose_nothing(
    brokers: list[Member], replicated_feed: Feed, delivery: str, tmp_path: Path
) -> None:
    with Night(replicated_feed, tmp_path, workers=3, seed=29, delivery=delivery, batch_spectra=16) as night:
        silence = Silence(replicated_feed)
        silence.start()
        night.feed_at(RATE, ENDLESS)
        for number in range(25):
            night.wait(1.0, 4.0)
            night.kill()
            if number % 4 == 3:
                node = night.random.choice(brokers)
                node.kill()
                night.happened["broker killed"] += 1
                night.wait(1.0, 5.0)
                node.start()
                night.wait(*SETTLE_S)
        for node in brokers:  # a rolled restart, as an operator's upgrade is
            node.stop()
            node.start()
            night.happened["broker restarted"] += 1
            night.wait(*SETTLE_S)
        night.end_feed()
        found = night.accounts(within_s=600)
        silence.stop.set()
        silence.join()
    print(f"{delivery}: {found}; {dict(night.happened)}; longest silence {silence.longest_s():.1f} s")
    found.check(delivery)
    assert found.dead == {}
