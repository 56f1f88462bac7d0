"""A transaction that Kafka ended and forgot to tell is ended once more by whoever takes its name over."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType
from kafka.errors import KafkaError, UnsupportedVersionError
from kafka.producer.transaction_manager import TransactionalRequestResult as Result
from kafka.producer.transaction_manager import TxnOffsetCommitHandler
from kafka.structs import ConsumerGroupMetadata

from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.abandoned_transactions import transactional_id
from spectraq.workers.transport.client_repairs import wait_for_step
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.endings import last_ending
from spectraq.workers.transport.producer import ExactlyOnce
from tests.support.feed import Feed

VERIFICATION = "transaction.partition.verification.enable"
COMMITTED = 7


@pytest.fixture
def watchdog() -> Iterator[Watchdog]:
    watchdog = Watchdog().start()
    yield watchdog
    watchdog.stop()


@pytest.fixture
def unverified(feed: Feed) -> Iterator[None]:
    """Kafka takes records and offsets of partitions that a transaction was not told of."""
    with administrator(feed.settings().kafka) as client:
        (broker,) = client.describe_cluster()["brokers"]
        node = str(broker["broker_id"])
        client.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, {VERIFICATION: "false"})])
        yield
        client.alter_configs([ConfigResource(ConfigResourceType.BROKER, node, {VERIFICATION: "true"})])


def leave_behind(settings: Settings, committed: bool) -> None:
    """End a transaction, with a partition and offsets that are not told of it: what a broker forgot."""
    client = KafkaProducer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        transactional_id=transactional_id(settings, settings.worker.slot),
    )
    client.init_transactions()
    client.begin_transaction()
    transaction = client._transaction_manager
    client.send(settings.topics.anomalies, key=b"k", value=b"told", partition=0).get(10)
    transaction._partitions_in_transaction.add(TopicPartition(settings.topics.redshifts, 0))
    client.send(settings.topics.redshifts, key=b"k", value=b"not told", partition=0).get(10)
    offsets = {TopicPartition(settings.topics.spectra, 0): OffsetAndMetadata(COMMITTED, "", -1)}
    transaction._pending_txn_offset_commits.update(offsets)
    group = ConsumerGroupMetadata(group_id=settings.kafka.group_id)
    handler = TxnOffsetCommitHandler(transaction, group, transaction._pending_txn_offset_commits, Result())
    transaction._enqueue_request(handler)
    wait_for_step(client, handler.result, "committing offsets", 10)
    if committed:
        client.commit_transaction()
    else:
        client.abort_transaction()
    client.close()


def seen(feed: Feed) -> tuple[list[bytes], int | None]:
    """Return what a reader of committed results sees in the partition, and the group's offset."""
    settings = feed.settings()
    partition = TopicPartition(settings.topics.redshifts, 0)
    reader = KafkaConsumer(
        bootstrap_servers=feed.bootstrap_servers,
        isolation_level="read_committed",
        group_id=settings.kafka.group_id,
    )
    try:
        offset = reader.committed(TopicPartition(settings.topics.spectra, 0), timeout_ms=1000)
        reader.assign([partition])
        reader.seek_to_beginning()
        end, values = reader.end_offsets([partition])[partition], []
        while reader.position(partition) < end:
            values += [record.value for record in reader.poll(1000).get(partition, [])]
        return values, offset
    finally:
        reader.close()


def test_a_kafka_that_cannot_tell_how_a_transaction_ended_stops_no_worker(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise UnsupportedVersionError

    monkeypatch.setattr(KafkaAdminClient, "describe_transactions", unsupported)
    assert last_ending(feed.settings(), "worker-0", ()) is None


@pytest.mark.parametrize("committed", [True, False], ids=["committed", "aborted"])
def test_an_ending_that_kafka_forgot_to_write_is_written_by_the_next_worker_of_the_slot(
    committed: bool, feed: Feed, watchdog: Watchdog, unverified: None
) -> None:
    settings = feed.settings(delivery="exactly_once")
    leave_behind(settings, committed)
    with pytest.raises(KafkaError):
        seen(feed)
    ExactlyOnce(settings, watchdog).close()
    assert seen(feed) == (([b"not told"], COMMITTED) if committed else ([], None))
