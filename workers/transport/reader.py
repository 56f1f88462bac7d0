"""The one consumer that everything of ours reads with: no record batch stops it, and none fills the memory.

The client (kafka-python 3.0) unpacks a batch to whatever size that has, and raises out of `poll` where it
can't read one: at the same offset for ever, since its position stays. Its codecs, its checksum, the names of
headers and the lengths of records all end so. Here the part of it that turns a fetched response into records
is replaced: what can't be read comes out of `poll` as a record with `damage`, in its place among the others,
and the position moves behind it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import IsolationLevel

from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport import batches, frames, messagesets
from spectraq.workers.transport.batches import CrashesError, UnreadableError
from spectraq.workers.transport.client_repairs import (
    OpenFetcher,
    OpenPartitionRecords,
    bytes_of,
    install_fetcher,
)
from spectraq.workers.transport.connection import connect
from spectraq.workers.transport.messages import NO_TIMESTAMP_MS, Damage, Record

POLL_BYTES = 16 << 20
"""After so many bytes a poll gives what it has: records are counted by the client, and each may be large."""

log = structlog.get_logger(__name__)


def reader(kafka: KafkaSettings, options: dict[str, Any]) -> KafkaConsumer:
    """Connect a consumer whose `poll` gives `Record`s, and never raises because of what is in them.

    Parameters
    ----------
    kafka
        Where it is, and the largest batch that is taken.
    options
        Of the client.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    client = connect(KafkaConsumer, kafka, options)
    fetcher = install_fetcher(client, BoundedFetcher)
    fetcher.most_bytes = max(kafka.max_batch_bytes, kafka.max_message_bytes)
    fetcher.packed = {}
    return client


def readable(polled: dict[TopicPartition, list[Record]]) -> list[Record]:
    """Return the messages among what a poll gave, and say in the log what is none."""
    return [record for records in polled.values() for record in records if _is_message(record)]


def _is_message(record: Record) -> bool:
    """Return whether a record is a message, and say in the log where it is not."""
    if record.damage is not None:
        log.warning(
            "record_batch_stepped_over",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            last_offset=record.damage.last_offset,
            reason=str(record.damage.reason),
            message=record.damage.why,
        )
    return record.damage is None


