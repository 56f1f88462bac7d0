"""Messages on topics of results, as far as a join needs them, and their fields when somebody asks."""

from __future__ import annotations

from typing import Any, NamedTuple

from spectraq.schemas.codec import FRAME, DecodeError, decode_values
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.skim import long_at
from spectraq.workers.transport.messages import Record

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
    texts, place = [], FRAME.size
    try:
        for _ in range(1 + len(Work._fields)):
            text, place = _text(record.value, place)
            texts.append(text)
    except (IndexError, UnicodeDecodeError):
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, "a message that begins as no result does") from None
    return Work(*texts[1:])


def _text(body: bytes, place: int) -> tuple[str, int]:
    """Return a text of Avro's, and where what follows it begins."""
    length, begin = long_at(body, place)
    end = begin + length
    if not 0 <= length <= LONGEST or end > len(body):
        raise IndexError
    return body[begin:end].decode(), end
