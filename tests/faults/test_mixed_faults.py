"""Faults one after another, at moments that a seed decides; every spectrum is accounted for."""

from __future__ import annotations

from pathlib import Path

import pytest
from faults import MODES
from feed import Feed
from kafka.admin import NewPartitions
from night import Night

from workers.local.stack import LocalStack
from workers.transport.connection import administrator

BATCH = 16
SESSION_S = 6.0


@pytest.mark.parametrize("delivery", [pytest.param("at_least_once", marks=pytest.mark.soak), "exactly_once"])
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


@MODES
def test_a_broker_killed_and_frozen_loses_nothing(
    own_stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=2, seed=2, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 3000)
        night.wait(1.0, 2.0)
        own_stack.kafka.kill()
        night.happened["broker killed"] += 1
        night.wait(1.0, 2.0)
        own_stack.kafka.start()
        night.wait(2.0, 4.0)
        own_stack.kafka.child.freeze()
        night.happened["broker frozen"] += 1
        night.wait(2.0, 3.0)
        own_stack.kafka.child.thaw()
        night.wait(0.5, 1.0)
        night.kill()
        found = night.accounts()
    found.check(delivery)
    assert found.dead == {}


@MODES
def test_a_broker_stopped_and_started_loses_nothing(
    own_stack: LocalStack, delivery: str, tmp_path: Path
) -> None:
    feed = Feed(own_stack.bootstrap_servers, own_stack.redis_url)
    with Night(feed, tmp_path, workers=1, seed=5, delivery=delivery, batch_spectra=BATCH) as night:
        night.feed_at(150, 900)
        night.wait(1.0, 2.0)
        own_stack.kafka.stop()
        night.happened["broker stopped"] += 1
        night.wait(0.2, 1.0)
        own_stack.kafka.start()
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
        for end in (own_stack.kafka.kill, own_stack.kafka.stop):
            night.wait(1.0, 3.0)
            end()
            night.happened["broker killed or stopped"] += 1
            night.wait(0.2, 2.0)
            own_stack.kafka.start()
        night.wait(1.0, 3.0)
        own_stack.kafka.child.freeze()
        night.happened["broker frozen"] += 1
        night.wait(2.0, 3.0)
        own_stack.kafka.child.thaw()
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
            own_stack.kafka.kill()
            night.happened["broker killed"] += 1
            night.wait(0.5, 2.0)
            own_stack.kafka.start()
            night.wait(2.0, 5.0)
            if turn % 2:
                night.leave()
            else:
                night.join()
        found = night.accounts(within_s=600)
    found.check(delivery)


def more_partitions(feed: Feed) -> None:
    """Add two partitions to the topic of spectra."""
    settings = feed.settings()
    with administrator(settings.kafka) as client:
        topic = settings.topics.spectra
        now = len(client.describe_topics([topic])[0]["partitions"])
        client.create_partitions({topic: NewPartitions(now + 2)})