class BoundedFetcher(OpenFetcher):
    """Turns fetched responses into records, within bounds.

    Attributes
    ----------
    most_bytes
        The largest size of a batch that is unpacked.
    sealed
        Whether batches of a partition wait until `unpack` asks for them; None where none do.
    """

    most_bytes: int
    packed: dict[TopicPartition, PartitionRecords]  # that waits until it is asked for
    sealed: Callable[[TopicPartition], bool] | None = None
    _end = -1  # of the partition that is being parsed, a moment before its records were read
    _given = 0  # bytes of the records of this poll
    _knocked: TopicPartition | None = None  # a partition that was found sealed in this poll

    def fetched_records(self, max_records: int | None = None, update_offsets: bool = True) -> Any:
        """Return what was fetched, up to a number of records and of bytes."""
        self._given = 0
        self._knocked = None
        fetched, partial = super().fetched_records(max_records, update_offsets)
        if not fetched and self._knocked is not None:
            fetched = {self._knocked: []}  # ends the poll, which would wait for records else
        return fetched, partial

    def waiting(self) -> Iterator[tuple[TopicPartition, int]]:
        """Yield the sealed partitions of which a batch is here, with the next offset of each."""
        for tp, part in list(self.packed.items()):
            if self.sealed is not None and self.sealed(tp) and self._is_next(part):
                yield tp, part.next_fetch_offset
            else:
                del self.packed[tp]

    def unpack(self, tp: TopicPartition, unread: bool) -> list[Record]:
        """Return the records of the batch that waits, or step over it unread."""
        part = self.packed.pop(tp)
        part.one_batch, part.unread = True, unread
        drained: Any = defaultdict(list)
        self._given = 0
        self.take_up(tp)
        self._take(drained, part, self.config["max_poll_records"], True)
        part.one_batch, part.unread = False, False
        if not part:
            self.forget_aside(tp)
        records: list[Record] = drained[tp]
        return records

    def _is_next(self, part: PartitionRecords) -> bool:
        """Return whether these records are what the position of their partition asks for."""
        return bool(part) and self.position(part.topic_partition) == part.next_fetch_offset

    def append(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        """Append records of one partition to what a poll returns; a sealed one is put aside instead."""
        tp = part.topic_partition
        if self.sealed is None or not self.sealed(tp) or not part.more or not self._is_next(part):
            return self._take(drained, part, max_records, update_offsets)
        self.packed[tp] = part
        self._knocked = tp
        self.put_aside(tp)
        return 0

    def _take(self, drained: Any, part: Any, max_records: int, update_offsets: bool) -> int:
        part.room = POLL_BYTES - self._given
        before = part.given
        taken = super().append(drained, part, max_records, update_offsets)
        self._given += part.given - before
        # as if that were all it was asked for
        return taken if self._given < POLL_BYTES else max_records

    def parse(self, completed_fetch: Any) -> Any:
        """Return the records of one partition in a response; those of a damaged first batch, too."""
        response = completed_fetch.partition_data
        self._end = response.high_watermark
        if (
            response.error_code == 0
            and response.records
            and not frames.whole(memoryview(response.records), 0)
        ):
            # A broker never cuts the first batch: its length is damaged. The client would raise, for ever.
            return self.parse_unchecked(completed_fetch)
        return super().parse(completed_fetch)

    def PartitionRecords(self, *arguments: Any, **options: Any) -> PartitionRecords:  # noqa: N802
        """Return what the client asks for records; it makes one for each partition of a response."""
        return PartitionRecords(self.most_bytes, self._end, *arguments, **options)


class PartitionRecords(OpenPartitionRecords):
    """The records of one partition in one response.

    Parameters
    ----------
    most_bytes
        The largest size of a batch that is unpacked.
    end
        The offset behind the last record of the partition, a moment before these were read; negative where it
        is not known.
    arguments, options
        The client's own.

    Attributes
    ----------
    room
        Bytes of records that `take` gives at most, and one record more.
    given
        Bytes of records that it has given.
    one_batch
        Whether `take` ends where a batch does, and nowhere else.
    unread
        Whether the next batch is stepped over.
    more
        Whether there is something to unpack; a response may be empty, and used up before it is drained.
    """

    next_fetch_offset: int

    def __init__(self, most_bytes: int, end: int, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        _, tp, records, *_ = arguments
        buffer = bytes_of(records)
        self.record_iterator = self.unpack(tp, buffer)  # begins at the right offset by itself
        self.room = POLL_BYTES
        self.given = 0
        self.one_batch = False
        self.unread = False
        self.more = len(buffer) > 0
        self._most_bytes = most_bytes
        self._end = end

    def take(self, n: int | None = None) -> list[Record]:
        """Return the next records, at most `n`, and no more than there is room for; or all of one batch."""
        taken = []
        until = self.given + self.room
        begin = self.next_fetch_offset
        for record in self.record_iterator:
            if record is None:
                if self.one_batch and self.next_fetch_offset > begin:
                    break
                continue
            taken.append(record)
            self.given += len(record.value) + len(record.key or b"")
            if not self.one_batch and (self.given >= until or len(taken) == n):
                break
        return taken

    def unpack(self, tp: TopicPartition, buffer: memoryview) -> Iterator[Record | None]:
        """Yield the records of all batches, and None behind each batch."""
        place = 0
        while place < len(buffer):
            if place and not frames.whole(buffer, place):
                break  # cut by the size of the fetch, or damaged: then the next response begins with it
            frame = frames.frame_at(buffer, place)
            self.bytes_read += len(frame)  # what much was fetched of waits for the others next time
            try:
                yield from self._records(tp, frame)
            except UnreadableError as error:
                if place and 0 <= self._end <= self.next_fetch_offset and not isinstance(error, CrashesError):
                    break  # nothing damaged is believed beyond the end: if it is there, it comes again
                yield from self._stepped_over(tp, buffer, place, error)
                if not error.trusted:
                    # It may have been the end of an aborted transaction; only the broker knows which of those
                    # that follow are aborted, and says so with the next response.
                    break
            place += len(frame)
            self.more = frames.whole(buffer, place)
            yield None
        self.drain()

    def _records(self, tp: TopicPartition, frame: memoryview) -> Iterator[Record]:
        """Yield the records of one batch, and move behind it."""
        try:
            if (magic := frames.magic_of(frame)) in (0, 1):
                last = frames.offset_at(frame, 0)
                self._check_order(last, last, 1)
                self._check_seal()
                records = messagesets.messages_of(frame, magic, tp, self.next_fetch_offset, self._most_bytes)
            else:
                header = batches.header_of(frame)
                last = header.last_offset
                self._check_order(header.base_offset, last, header.records)
                self.leader_epoch = header.leader_epoch
                if self._no_messages(header, frame):
                    self.next_fetch_offset = last + 1
                    return
                self._check_seal(trusted=True)
                records = batches.records_of(header, frame, tp, self.next_fetch_offset, self._most_bytes)
            for record in records:
                self.records_read += 1
                self.next_fetch_offset = record.offset + 1
                yield record
        except UnreadableError:
            raise
        except Exception as error:
            # a case nobody thought of must cost one batch, not the partition
            log.exception("record_batch_failed", topic=tp.topic, partition=tp.partition)
            raise UnreadableError(f"reading it failed unexpectedly: {type(error).__name__}") from None
        self.next_fetch_offset = last + 1

    def _check_order(self, base: int, last: int, records: int) -> None:
        # Kafka asks for the end first and reads then: what was added in between follows without a gap.
        gap = base > self.next_fetch_offset or last - base != records - 1
        beyond = 0 <= self._end <= last and gap
        if base > last or last < self.next_fetch_offset or beyond:
            raise UnreadableError(
                f"it says that its offsets are {base} to {last}, where {self.next_fetch_offset} is next"
                f" and {self._end} the end"
            )

    def _check_seal(self, trusted: bool = False) -> None:
        if self.unread:
            raise CrashesError("each time that a worker unpacked it alone, its process ended", trusted)

    def _no_messages(self, header: batches.Header, frame: memoryview) -> bool:
        """Return whether a batch marks the end of a transaction, or belongs to one that was aborted."""
        if self.isolation_level == IsolationLevel.READ_COMMITTED and header.producer_id >= 0:
            self.note_aborted_up_to(header.last_offset)
            if header.control and batches.aborts(header, frame):
                self.aborted_producer_ids.discard(header.producer_id)
            elif header.transactional and header.producer_id in self.aborted_producer_ids:
                return True
        return header.control

    def _stepped_over(
        self, tp: TopicPartition, buffer: memoryview, place: int, error: UnreadableError
    ) -> Iterator[Record]:
        """Yield the record that stands for what could not be read, and move behind it."""
        first = self.next_fetch_offset
        time_ms, raw = NO_TIMESTAMP_MS, frames.frame_at(buffer, place)
        if error.trusted:
            header = batches.header_of(raw)
            last, time_ms = header.last_offset, header.max_timestamp
            if first <= last and 0 <= self._end <= last:
                last = max(self._end - 1, first)  # what it says is not believed beyond the end
        else:
            raw, last = frames.damaged(buffer, place, first, self._end)
        if last < first:
            log.warning("record_batch_has_more_than_it_says", **tp._asdict(), offset=last, message=str(error))
            return  # each record that it counts was read
        self.records_read += 1
        self.next_fetch_offset = last + 1
        damage = Damage(error.reason, str(error), last)
        yield Record(tp.topic, tp.partition, first, None, bytes(raw), (), time_ms, damage)
