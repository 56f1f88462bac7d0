"""Reads the records of a batch as Kafka keeps it (format 2; `messagesets` has 0 and 1), and believes nothing.

The client's own reader raises where anything is wrong, at the same place for ever, and makes of a few bytes
as much memory as they ask for. This one gives every record that can be read and says of the rest why not.

References: DefaultRecordBatch.java and DefaultRecord.java of Apache Kafka.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from crc32c import crc32c
from kafka import TopicPartition
from kafka.record.util import decode_varint

from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.transport.messages import MOST_HEADERS, NO_TIMESTAMP_MS, Record
from spectraq.workers.transport.unpacking import TooMuchError, UnpackError, unpack

HEADER = struct.Struct(">qiibIhiqqqhii")
CHECKED_FROM = 21
CODEC, LOG_APPEND_TIME, TRANSACTIONAL, CONTROL = 0x07, 0x08, 0x10, 0x20

MOST_RECORDS = 1_000_000
"""Of one batch: walking through more takes longer than a worker may be away from its group."""

LONGEST_TIME_MS = 1 << 63


class UnreadableError(Exception):
    """What stands in a batch can't be read.

    Attributes
    ----------
    trusted
        Whether the header can be believed all the same: its checksum is right.
    """

    reason = DeadLetterReason.UNREADABLE_BATCH

    def __init__(self, why: str, trusted: bool = False) -> None:
        super().__init__(why)
        self.trusted = trusted


class TooLargeError(UnreadableError):
    """A batch unpacks to more than is taken."""

    reason = DeadLetterReason.BATCH_TOO_LARGE


class CrashesError(UnreadableError):
    """Each time that a batch was unpacked with nothing else in hand, the process ended."""

    reason = DeadLetterReason.CRASHES


class Header(NamedTuple):
    """The header of a batch of format 2."""

    base_offset: int
    length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    first_timestamp: int
    max_timestamp: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    records: int

    @property
    def last_offset(self) -> int:
        """The offset of the last record, which compaction may have taken."""
        return self.base_offset + self.last_offset_delta

    @property
    def transactional(self) -> bool:
        """Whether it is part of a transaction."""
        return bool(self.attributes & TRANSACTIONAL)

    @property
    def control(self) -> bool:
        """Whether it marks the end of a transaction and holds no message."""
        return bool(self.attributes & CONTROL)


def header_of(frame: memoryview) -> Header:
    """Read the header of a batch of format 2, and compare its checksum.

    Raises
    ------
    UnreadableError
        Where it can't be believed.
    """
    if len(frame) < HEADER.size:
        raise UnreadableError(f"it has {len(frame)} bytes, fewer than its header")
    header = Header(*HEADER.unpack_from(frame))
    if header.magic != 2:
        raise UnreadableError(f"its format {header.magic} is unknown")
    if crc32c(frame[CHECKED_FROM:]) != header.crc:
        raise UnreadableError("its checksum is wrong")
    return header


def aborts(header: Header, frame: memoryview) -> bool:
    """Return whether a control batch says that its transaction was aborted.

    Raises
    ------
    UnreadableError
        Where it does not say.
    """
    try:
        for record in _records(
            header, bytes(frame[HEADER.size :]), TopicPartition("", 0), header.base_offset
        ):
            if record.key is not None and len(record.key) >= 4:
                return bool(struct.unpack_from(">h", record.key, 2)[0] == 0)
    except UnreadableError as error:
        raise UnreadableError(str(error)) from None  # what follows depends on it
    raise UnreadableError("it marks the end of a transaction and does not say which")


def records_of(
    header: Header, frame: memoryview, tp: TopicPartition, start: int, most_bytes: int
) -> Iterator[Record]:
    """Yield the records of a batch of format 2, one after the other, from an offset on.

    Raises
    ------
    TooLargeError
        Where they are packed and make more than `most_bytes`.
    UnreadableError
        Where one of them, or what follows them, can't be read; those before it have been given.
    """
    if header.records > MOST_RECORDS:
        said = f"it holds {header.records} records; at most {MOST_RECORDS} are taken"
        raise TooLargeError(said, trusted=True)
    packed, codec = frame[HEADER.size :], header.attributes & CODEC
    body = unpacked(codec, packed, most_bytes) if codec else bytes(packed)
    yield from _records(header, body, tp, start)


def unpacked(codec: int, packed: memoryview, most_bytes: int) -> bytes:
    """Unpack what follows a header that can be trusted; raises what `records_of` does."""
    try:
        return unpack(codec, packed, most_bytes)
    except TooMuchError as error:
        raise TooLargeError(str(error), trusted=True) from None
    except UnpackError as error:
        raise UnreadableError(str(error), trusted=True) from None


def _records(header: Header, body: bytes, tp: TopicPartition, start: int) -> Iterator[Record]:
    if header.records < 0:
        raise UnreadableError(f"it says that it holds {header.records} records", trusted=True)
    appended = header.max_timestamp if header.attributes & LOG_APPEND_TIME else None
    place, before = 0, header.base_offset - 1
    try:
        for _ in range(header.records):
            length, place = decode_varint(body, place)
            end = place + length
            if length < 0 or end > len(body):
                raise UnreadableError(f"a record of {length} bytes does not fit in", trusted=True)
            delay, place = decode_varint(body, place + 1)  # behind its attributes, of which there are none
            delta, place = decode_varint(body, place)
            offset = header.base_offset + delta
            if not before < offset <= header.last_offset:
                raise UnreadableError(f"offset {offset} comes after {before}", trusted=True)
            before = offset
            if offset >= start:
                time_ms = header.first_timestamp + delay if appended is None else appended
                yield _record(body, place, end, tp, offset, time_ms)
            place = end
    except (IndexError, ValueError) as error:
        raise UnreadableError(f"the record behind offset {before}: {error}", trusted=True) from None
    if place != len(body):
        raise UnreadableError(f"{len(body) - place} bytes follow its last record", trusted=True)


def _record(body: bytes, place: int, end: int, tp: TopicPartition, offset: int, time_ms: int) -> Record:
    """Read one record behind its offset."""
    key, place = _bytes(body, place)
    value, place = _bytes(body, place)
    count, place = decode_varint(body, place)
    if count < 0:
        raise UnreadableError(f"offset {offset} has {count} headers", trusted=True)
    headers = []
    for _ in range(min(count, MOST_HEADERS)):
        name, place = _bytes(body, place)
        content, place = _bytes(body, place)
        # strangers write names that are not UTF-8, and the client would refuse the whole batch
        headers.append(((name or b"").decode("utf-8", "backslashreplace"), content or b""))
    if place > end or (place < end and count <= MOST_HEADERS):
        raise UnreadableError(f"offset {offset} says another length than it has", trusted=True)
    if abs(time_ms) >= LONGEST_TIME_MS:
        time_ms = NO_TIMESTAMP_MS
    return Record(
        tp.topic,
        tp.partition,
        offset,
        key,
        value or b"",
        tuple(headers),
        time_ms,
        tombstone=value is None,
    )


def _bytes(body: bytes, place: int) -> tuple[bytes | None, int]:
    length, place = decode_varint(body, place)
    if length < 0:
        return None, place
    end = place + length
    if end > len(body):
        raise IndexError(f"{length} bytes where {len(body) - place} are left")
    return body[place:end], end
