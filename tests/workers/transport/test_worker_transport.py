"""The two ends of a worker on a real broker: what keeps records from being lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaConnectionError, NoOffsetForPartitionError
from kafka.structs import ConsumerGroupMetadata

from spectraq.workers.errors import DeliveryError, UnreachableError
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import KafkaSettings, Settings, WorkerSettings, load_settings
from spectraq.workers.transport import abandoned_transactions, client_repairs
from spectraq.workers.transport.abandoned_transactions import (
    AbandonedTransactions,
    abandoned,
    is_of_group,
    transactional_id,
)
from spectraq.workers.transport.connection import administrator, close_producer
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.messages import Outgoing, Record
from spectraq.workers.transport.offsets import Offsets
from spectraq.workers.transport.producer import AtLeastOnce, ExactlyOnce
from spectraq.workers.transport.topics import ensure_topics, list_topics, require_topics
from tests.support.feed import Feed, numbered
from tests.support.worker_log import wait_for


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog().start()
    yield watchdog
    watchdog.stop()


@pytest.fixture
def consumer(feed: Feed, watchdog: Watchdog) -> Iterator[Consumer]:
    consumer = Consumer(feed.settings(), Epoch(), watchdog)
    yield consumer
    consumer.close()


def join(consumer: Consumer) -> None:
    """Poll until the consumer has partitions, and forget what it read meanwhile."""
    deadline = time.monotonic() + 15
    while not (consumer.joined and consumer.assignment):
        assert time.monotonic() < deadline
        consumer.poll(0.2)
    assert consumer.rewind() is not None


def read(consumer: Consumer, records: int) -> list[Record]:
    """Poll until so many records have come."""
    found: list[Record] = []
    deadline = time.monotonic() + 15
    while len(found) < records:
        assert time.monotonic() < deadline
        found += consumer.poll(0.2)
    return found


def after(records: list[Record]) -> Offsets:
    return {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}


def results(feed: Feed, records: list[Record]) -> list[Outgoing]:
    return [Outgoing(feed.settings().topics.redshifts, r.key, r.value) for r in records]


def test_a_broker_that_is_lost_while_a_worker_subscribes_ends_no_worker(
    feed: Feed, watchdog: Watchdog, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def refused(self: KafkaConsumer, topic: str) -> None:
        asked.append(topic)
        raise KafkaConnectionError("111 ECONNREFUSED")

    with monkeypatch.context() as patch:
        patch.setattr(KafkaConsumer, "partitions_for_topic", refused)
        consumer = Consumer(feed.settings(), Epoch(), watchdog)
    assert asked == [feed.settings().topics.spectra]
    join(consumer)
    consumer.close()


def test_a_rewind_reads_again_what_was_read_and_not_committed(feed: Feed, consumer: Consumer) -> None:
    feed.publish(numbered(i) for i in range(50))
    join(consumer)
    first = read(consumer, 50)
    assert consumer.offsets.commit(after(first[:20]))
    assert consumer.rewind() is not None
    done = after(first[:20])
    wanted = {r.key for r in first if r.offset >= done.get(TopicPartition(r.topic, r.partition), 0)}
    assert {r.key for r in read(consumer, len(wanted))} == wanted


def test_a_join_whose_answer_comes_between_two_polls_is_collected(feed: Feed, watchdog: Watchdog) -> None:
    for _ in range(5):
        consumer = Consumer(feed.settings(), Epoch(), watchdog)
        consumer._membership = None
        started = time.monotonic()
        while not (consumer.joined and consumer.assignment):
            assert time.monotonic() - started < 5
            with suppress(NoOffsetForPartitionError):
                consumer._client.poll(timeout_ms=20)  # shorter than the worker ever polls while it joins
            client_repairs.collect_finished_join(consumer._client)
            consumer._note_membership()
            time.sleep(0.05)
        consumer.close()


def test_a_rewind_asks_nothing_while_a_join_is_under_way(feed: Feed, watchdog: Watchdog) -> None:
    first, second = (Consumer(feed.settings(slot=f"slot-{n}"), Epoch(), watchdog) for n in range(2))
    polling, over = threading.Event(), threading.Event()

    def poll_second() -> None:
        while not over.is_set():
            if polling.wait(0.05):
                second.poll(0.2)

    def settle() -> None:
        deadline = time.monotonic() + 30
        while not (first.joined and second.joined and len(first.assignment) == 2 == len(second.assignment)):
            assert time.monotonic() < deadline
            first.poll(0.2)

    other = threading.Thread(target=poll_second, daemon=True)
    other.start()
    polling.set()
    settle()
    polling.clear()
    time.sleep(0.5)
    first._client._coordinator.request_rejoin()
    first.poll(0.2)  # the join lasts until the second one polls again
    asked = time.monotonic()
    assert first.rewind() is None
    assert time.monotonic() - asked < 1
    polling.set()
    settle()
    assert first.rewind() is not None
    over.set()
    other.join()
    first.close()
    second.close()


def test_a_join_that_came_to_nothing_holds_up_no_rewind(feed: Feed, watchdog: Watchdog) -> None:
    consumer = Consumer(feed.settings(), Epoch(), watchdog)
    deadline = time.monotonic() + 30
    while not (consumer.joined and consumer.assignment):
        assert time.monotonic() < deadline
        consumer.poll(0.2)
    consumer._client._coordinator._join_task = SimpleNamespace(is_done=True)
    assert consumer.rewind() is not None
    consumer.close()


def test_a_membership_that_is_none_is_refused_before_anything_is_sent(feed: Feed, watchdog: Watchdog) -> None:
    settings = feed.settings(delivery="exactly_once")
    producer = ExactlyOnce(settings, watchdog)
    nobody = ConsumerGroupMetadata(group_id=settings.kafka.group_id)
    messages = [Outgoing(settings.topics.redshifts, b"k", b"v")]
    with pytest.raises(DeliveryError, match="not a member of the group"):
        producer.publish(messages, {TopicPartition(settings.topics.spectra, 0): 5}, nobody)
    producer.close()
    assert group_lag(settings).partitions[0].committed is None


def test_a_stale_generation_commits_nothing_now_and_nothing_with_the_next_transaction(
    feed: Feed, consumer: Consumer, watchdog: Watchdog
) -> None:
    feed.publish(numbered(i) for i in range(50))
    join(consumer)
    records = read(consumer, 50)
    numbers = sorted({r.partition for r in records})
    lost = [r for r in records if r.partition == numbers[0]]
    kept = [r for r in records if r.partition == numbers[1]]
    producer = ExactlyOnce(feed.settings(delivery="exactly_once"), watchdog)
    now = consumer.membership
    stale = now._replace(generation_id=now.generation_id - 1 if now.generation_id else 10**6)
    with pytest.raises(DeliveryError):
        producer.publish([Outgoing(feed.settings().topics.models, b"k", b"v")], after(lost), stale)
    producer.renew()
    producer.publish([Outgoing(feed.settings().topics.models, b"k", b"v")], after(kept), now)
    producer.close()
    committed = consumer.offsets.committed(sorted(consumer.assignment))
    assert {partition: at.offset for partition, at in committed.items()} == after(kept)


def test_a_new_worker_in_a_slot_ends_the_transaction_of_the_dead_one(feed: Feed, watchdog: Watchdog) -> None:
    settings = feed.settings(delivery="exactly_once")
    open_one(settings)
    started = time.monotonic()
    producer = ExactlyOnce(settings, watchdog)
    assert time.monotonic() - started < 5
    assert abandoned(settings) == []
    producer.close()


def open_one(settings: Settings) -> KafkaProducer:
    """Leave a transaction open under a slot's name, as a killed worker does."""
    dead = KafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        transactional_id=transactional_id(settings, settings.worker.slot),
    )
    dead.init_transactions()
    dead.begin_transaction()
    dead.send(settings.topics.models, key=b"k", value=b"v")
    deadline = time.monotonic() + 5
    while not abandoned(settings):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dead


