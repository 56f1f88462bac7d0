"""Messages on topics of results, as far as a join needs them, and their fields when somebody asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from spectraq.schemas.codec import DecodeError, decode_values
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.workers.transport.messages import Record

FRAME_BYTES = 5
LONGEST = 4096
"""Bytes of a text at the beginning of a result."""


class Work(NamedTuple):
    """What a result was made of, and by what: the results of one spectrum have the same."""

    spectrum_id: str
    spectrum_digest: str
    ensemble_digest: str
    ensemble_version: str


def fields_of(record: Record, kind: type[Message]) -> dict[str, Any]:
    """Return the fields of a result's message.

    Raises
    ------
    DecodeError
        Where it is none of that kind.
    """
    if record.damage is not None:
        raise DecodeError(record.damage.reason, record.damage.why)
    return decode_values(record.value, record.headers, kind)


def work_of(record: Record) -> Work:
    """Return what a message of a result is of, without reading the rest of it.

    Every result begins with its name, that of its spectrum and its provenance, all of them texts.

    Raises
    ------
    DecodeError
        Where it does not begin so.
    """
    if record.damage is not None:
        raise DecodeError(record.damage.reason, record.damage.why)
    texts, place = [], FRAME_BYTES
    try:
        for _ in range(1 + len(Work._fields)):
            text, place = _text(record.value, place)
            texts.append(text)
    except (IndexError, UnicodeDecodeError):
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, "a message that begins as no result does") from None
    return Work(*texts[1:])


def _text(body: bytes, place: int) -> tuple[str, int]:
    """Return a text of Avro's, and where what follows it begins."""
    length = shift = 0
    while True:
        byte = body[place]
        place += 1
        length |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift > 21:
            raise IndexError
    end = place + (length >> 1)
    if length & 1 or length >> 1 > LONGEST or end > len(body):
        raise IndexError
    return body[place:end].decode(), end
