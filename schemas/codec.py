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

from schemas.cloudevents import HEADERS, content_type, headers
from schemas.deadletter import DeadLetter, DeadLetterReason
from schemas.message import Message
from schemas.registry import Schema, newest, schemas
from schemas.results import Anomaly, Classification, ModelSpectrum, Redshift
from schemas.spectrum import Spectrum

__all__ = ["HEADERS", "MAX_BYTES", "MAX_PIXELS", "DecodeError", "decode", "encode", "headers"]

MAX_BYTES = 64 << 20
"""Larger bodies are refused unread unless the caller says otherwise: a thousand times an SDSS spectrum."""

MAX_PIXELS = 1_000_000
"""Spectra with more pixels are refused unless the caller says otherwise: large echelle formats have fewer."""

MAGIC = 0
FRAME = struct.Struct(">bI")

MESSAGES: dict[str, type[Message]] = {
    kind.__name__: kind for kind in (Spectrum, Classification, Redshift, Anomaly, ModelSpectrum, DeadLetter)
}

M = TypeVar("M", bound=Message)


class DecodeError(ValueError):
    """Bytes that are not a message of ours; `reason` is the code of the dead letter."""

    def __init__(self, reason: DeadLetterReason, message: str) -> None:
        super().__init__(message)
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
        Framed Avro, or JSON.
    headers
        Of the Kafka message; only the content type matters.
    expect
        The only kind of message that is welcome; JSON without it is taken for a Spectrum.
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
    if content_type(headers) == "application/json" or body[:1] == b"{":
        kind, values = expect or Spectrum, _json(body)
    else:
        kind, values = _avro(body, expect)
    _check_pixels(values, max_pixels)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise _decode_error(error, kind) from None


def _avro(body: bytes, expect: type[Message] | None) -> tuple[type[Message], dict[str, Any]]:
    schema = _schema(body)
    kind = MESSAGES[schema.record]
    if expect is not None and kind is not expect:
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, f"a {schema.record} is no {expect.__name__}")
    stream = io.BytesIO(body)
    stream.seek(FRAME.size)
    try:
        values = fastavro.schemaless_reader(stream, schema.parsed, None)
    except EOFError:
        raise DecodeError(
            DeadLetterReason.TRUNCATED, f"{len(body)} bytes end in the middle of a {schema.record}"
        ) from None
    except Exception as error:
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"no {schema.record}: {error}") from None
    assert isinstance(values, dict)
    return kind, values


def _schema(body: bytes) -> Schema:
    if body[0] != MAGIC:
        raise DecodeError(
            DeadLetterReason.UNDECODABLE,
            f"neither framed Avro (a zero byte first) nor JSON: the first byte is 0x{body[0]:02x}",
        )
    if len(body) < FRAME.size:
        raise DecodeError(DeadLetterReason.TRUNCATED, f"{len(body)} bytes are less than a frame")
    number = FRAME.unpack_from(body)[1]
    schema = schemas().get(number)
    if schema is None:
        raise DecodeError(DeadLetterReason.UNKNOWN_SCHEMA, f"no schema has the number {number}")
    return schema


def _json(body: bytes) -> dict[str, Any]:
    try:
        values = from_json(body)
    except ValueError as error:
        raise DecodeError(DeadLetterReason.UNDECODABLE, f"invalid JSON: {error}") from None
    if not isinstance(values, dict):
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, "the JSON is no object")
    return values


def _check_pixels(values: dict[str, Any], max_pixels: int) -> None:
    flux = values.get("flux")
    n = len(flux) // 4 if isinstance(flux, bytes) else len(flux) if isinstance(flux, list) else 0
    if n > max_pixels:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{n} pixels; at most {max_pixels} are taken")


def _decode_error(error: ValidationError, kind: type[Message]) -> DecodeError:
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, first["loc"]))
    known = first["type"] in set(DeadLetterReason)
    reason = DeadLetterReason(first["type"]) if known else DeadLetterReason.WRONG_SHAPE
    return DecodeError(reason, f"{kind.__name__}: {where}: {first['msg']}" if where else first["msg"])
