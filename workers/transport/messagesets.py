"""Reads the message sets that Kafka kept before 0.11 (formats 0 and 1), which old topics may still hold.

References: LegacyRecord.java and AbstractLegacyRecordBatch.java of Apache Kafka.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from kafka import TopicPartition

from spectraq.workers.transport.batches import (
    CODEC,
    LOG_APPEND_TIME,
    MOST_RECORDS,
    TooLargeError,
    UnreadableError,
    unpacked,
)
from spectraq.workers.transport.messages import NO_TIMESTAMP_MS, Record

HEADERS = (struct.Struct(">qiIbb"), struct.Struct(">qiIbbq"))
"""Of formats 0 and 1: offset, length, checksum, format, attributes; then the time."""

CHECKED_FROM = 16
BEFORE_LENGTH_ENDS = 12
LZ4 = 3


class _Message(NamedTuple):
    """One message; of a packed set, the one around it, whose offset is the last one's."""

    offset: int
    attributes: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None


def messages_of(
    frame: memoryview, magic: int, tp: TopicPartition, start: int, most_bytes: int
) -> Iterator[Record]:
    """Yield the messages of a set, one after the other, from an offset on.

    Raises
    ------
    TooLargeError
        Where they are packed and make more than `most_bytes`.
    UnreadableError
        Where one of them can't be read; those before it have been given.
    """
    try:
        outer = _message(frame, magic)
        for message in _inner(outer, magic, most_bytes) if outer.attributes & CODEC else (outer,):
            if start <= message.offset <= outer.offset:
                time_ms = message.timestamp_ms
                if outer.attributes & LOG_APPEND_TIME:
                    time_ms = outer.timestamp_ms
                yield Record(
                    tp.topic,
                    tp.partition,
                    message.offset,
                    message.key,
                    message.value or b"",
                    (),
                    time_ms,
                    tombstone=message.value is None,
                )
    except TooLargeError as error:
        raise TooLargeError(str(error)) from None  # its offset is not part of the checksum
    except (struct.error, UnreadableError) as error:
        raise UnreadableError(f"a message of format {magic}: {error}") from None


def _inner(outer: _Message, magic: int, most_bytes: int) -> Iterator[_Message]:
    """Yield the messages that are packed into one."""
    codec = outer.attributes & CODEC
    if magic == 0 and codec == LZ4:
        raise UnreadableError("Kafka 0.8 packed it, whose lz4 is no lz4")
    if codec > LZ4:
        raise UnreadableError(f"there is no codec {codec} in format {magic}")
    body = memoryview(unpacked(codec, memoryview(outer.value or b""), most_bytes))
    frames = list(_frames(body))
    if not frames:
        raise UnreadableError("it packs no message")
    # of format 1, those within count from the first of them
    base = outer.offset - _message(frames[-1], magic).offset if magic else 0
    for frame in frames:
        message = _message(frame, magic)
        if message.attributes & CODEC:
            raise UnreadableError("it is packed twice")
        yield message._replace(offset=base + message.offset)


def _frames(body: memoryview) -> Iterator[memoryview]:
    place = 0
    for _ in range(MOST_RECORDS):
        if place == len(body):
            return
        (length,) = struct.unpack_from(">i", body, place + 8)
        end = place + BEFORE_LENGTH_ENDS + length
        if length < 0 or end > len(body):
            raise UnreadableError(f"a message of {length} bytes does not fit in")
        yield body[place:end]
        place = end
    raise UnreadableError(f"it packs more than {MOST_RECORDS} messages")


def _message(frame: memoryview, magic: int) -> _Message:
    header = HEADERS[magic]
    offset, _, crc, own_magic, attributes, *time_ms = header.unpack_from(frame)
    if zlib.crc32(frame[CHECKED_FROM:]) != crc:
        raise UnreadableError("its checksum is wrong")
    if own_magic != magic:
        raise UnreadableError(f"a message of format {own_magic} within format {magic}")
    key, place = _bytes(frame, header.size)
    value, _ = _bytes(frame, place)
    return _Message(offset, attributes, time_ms[0] if time_ms else NO_TIMESTAMP_MS, key, value)


def _bytes(frame: memoryview, place: int) -> tuple[bytes | None, int]:
    (length,) = struct.unpack_from(">i", frame, place)
    place += 4
    if length < 0:
        return None, place
    if place + length > len(frame):
        raise UnreadableError(f"{length} bytes where {len(frame) - place} are left")
    return bytes(frame[place : place + length]), place + length
