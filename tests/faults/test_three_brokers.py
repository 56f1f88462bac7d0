"""A broker and a worker that are killed together, where three brokers replicate."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectraq.workers.local.stack import LocalStack
from tests.support.accounts import MODES
from tests.support.feed import Feed
from tests.support.night import Night
from tests.support.silence import Silence
from tests.support.threebrokers import ThreeBrokers

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


@pytest.mark.soak
@pytest.mark.timeout(1800)
@MODES
def test_a_broker_and_a_worker_killed_together_twenty_times_leave_no_partition_to_nobody(
    stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    with ThreeBrokers(stack.data, tmp_path / "brokers") as brokers:
        feed = Feed(brokers.bootstrap_servers, stack.redis_url, replication=3)
        feed.kafka_options["call_timeout_s"] = CALL_S
        with Night(feed, tmp_path, workers=3, seed=17, delivery=delivery, batch_spectra=16) as night:
            silence = Silence(feed)
            silence.start()
            night.feed_at(RATE, ENDLESS)
            longest_s = []
            for _ in range(KILLS):
                night.wait(*SETTLE_S)
                longest_s.append(silence.longest_s())
                node = night.random.choice(brokers.nodes)
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
