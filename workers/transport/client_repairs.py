"""What kafka-python lacks or does wrong, mended through its private parts; nothing else touches those.

Each repair says what it mends, and where that is known upstream (github.com/dpkp/kafka-python); where no
number stands, nobody has reported it. `tests/workers/transport/test_client_repairs.py` fails when a fault is
mended upstream, or a private part is gone: then the repair goes, too.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import KafkaError
from kafka.net.compat import KafkaNetClient
from kafka.structs import ConsumerGroupMetadata, MemberState

from spectraq.workers.errors import DeliveryError

LOOK_S = 0.005
COORDINATOR_MS = 500
LOOK_AGAIN_S = 0.05

# -- membership of a group ---------------------------------------------------------------------------------


def is_joining(client: KafkaConsumer) -> bool:
    """Return whether a client has begun to join its group and has no answer yet; no public call says so."""
    coordinator = client._coordinator
    join = coordinator._join_task
    # one that came to nothing is left lying where no join is needed any more
    return coordinator.state == MemberState.REBALANCING or (join is not None and not join.is_done)


def request_rejoin(client: KafkaConsumer) -> None:
    """Have a client join its group again: Java's `enforceRebalance` (KIP-568) is missing."""
    client._coordinator.request_rejoin()


def collect_finished_join(client: KafkaConsumer) -> None:
    """Have a client look at the answer to a join that it would forget.

    A join that it began because the topic's partitions changed, and whose answer arrives between two polls,
    is never looked at again: no rejoin is needed any more, and the member stays outside for ever.
    """
    coordinator = client._coordinator
    if coordinator.state == MemberState.REBALANCING and not coordinator.need_rejoin():
        coordinator.request_rejoin()


def heartbeats_have_stopped(client: KafkaConsumer) -> bool:
    """Return whether a client is in its group and sends no heartbeats, as where its static name is taken.

    It logs that it is fenced and goes on fetching for ever (since static membership, pull request 2625). It
    enables its heartbeats a moment after it has joined, so that once is no proof.
    """
    coordinator = client._coordinator
    return coordinator.state == MemberState.STABLE and not coordinator._heartbeat_enabled


def knows_topic(client: KafkaConsumer, topic: str) -> bool:
    """Return whether a client has been told of a topic.

    The public call asks Kafka for a topic that it has not been told of (since issue 1774), and takes no
    timeout: it waits for ever where Kafka is down.
    """
    return bool(client._cluster.partitions_for_topic(topic))


# -- fetched records ---------------------------------------------------------------------------------------


def let_go_of_used_up_records(client: KafkaConsumer) -> None:
    """Empty a client's slot for records that are being returned once they all are.

    What it had fetched for a paused partition comes back only where this slot is None (since pull request
    2981), and it leaves the last, used-up records in it: with some partitions on hold and others not, those
    on hold would never be read again.
    """
    fetcher = client._fetcher
    if not fetcher._next_partition_records:
        fetcher._next_partition_records = None


@dataclass(frozen=True, slots=True)
class _Response:
    """The bytes of a response that the client's own class for them would not take."""

    _buffer: bytes


def bytes_of(records: Any) -> memoryview:
    """Return the bytes of the record batches of one partition in a response, which are private."""
    return memoryview(records._buffer)


class OpenFetcher(Fetcher):  # type: ignore[misc]  # the client has no types
    """The client's fetcher, with the two places open at which a response becomes records.

    It has no option for who unpacks record batches. Its own code unpacks a batch to whatever size that has,
    and raises out of `poll` where it can't read one, at the same offset for ever.
    """

    def _parse_fetched_data(self, completed_fetch: Any) -> Any:
        return self.parse(completed_fetch)

    def parse(self, completed_fetch: Any) -> Any:
        """Return the `PartitionRecords` of one partition in a response, or None."""
        return super()._parse_fetched_data(completed_fetch)

    def parse_unchecked(self, completed_fetch: Any) -> Any:
        """Return what `parse` does, of bytes in which the client would not find a whole batch."""
        return self.PartitionRecords(
            completed_fetch.fetched_offset,
            completed_fetch.topic_partition,
            _Response(completed_fetch.partition_data.records),
            isolation_level=self._isolation_level,
            aborted_transactions=completed_fetch.partition_data.aborted_transactions,
            metric_aggregator=completed_fetch.metric_aggregator,
            on_drain=self._on_partition_records_drain,
        )

    def _append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        return self.append(drained, part, max_records, update_offsets)

    def append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        """Append records of one partition to what a poll returns, and return how many."""
        taken: int = super()._append(drained, part, max_records, update_offsets)
        return taken

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset that is read next; None where the partition is not ours or it is not known."""
        state = self._subscriptions.assignment.get(partition)
        position = None if state is None else state.position
        return None if position is None else int(position.offset)

    def put_aside(self, partition: TopicPartition) -> None:
        """Have the client keep what it has of a partition, and go on with the others."""
        with suppress(KeyError):  # revoked at this moment
            self._subscriptions.pause(partition)

    def take_up(self, partition: TopicPartition) -> None:
        """Go on with a partition that was put aside."""
        with suppress(KeyError):  # revoked at this moment
            self._subscriptions.resume(partition)

    def forget_aside(self, partition: TopicPartition) -> None:
        """Let go of used-up records that were put aside: nothing is fetched while they are there."""
        self._paused_partition_records.pop(partition, None)


class OpenPartitionRecords(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The client's records of one partition in a response, unpacked by `unpack`."""

    def _unpack_records(self, partition: TopicPartition, records: Any, *_: Any) -> Iterator[Any]:
        return self.unpack(partition, bytes_of(records))

    def unpack(self, partition: TopicPartition, buffer: memoryview) -> Iterator[Any]:
        """Yield the records in the bytes of a response."""
        raise NotImplementedError

    def note_aborted_up_to(self, offset: int) -> None:
        """Note whose transactions are aborted at an offset, in `aborted_producer_ids`."""
        self._consume_aborted_transactions_up_to(offset)