def test_the_transaction_of_a_slot_that_is_in_the_group_is_not_abandoned(
    feed: Feed, consumer: Consumer
) -> None:
    settings = feed.settings(delivery="exactly_once")
    dead = open_one(settings)
    join(consumer)
    assert abandoned(settings) == []
    dead.abort_transaction()
    dead.close()


SLOTS = st.from_regex(WorkerSettings.model_fields["slot"].metadata[0].pattern, fullmatch=True)


@given(groups=st.lists(st.text("ab:-.", min_size=1), min_size=2, max_size=2), slot=SLOTS)
@example(groups=["spectraq", "spectraq-staging"], slot="a")
@example(groups=["spectraq", "spectraq:staging"], slot="a")
def test_a_transactional_id_tells_the_slots_of_one_group_from_those_of_any_other(
    groups: list[str], slot: str
) -> None:
    ours, theirs = (Settings(kafka=KafkaSettings(group_id=group)) for group in groups)
    assert is_of_group(ours, transactional_id(ours, slot))
    assert is_of_group(ours, transactional_id(theirs, slot)) == (groups[0] == groups[1])


def test_a_group_whose_name_begins_with_ours_keeps_its_open_transactions(feed: Feed) -> None:
    settings = feed.settings(delivery="exactly_once")
    other = settings.kafka.model_copy(update={"group_id": f"{settings.kafka.group_id}-staging"})
    theirs = settings.model_copy(update={"kafka": other})
    client = open_one(theirs)
    assert abandoned(settings) == []
    assert abandoned(theirs) == [transactional_id(theirs, settings.worker.slot)]
    client.abort_transaction()
    client.close()


