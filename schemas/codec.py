"""Messages to bytes and back.

Avro is framed as Confluent's clients do: a zero byte, the schema's number in four bytes (big-endian), the
Avro body. A body that is JSON (by its content type, or because it starts with a brace) is read too.
Whatever comes in, `decode` gives a message or raises `DecodeError`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterable
from typing import Any, TypeVar, overload

import fastavro
from pydantic import ValidationError
from pydantic_core import from_json

from spectraq.schemas.cloudevents import HEADERS, content_type, headers
from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.registry import Written, newest, written_with
from spectraq.schemas.results import Anomaly, Classification, Measurement, ModelSpectrum, Redshift
from spectraq.schemas.skim import TooManyItemsError, check_items
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.text import escaped
from spectraq.schemas.verdict import Verdict

__all__ = ["HEADERS", "MAX_BYTES", "MAX_PIXELS", "DecodeError", "decode", "encode", "explain", "headers"]

MAX_BYTES = 64 << 20
"""Larger bodies are refused unread unless the caller says otherwise: a thousand times an SDSS spectrum."""

MAX_PIXELS = 1_000_000
"""Spectra with more pixels are refused unless the caller says otherwise: large echelle formats have fewer."""

SMALL_BYTES = 64 << 10
"""A body of so many bytes can't hold so many entries that it matters."""

LINE = 1000
"""Characters of the sentence that says what is wrong with a message."""

BOM = b"\xef\xbb\xbf"
"""What some writers begin JSON with, though its standard says not to."""

OTHER_KINDS = (
    (b"Obj\x01", "an Avro container file, which holds many records: send each as framed Avro, by itself"),
    (b"\x1f\x8b", "packed by gzip: send it unpacked, and have Kafka compress it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: send it unpacked, and have Kafka compress it"),
    (b"PK\x03\x04", "a zip archive"),
    (b"<", "XML or HTML"),
)
"""How bodies of other kinds begin."""

MAGIC = 0
FRAME = struct.Struct(">bI")

MESSAGES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (Spectrum, Classification, Redshift, Anomaly, ModelSpectrum, Measurement, DeadLetter, Verdict)
}

M = TypeVar("M", bound=Message)


class DecodeError(ValueError):
    """Bytes that are not a message of ours; `reason` is the code of the dead letter.

    Its sentence may repeat what a stranger wrote, such as the name of a field: escaped, of bounded length.
    """

    def __init__(self, reason: DeadLetterReason, message: str) -> None:
        line = escaped(message)
        super().__init__(line if len(line) <= LINE else f"{line[:LINE]} ...")
        self.reason = reason


def encode(message: Message) -> bytes:
    """Write a message as framed Avro, with the newest schema of its record."""
    schema = newest(type(message).__name__)
    assert schema is not None
    body = io.BytesIO()
    body.write(FRAME.pack(MAGIC, schema.id))
    fastavro.schemaless_writer(body, schema.parsed, message.avro_values())
    return body.getvalue()


@overload
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = ...,
    *,
    max_bytes: int = ...,
    max_pixels: int = ...,
) -> Message: ...
@overload
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = ...,
    *,
    expect: type[M],
    max_bytes: int = ...,
    max_pixels: int = ...,
) -> M: ...
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = (),
    *,
    expect: type[Message] | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
) -> Message:
    """Read a message; its arrays are read-only views of the bytes.

    Parameters
    ----------
    body
        Framed Avro of any record, or a Spectrum in JSON.
    headers
        Of the Kafka message; only the content type matters.
    expect
        The only kind of message that is welcome; another one is refused before it is read.
    max_bytes, max_pixels
        What is larger is refused.

    Raises
    ------
    DecodeError
        With the reason why.
    """
    if len(body) > max_bytes:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{len(body)} bytes; at most {max_bytes} are taken")
    if not body:
        raise DecodeError(DeadLetterReason.EMPTY, "the message has no body")
    is_json = content_type(headers) == "application/json" or _starts_object(body)
    kind, version = (Spectrum, None) if is_json else _kind(body)
    if expect is not None and kind is not expect:
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, f"{kind.__name__} in place of {expect.__name__}")
    values = _json(body) if version is None else _avro(body, version)
    _check_pixels(values, max_pixels)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise DecodeError(*explain(error, kind)) from None


def explain(error: ValidationError, kind: type[Message]) -> tuple[DeadLetterReason, str]:
    """Return the reason and one line for people of the first thing that is wrong with a message's fields."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, (kind.__name__, *first["loc"])))
    known = first["type"] in set(DeadLetterReason)
    reason = DeadLetterReason(first["type"]) if known else DeadLetterReason.WRONG_SHAPE
    return reason, f"{where}: {first['msg']}"


def _starts_object(body: bytes) -> bool:
    """Return whether a body is an object of JSON, with white space or a byte order mark before it or none."""
    return body[:64].removeprefix(BOM).lstrip()[:1] == b"{"


def _kind(body: bytes) -> tuple[type[Message], Written]:
    """Read the frame: what was written, and by which schema."""
    if body[0] != MAGIC:
        for beginning, what in OTHER_KINDS:
            if body.startswith(beginning):
                raise DecodeError(DeadLetterReason.UNDECODABLE, f"neither framed Avro nor JSON: {what}")
        raise DecodeError(
            DeadLetterReason.UNDECODABLE,
            f"neither framed Avro nor JSON: the first byte is 0x{body[0]:02x}, not 0x00 or a brace",
        )
    if len(body) < FRAME.size:
        raise DecodeError(DeadLetterReason.TRUNCATED, f"{len(body)} bytes are less than a frame")
    number = FRAME.unpack_from(body)[1]
    found = written_with(number)
    if found is None:
        raise DecodeError(DeadLetterReason.UNKNOWN_SCHEMA, f"no schema of spectraq has the number {number}")
    return MESSAGES[found.schema.record], found


def _avro(body: bytes, written: Written) -> dict[str, Any]:
    record = written.schema.record
    stream = io.BytesIO(body)
    stream.seek(FRAME.size)
    try:
        if len(body) > SMALL_BYTES and record != Spectrum.__name__:  # which has no arrays
            check_items(body, FRAME.size, written.schema.parsed)
        values = fastavro.schemaless_reader(stream, written.schema.parsed, written.reader)
    except TooManyItemsError as error:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{record}: {error}") from None
    except EOFError:
        raise DecodeError(
            DeadLetterReason.TRUNCATED, f"{len(body)} bytes end in the middle of a {record}"
        ) from None
    except Exception as error:
        # fastavro raises whatever the first senseless byte leads to
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"no {record}: {error}") from None
    rest = len(body) - stream.tell()
    if rest and not written.newer:
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"{rest} bytes follow the end of the {record}")
    assert isinstance(values, dict)
    return values


def _json(body: bytes) -> dict[str, Any]:
    try:
        values = from_json(body.removeprefix(BOM))
    except ValueError as error:
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"no JSON: {error}") from None
    if not isinstance(values, dict):
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, f"JSON, but no object: {type(values).__name__}")
    return values


def _check_pixels(values: dict[str, Any], max_pixels: int) -> None:
    """Refuse by the length of the flux alone, before anything is made of it."""
    flux = values.get("flux")
    size = len(flux) if isinstance(flux, (bytes, list, str)) else 0
    n = size // 4 if isinstance(flux, bytes) else size * 3 // 16 if isinstance(flux, str) else size
    if n > max_pixels:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{n} pixels; at most {max_pixels} are taken")
