"""An Avro container file that holds one record, as ZTF sends each alert: schema and data in one body.

Read here and not by fastavro, whose reader unpacks a block to whatever size it has.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Callable
from typing import Any

import fastavro
from pydantic_core import from_json

from spectraq.schemas.codec import MAX_PIXELS, DecodeError, read_avro
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.foreign import written_by
from spectraq.schemas.message import Message
from spectraq.schemas.skim import TooManyItemsError, check_items
from spectraq.workers.transport.unpacking import TooMuchError, UnpackError, unpack

BEGINS = b"Obj\x01"
SYNC_BYTES = 16
CHECKSUM_BYTES = 4

HEADER = fastavro.parse_schema(
    {
        "type": "record",
        "name": "org.apache.avro.file.Header",
        "fields": [
            {"name": "magic", "type": {"type": "fixed", "name": "Magic", "size": len(BEGINS)}},
            {"name": "meta", "type": {"type": "map", "values": "bytes"}},
            {"name": "sync", "type": {"type": "fixed", "name": "Sync", "size": SYNC_BYTES}},
        ],
    }
)
"""Avro 1.12, Object Container Files."""


def only_record(body: bytes, max_bytes: int, max_pixels: int = MAX_PIXELS) -> Message:
    """Return the spectrum of a container file that holds just one.

    Parameters
    ----------
    body
        The file.
    max_bytes
        Its block may unpack to so many.
    max_pixels
        A spectrum with more is refused.

    Raises
    ------
    DecodeError
        With the reason why there is none.
    """
    stream = io.BytesIO(body)
    try:
        check_items(body, 0, HEADER)
        header: Any = fastavro.schemaless_reader(stream, HEADER, None)
        document = from_json(header["meta"]["avro.schema"])
        codec = header["meta"].get("avro.codec", b"null").decode()
        count, block = _only_block(stream, header["sync"])
    except TooManyItemsError as error:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"an Avro container file: {error}") from None
    except EOFError:
        said = f"{len(body)} bytes end in the middle of an Avro container file"
        raise DecodeError(DeadLetterReason.TRUNCATED, said) from None
    except Exception as error:  # fastavro raises whatever the first senseless byte leads to
        said = f"an Avro container file that is damaged: {type(error).__name__}"
        raise DecodeError(DeadLetterReason.UNDECODABLE, said) from None
    try:
        written = written_by(document)  # whose records they are says more than how many
    except DecodeError as error:
        raise DecodeError(error.reason, f"an Avro container file: {error}") from None
    if count != 1:
        said = f"an Avro container file of {count} records: send each in a message of its own"
        raise DecodeError(DeadLetterReason.WRONG_SHAPE if count else DeadLetterReason.EMPTY, said)
    return read_avro(_unpacked(block, codec, max_bytes), written, max_pixels)


def _only_block(stream: io.BytesIO, sync: bytes) -> tuple[int, bytes]:
    """Return how many records there are, and the block of the first."""
    records, first = 0, b""
    end = len(stream.getvalue())
    while stream.tell() < end:
        count, size = (_long(stream) for _ in range(2))
        if count < 0 or size < 0:
            raise ValueError("a block of less than nothing")
        block, after = stream.read(size), stream.read(SYNC_BYTES)
        if len(after) < SYNC_BYTES:
            raise EOFError
        if after != sync:
            raise ValueError("no marker after a block")
        first = first if records else block
        records += count
    return records, first


def _long(stream: io.BytesIO) -> int:
    number: Any = fastavro.schemaless_reader(stream, "long", None)
    return int(number)


def _unpacked(block: bytes, codec: str, max_bytes: int) -> bytes:
    try:
        return CODECS[codec](block, max_bytes)
    except KeyError:
        said = f"an Avro container file packed by {codec!r}; {', '.join(CODECS)} are taken"
        raise DecodeError(DeadLetterReason.UNDECODABLE, said) from None
    except TooMuchError as error:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"an Avro container file: {error}") from None
    except UnpackError as error:
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"an Avro container file: {error}") from None


def _deflate(block: bytes, max_bytes: int) -> bytes:
    stream = zlib.decompressobj(wbits=-15)
    try:
        unpacked = stream.decompress(block, max_bytes + 1)
    except zlib.error as error:
        raise UnpackError(f"its deflate is damaged: {error}") from None
    if len(unpacked) > max_bytes:
        raise TooMuchError(f"its {len(block)} bytes of deflate make more than {max_bytes}")
    return unpacked


def _of_kafka(codec: int, tail: int = 0) -> Callable[[bytes, int], bytes]:
    return lambda block, max_bytes: unpack(codec, memoryview(block)[: len(block) - tail], max_bytes)


def _plain(block: bytes, max_bytes: int) -> bytes:
    return block


CODECS: dict[str, Callable[[bytes, int], bytes]] = {
    "null": _plain,
    "deflate": _deflate,
    "snappy": _of_kafka(2, CHECKSUM_BYTES),
    "zstandard": _of_kafka(4),
}
