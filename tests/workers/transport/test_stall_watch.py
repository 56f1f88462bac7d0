"""A consumer that is stuck without saying so: here its partitions are paused behind the worker's back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.operations.watchdog import Watchdog, end_process
from spectraq.workers.settings import Settings
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.stall_watch import ATTEMPTS, StallWatch
from tests.support.feed import Feed, numbered

STALL_S = 0.5


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog().start()
    yield watchdog
    watchdog.stop()


def join(consumer: Consumer) -> None:
    deadline = time.monotonic() + 15
    while not (consumer.joined and consumer.assignment):
        assert time.monotonic() < deadline
        consumer.poll(0.2)
    consumer.rewind()


def look_until(watch: StallWatch, consumer: Consumer, wanted: str) -> None:
    """Turn like the worker does, until the watch says so."""
    deadline = time.monotonic() + 15
    while wanted not in watch.look(in_hand=False):
        assert time.monotonic() < deadline, f"nothing was said of: {wanted}"
        consumer.poll(0.1)


def settings_of(feed: Feed) -> Settings:
    return feed.settings(stall_s=STALL_S, rejoin_s=5)


def watch_of(
    feed: Feed,
    consumer: Consumer,
    on_free: Callable[[], None] = lambda: None,
    give_up: Callable[[str], None] = end_process,
) -> StallWatch:
    settings = settings_of(feed)
    return StallWatch(consumer, settings.worker, settings.topics.spectra, on_free, give_up)


def test_no_records_despite_lag_makes_the_worker_subscribe_again_and_read_on(
    feed: Feed, watchdog: Watchdog
) -> None:
    epoch, metrics, given_up = Epoch(), Metrics(), []
    consumer = Consumer(settings_of(feed), epoch, watchdog)
    watch = watch_of(feed, consumer, metrics.resubscriptions.inc, given_up.append)
    join(consumer)
    consumer._client.pause(*consumer.assignment)
    feed.publish(numbered(i) for i in range(20))
    before = epoch.value
    look_until(watch, consumer, "despite lag")
    assert epoch.value > before
    assert "spectraq_resubscriptions_total 1.0" in metrics.text().decode()
    join(consumer)
    deadline = time.monotonic() + 15
    read = 0
    while read < 20 and time.monotonic() < deadline:
        read += len(consumer.poll(0.2))
    assert read == 20
    assert given_up == []
    consumer.close()


def test_when_subscribing_again_does_not_help_the_process_is_given_up_with_the_reason(
    feed: Feed, watchdog: Watchdog
) -> None:
    class GivenUpError(Exception):
        pass

    def give_up(reason: str) -> None:
        raise GivenUpError(reason)

    consumer = Consumer(settings_of(feed), Epoch(), watchdog)
    watch = watch_of(feed, consumer, give_up=give_up)
    feed.publish(numbered(i) for i in range(20))
    for _ in range(ATTEMPTS):
        join(consumer)
        consumer._client.pause(*consumer.assignment)
        look_until(watch, consumer, "despite lag")
    join(consumer)
    consumer._client.pause(*consumer.assignment)
    with pytest.raises(GivenUpError, match=r"despite lag .* and subscribing again did not help"):
        look_until(watch, consumer, "never")
    consumer.close()


def test_a_quiet_topic_is_no_stall(feed: Feed, watchdog: Watchdog) -> None:
    epoch = Epoch()
    consumer = Consumer(settings_of(feed), epoch, watchdog)
    watch = watch_of(feed, consumer)
    join(consumer)
    before = epoch.value
    until = time.monotonic() + 4 * STALL_S
    while time.monotonic() < until:
        assert watch.look(in_hand=False) == ""
        consumer.poll(0.1)
    assert epoch.value == before
    consumer.close()


def test_a_kafka_that_does_not_answer_is_waited_for_and_no_stall(
    stack: LocalStack, watchdog: Watchdog
) -> None:
    with LocalStack(stack.data) as own:
        feed = Feed(own.bootstrap_servers, own.redis_url)
        consumer = Consumer(settings_of(feed), Epoch(), watchdog)
        given_up: list[str] = []
        watch = watch_of(feed, consumer, give_up=given_up.append)
        join(consumer)
        own.kafka.child.freeze()
        look_until(watch, consumer, "Kafka does not answer")
        own.kafka.child.thaw()
        assert given_up == []
        consumer.close()