def install_fetcher(client: KafkaConsumer, kind: type[OpenFetcher]) -> Any:
    """Have a client fetch with another kind of fetcher, and return it.

    Made anew it would not be the one that other parts of the client know.
    """
    client._fetcher.__class__ = kind
    return client._fetcher


def fetcher_of(client: KafkaConsumer) -> Any:
    """Return the fetcher of a client."""
    return client._fetcher


# -- transactions ------------------------------------------------------------------------------------------
# The client's own calls take no time-out. So each step is begun here and waited for with `wait_for_step`.


def keep_steps(client: KafkaProducer) -> None:
    """Have a client keep a step whose coordinator can't be reached, and look for the coordinator again.

    Its sender forgets a step whose connection is refused, and one whose connection is taken and not answered
    waits for the whole time-out of a request: as long as a broker is missed, and longer than another one
    needs to take over.
    """
    network = client._sender._client
    await_ready = network.await_ready

    def ready(node_id: Any, timeout_ms: float) -> bool:
        try:
            if await_ready(node_id, timeout_ms=min(timeout_ms, COORDINATOR_MS)):
                return True
        except KafkaError:
            pass  # the sender takes False as it should take this
        time.sleep(LOOK_AGAIN_S)
        return False

    network.await_ready = ready


def begin_offsets(
    client: KafkaProducer, offsets: dict[TopicPartition, OffsetAndMetadata], group: ConsumerGroupMetadata
) -> Any:
    """Begin to add offsets to the open transaction."""
    return client._transaction_manager.send_offsets_to_transaction(offsets, group)


def begin_commit(client: KafkaProducer) -> Any:
    """Begin to commit the open transaction."""
    return client._transaction_manager.begin_commit()


def begin_abort(client: KafkaProducer) -> Any:
    """Begin to abort the open transaction."""
    return client._transaction_manager.begin_abort()


def wait_for_step(client: KafkaProducer, step: Any, what: str, within_s: float) -> None:
    """Wait for a step of a transaction that was begun.

    Raises
    ------
    DeliveryError
        Where it did not end in time.
    KafkaError
        Where it failed.
    """
    client._sender.wakeup()
    if not step.wait(timeout_ms=within_s * 1000):
        raise DeliveryError(f"{what} did not return within {within_s:.0f} s")


def begin_partitions(client: KafkaProducer, partitions: Iterable[TopicPartition]) -> None:
    """Begin to add partitions to the open transaction; the client adds one only with its first record."""
    for partition in partitions:
        client._transaction_manager.maybe_add_partition_to_transaction(partition)


def wait_for_partitions(client: KafkaProducer, within_s: float) -> None:
    """Wait for partitions that are being added to the open transaction.

    Raises
    ------
    DeliveryError
        Where that did not end in time.
    """
    transaction = client._transaction_manager
    client._sender.wakeup()
    deadline = time.monotonic() + within_s
    while transaction.has_partitions_to_add() and not transaction.has_error():
        if time.monotonic() > deadline:
            raise DeliveryError(f"adding partitions did not return within {within_s:.0f} s")
        time.sleep(LOOK_S)


# -- the end of a client -----------------------------------------------------------------------------------


def stop_network(network: KafkaNetClient) -> None:
    """End the thread of a client that failed to connect: its constructor raises and leaves it running."""
    network._manager._net.stop()


def force_close(client: KafkaProducer) -> None:
    """Close a producer that could not send what it holds: `close` raises before it gets to that."""
    client._sender.force_close()
    client._closed = True
