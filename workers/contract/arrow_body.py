"""Arrow in a message: its IPC format, stream or file, of one row whose columns are a spectrum's fields.

Nothing is taken that could be larger than its bytes: packed buffers, dictionaries and runs are refused.
"""

from __future__ import annotations

import struct
from typing import Any

import pyarrow as pa

from spectraq.schemas.codec import MAX_PIXELS, DecodeError, message_of
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.spectrum import Spectrum

STREAM_BEGINS = b"\xff\xff\xff\xff"
FILE_BEGINS = b"ARROW1\0\0"
FILE_ENDS = b"ARROW1"
"""A file is a stream between the one and a footer, which ends with the other."""

TYPES = ("application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file")

MESSAGE_HEADER, BATCH_COMPRESSION = 2, 3
"""Fields, by their number, of the tables `Message` and `RecordBatch` (Arrow's Message.fbs)."""


def spectrum_of_arrow(body: bytes, key: bytes | None, max_pixels: int = MAX_PIXELS) -> Spectrum:
    """Return the spectrum of a body.

    Parameters
    ----------
    body
        A stream or a file of Arrow.
    key
        Names the spectrum where there is no column `spectrum_id`.
    max_pixels
        A spectrum with more is refused.

    Raises
    ------
    DecodeError
        With the reason why there is none.
    """
    if body.startswith(FILE_BEGINS) and not body.endswith(FILE_ENDS):
        said = f"{len(body)} bytes end in the middle of a file of Arrow"
        raise DecodeError(DeadLetterReason.TRUNCATED, said)
    try:
        values = _only_row(_batches(body.removeprefix(FILE_BEGINS)))
    except DecodeError:
        raise
    except Exception as error:  # Arrow has one for every way to be damaged
        said = f"Arrow that is damaged: {type(error).__name__}"
        raise DecodeError(DeadLetterReason.UNDECODABLE, said) from None
    flux: Any = values.get("flux")
    if getattr(flux, "size", 0) > max_pixels:
        said = f"{flux.size} pixels; at most {max_pixels} are taken"
        raise DecodeError(DeadLetterReason.TOO_LARGE, said)
    named = {"spectrum_id": key.decode(errors="replace")} if key and "spectrum_id" not in values else {}
    return message_of(Spectrum, values | named, max_pixels)


def _batches(stream: bytes) -> list[pa.RecordBatch]:
    """Read what lies in a stream, once nothing of it can grow."""
    for message in pa.ipc.MessageReader.open_stream(stream):
        if message.type == "dictionary":
            raise _refused("Arrow with dictionaries: write its columns plainly")
        if message.type == "record batch" and _is_packed(memoryview(message.metadata)):
            raise _refused("Arrow whose buffers are packed: write it unpacked, and have Kafka compress it")
    with pa.ipc.open_stream(stream) as reader:
        return list(reader)


def _is_packed(metadata: memoryview) -> bool:
    """Return whether the header of a record batch names a codec."""
    (message,) = struct.unpack_from("<I", metadata)
    slot = _slot(metadata, message, MESSAGE_HEADER)
    (offset,) = struct.unpack_from("<I", metadata, message + slot)
    return _slot(metadata, message + slot + offset, BATCH_COMPRESSION) != 0


def _slot(metadata: memoryview, table: int, number: int) -> int:
    """Return where a field lies in a table of flatbuffers, from its beginning; 0 where it has none."""
    (back,) = struct.unpack_from("<i", metadata, table)
    place = table - back
    (size,) = struct.unpack_from("<H", metadata, place)
    slot = 4 + 2 * number
    return int(struct.unpack_from("<H", metadata, place + slot)[0]) if slot < size else 0


def _only_row(batches: list[pa.RecordBatch]) -> dict[str, Any]:
    rows = [batch for batch in batches if batch.num_rows]
    count = sum(batch.num_rows for batch in rows)
    if count != 1:
        said = f"Arrow of {count} rows: one a message is taken, with the pixels in lists"
        raise DecodeError(DeadLetterReason.WRONG_SHAPE if count else DeadLetterReason.EMPTY, said)
    batch = rows[0]
    names = batch.schema.names
    if len(set(names)) < len(names):
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, "Arrow with two columns of one name")
    for name, kind in zip(names, batch.schema.types, strict=True):
        if not _is_taken(kind):
            said = f"Arrow whose column {name} is {kind}: numbers, lists of them, text or bytes are taken"
            raise DecodeError(DeadLetterReason.WRONG_SHAPE, said)
    batch.validate(full=True)
    return {name: _value(column[0]) for name, column in zip(names, batch.columns, strict=True)}


def _is_taken(kind: pa.DataType) -> bool:
    if _is_list(kind):
        return _is_number(kind.value_type)
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
    raw = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(text or raw or _is_number(kind) or pa.types.is_null(kind))


def _is_list(kind: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_one(kind) for is_one in lists)


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _value(scalar: pa.Scalar) -> Any:
    if _is_list(scalar.type) and scalar.is_valid:
        return scalar.values.to_numpy(zero_copy_only=False)
    return scalar.as_py()


def _refused(said: str) -> DecodeError:
    return DecodeError(DeadLetterReason.UNDECODABLE, said)
