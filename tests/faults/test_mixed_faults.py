"""Faults one after another, at moments that a seed decides; every spectrum is accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka.admin import NewPartitions

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.connection import administrator
from tests.support.accounts import LONG, MODES
from tests.support.feed import Feed
from tests.support.night import Night

BATCH = 16
SESSION_S = 6.0


@LONG
def test_kills_standstills_and_scaling_lose_nothing(feed: Feed, delivery: str, tmp_path: Path) -> None:
    with Night(feed, tmp_path, workers=2, seed=1, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 2500)
        night.wait(0.5, 1.5)
        night.kill()
        night.wait(1.0, 2.0)
        night.kill(2)
        night.wait(1.0, 2.0)
        night.join()
        night.wait(0.5, 1.5)
        night.stand_still(SESSION_S + 1.5)
        night.leave()
        night.wait(0.5, 1.0)
        more_partitions(feed)
        night.wait(0.5, 1.0)
        night.kill()
        found = night.accounts()
    found.check(delivery)
    assert found.dead == {}


@LONG
def test_a_broker_killed_and_frozen_loses_nothing(
    own_stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=2, seed=2, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 3000)
        night.wait(1.0, 2.0)
        away(night, own_stack, "killed", 1.0, 2.0)
        night.wait(2.0, 4.0)
        away(night, own_stack, "frozen", 2.0, 3.0)
        night.wait(0.5, 1.0)
        night.kill()
        found = night.accounts()
    found.check(delivery)
    assert found.dead == {}


@LONG
def test_a_broker_stopped_and_started_loses_nothing(
    own_stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=1, seed=5, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 900)
        night.wait(1.0, 2.0)
        away(night, own_stack, "stopped", 0.2, 1.0)
        found = night.accounts()
    found.check(delivery)
    assert found.dead == {}


@pytest.mark.soak
@MODES
def test_a_broker_killed_stopped_and_frozen_within_seconds_loses_nothing(
    own_stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=2, seed=5, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 3000)
        for how, low, high in (("killed", 0.2, 2.0), ("stopped", 0.2, 2.0), ("frozen", 2.0, 3.0)):
            night.wait(1.0, 3.0)
            away(night, own_stack, how, low, high)
        night.wait(0.2, 1.5)
        night.kill()
        found = night.accounts()
    found.check(delivery)
    assert found.dead == {}


@pytest.mark.soak
@pytest.mark.timeout(3600)
@MODES
@pytest.mark.parametrize("seed", [11])
def test_a_hundred_kills_twenty_broker_kills_and_twenty_rebalances_lose_nothing(
    own_stack: LocalStack, delivery: str, seed: int, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=3, seed=seed, delivery=delivery) as night:
        night.feed_at(100, 50_000)
        for turn in range(20):
            for _ in range(5):
                night.wait(1.5, 4.0)
                night.kill()
            away(night, own_stack, "killed", 0.5, 2.0)
            night.wait(2.0, 5.0)
            if turn % 2:
                night.leave()
            else:
                night.join()
        found = night.accounts(within_s=600)
    found.check(delivery)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_broker_killed_in_the_middle_of_many_commits_forgets_none(
    own_stack: LocalStack, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=2, seed=13, delivery="exactly_once", batch_spectra=BATCH) as night:
        night.feed_at(50, 7000)
        for _ in range(12):
            night.wait(3.0, 5.0)
            away(night, own_stack, "killed", 0.2, 2.0)
        found = night.accounts()
    found.check("exactly_once")


def away(night: Night, stack: LocalStack, how: str, low: float, high: float) -> None:
    """Have the broker killed, stopped or frozen for a time that the seed decides."""
    kafka = stack.kafka
    end, begin = {
        "killed": (kafka.kill, kafka.start),
        "stopped": (kafka.stop, kafka.start),
        "frozen": (kafka.child.freeze, kafka.child.thaw),
    }[how]
    end()
    night.happened[f"broker {how}"] += 1
    night.wait(low, high)
    begin()


def more_partitions(feed: Feed) -> None:
    """Add two partitions to the topic of spectra."""
    settings = feed.settings()
    with administrator(settings.kafka) as client:
        topic = settings.topics.spectra
        now = len(client.describe_topics([topic])[0]["partitions"])
        client.create_partitions({topic: NewPartitions(now + 2)})