def test_a_look_for_abandoned_transactions_that_failed_is_repeated(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = feed.settings(delivery="exactly_once")
    dead = open_one(settings)
    failures = iter([UnreachableError("no answer")])

    def unsteady(asked: Settings) -> list[str]:
        for failure in failures:
            raise failure
        return abandoned(asked)

    monkeypatch.setattr(abandoned_transactions, "abandoned", unsteady)
    other_slot = settings.worker.model_copy(update={"slot": "another"})
    looking = AbandonedTransactions(settings.model_copy(update={"worker": other_slot}))
    looking.end_soon()
    wait_for("the transaction's end", lambda: abandoned(settings) == [])
    looking.stop()
    close_producer(dead, 0)


@pytest.mark.parametrize("kind", [AtLeastOnce, ExactlyOnce])
def test_a_publication_that_kafka_does_not_answer_fails_in_time_and_goes_through_when_it_is_back(
    feed: Feed, stack: LocalStack, watchdog: Watchdog, kind: type[AtLeastOnce] | type[ExactlyOnce]
) -> None:
    with LocalStack(stack.data) as own:
        feed = Feed(own.bootstrap_servers, own.redis_url)
        feed.publish(numbered(i) for i in range(20))
        settings = feed.settings()
        consumer = Consumer(settings, Epoch(), watchdog)
        producer = kind(settings, watchdog)
        join(consumer)
        records = read(consumer, 20)
        own.kafka.child.freeze()
        started = time.monotonic()
        with pytest.raises(DeliveryError):
            producer.publish(results(feed, records), after(records), consumer.membership)
        assert time.monotonic() - started < settings.kafka.call_timeout_s + 2
        own.kafka.child.thaw()
        producer.renew()
        membership = consumer.membership
        producer.publish(results(feed, records), after(records), membership)
        producer.close()
        consumer.close()


def test_a_message_beyond_the_limit_fails_at_once_and_says_so(feed: Feed, watchdog: Watchdog) -> None:
    settings = feed.settings()
    producer = AtLeastOnce(settings, watchdog)
    huge = Outgoing(settings.topics.redshifts, b"k", b"v" * (settings.kafka.max_message_bytes + (2 << 20)))
    with pytest.raises(DeliveryError, match="bytes"):
        producer.publish([huge], {}, ConsumerGroupMetadata())
    producer.close()


def test_topics_are_created_once_and_take_the_largest_message(feed: Feed) -> None:
    settings = feed.settings()
    assert not any(topic.created for topic in ensure_topics(settings))
    assert {topic.partitions for topic in list_topics(settings)} == {settings.topics.partitions}
    require_topics(settings)
    feed.publish([(b"large", b"x" * (settings.kafka.max_message_bytes - 1000))], max_request_size=16 << 20)


def test_missing_topics_are_named_with_the_command_that_makes_them(feed: Feed) -> None:
    settings = load_settings(
        kafka={"bootstrap_servers": feed.bootstrap_servers}, topics={"spectra": "missing.topic"}
    )
    with pytest.raises(UnreachableError, match=r"no topic missing\.topic.*spectraq topics create"):
        require_topics(settings)


def test_a_broker_that_does_not_answer_is_one_line_with_the_cause() -> None:
    kafka = KafkaSettings(bootstrap_servers="127.0.0.1:1", bootstrap_timeout_s=1)
    wanted = pytest.raises(UnreachableError, match=r"Kafka at 127\.0\.0\.1:1 does not answer.*spectraq up")
    with wanted, administrator(kafka):
        pass


def test_the_lag_of_a_group_counts_what_is_not_committed(feed: Feed, consumer: Consumer) -> None:
    feed.publish(numbered(i) for i in range(50))
    join(consumer)
    records = read(consumer, 50)
    assert group_lag(feed.settings()).lag == 50
    assert consumer.offsets.commit(after(records[:30]))
    lag = group_lag(feed.settings())
    assert (lag.lag, lag.state, lag.members) == (50 - sum_committed(lag), "Stable", (f"{feed.name}-0",))
    assert {partition.member for partition in lag.partitions} == {f"{feed.name}-0"}


def sum_committed(lag) -> int:
    return sum(partition.committed or 0 for partition in lag.partitions)


def test_partitions_that_are_added_are_read_too(feed: Feed) -> None:
    from spectraq.workers.service.loop import run
    from tests.support.plumbing import Plumbing

    stop = threading.Event()
    networks = Plumbing(digest=feed.name)  # the cache has answers of others to spectra of these numbers
    worker = threading.Thread(target=run, args=(feed.settings(), networks, stop))
    feed.publish(numbered(i) for i in range(20))
    worker.start()
    with administrator(feed.settings().kafka) as client:
        client.create_partitions({feed.settings().topics.spectra: 8})
    feed.publish(numbered(i) for i in range(20, 200))
    try:
        wait_for("the partitions that were added to be read", lambda: networks.analysed == 200, 30)
    finally:
        stop.set()
        worker.join(30)
    assert group_lag(feed.settings()).lag == 0
    assert len({m.fields["spectrum_id"] for m in feed.read("redshifts")}) == 200
