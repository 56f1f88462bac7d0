"""Messages to bytes and back.

Avro is framed as Confluent's clients do: a zero byte, the schema's number in four bytes (big-endian), the
Avro body. A body that is JSON (by its content type, or because it starts with a brace) is read too.
Whatever comes in, `decode` gives a message or raises `DecodeError`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

import fastavro
from pydantic import ValidationError
from pydantic_core import from_json

from spectraq.schemas.change import Change
from spectraq.schemas.cloudevents import HEADERS, content_type, headers, number_said
from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.schemas.message import Message
from spectraq.schemas.registry import Written, newest, written_with
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.schemas.results import Anomaly, Classification, Measurement, ModelSpectrum, Redshift
from spectraq.schemas.skim import TooManyItemsError, check_items
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.text import escaped
from spectraq.schemas.verdict import Verdict

__all__ = [
    "HEADERS",
    "MAX_BYTES",
    "MAX_PIXELS",
    "DecodeError",
    "decode",
    "decode_values",
    "encode",
    "explain",
    "headers",
    "json_values",
    "message_of",
    "own_frame",
    "read_avro",
    "starts_object",
]

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

PICKLES = tuple(bytes((0x80, protocol)) for protocol in range(2, 6))

OTHER_KINDS: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (b"Obj\x01", "an Avro container file, which holds many records: send each as framed Avro, by itself"),
    (b"\xc3\x01", "Avro's single-object encoding: put the frame of five bytes before the record instead"),
    (b"\x1f\x8b", "packed by gzip: send it unpacked, and have Kafka compress it"),
    (b"\x28\xb5\x2f\xfd", "packed by zstd: send it unpacked, and have Kafka compress it"),
    (b"\xff\xff\xff\xff", "a stream of Arrow"),
    (b"ARROW1", "a file of Arrow"),
    (b"PAR1", "a Parquet file: read it with `spectraq publish`, which sends each spectrum by itself"),
    (b"\x89HDF", "an HDF5 file: publish its spectra one by one"),
    (b"\x93NUMPY", "a numpy array, which says no wavelengths"),
    (PICKLES, "a pickle, which nobody should open who does not know its sender"),
    (b"PK\x03\x04", "a zip archive: send each file of it by itself"),
    (b"<", "XML or HTML"),
)
"""How bodies of other kinds begin."""

MAGIC = 0
FRAME = struct.Struct(">bI")

MESSAGES: dict[str, type[Message]] = {
    kind.__name__: kind
    for kind in (
        Spectrum,
        Classification,
        Redshift,
        Anomaly,
        ModelSpectrum,
        Measurement,
        DeadLetter,
        Verdict,
        Change,
        RememberedSpectrum,
    )
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


def encode(message: Message, number: int | None = None) -> bytes:
    """Write a message as framed Avro, with the newest schema of its record.

    Parameters
    ----------
    number
        What to say in the frame instead of the schema's own number: that of a registry.
    """
    schema = newest(type(message).__name__)
    assert schema is not None
    body = io.BytesIO()
    body.write(FRAME.pack(MAGIC, schema.id if number is None else number))
    fastavro.schemaless_writer(body, schema.parsed, message.avro_values())
    return body.getvalue()


@overload
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = ...,
    *,
    max_bytes: int = ...,
    max_pixels: int = ...,
    numbers: Callable[[int], Written | None] = ...,
) -> Message: ...
@overload
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = ...,
    *,
    expect: type[M],
    max_bytes: int = ...,
    max_pixels: int = ...,
    numbers: Callable[[int], Written | None] = ...,
) -> M: ...
def decode(
    body: bytes,
    headers: Iterable[tuple[str, bytes]] = (),
    *,
    expect: type[Message] | None = None,
    max_bytes: int = MAX_BYTES,
    max_pixels: int = MAX_PIXELS,
    numbers: Callable[[int], Written | None] = written_with,
) -> Message:
    """Read a message; its arrays are read-only views of the bytes.

    Parameters
    ----------
    body
        Framed Avro of any record, or a Spectrum in JSON.
    headers
        Of the Kafka message; only the content type and the schema that is named there matter.
    expect
        The only kind of message that is welcome; another one is refused before it is read.
    max_bytes, max_pixels
        What is larger is refused.
    numbers
        Says how to read what carries a number; where it doesn't know one, it is unknown.

    Raises
    ------
    DecodeError
        With the reason why.
    """
    headers = tuple(headers)
    if len(body) > max_bytes:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{len(body)} bytes; at most {max_bytes} are taken")
    if not body:
        raise DecodeError(DeadLetterReason.EMPTY, "the message has no body")
    if content_type(headers) == "application/json" or starts_object(body):
        kind: type[Message] = Spectrum
        _check_kind(kind, expect)
        values = json_values(body)
    else:
        written = _written(body, number_said(headers), numbers)
        kind = MESSAGES[written.schema.record]
        _check_kind(kind, expect)
        values = _avro(body, written, FRAME.size)
    return message_of(kind, values, max_pixels)


def decode_values(
    body: bytes, headers: Iterable[tuple[str, bytes]], expect: type[Message], *, max_bytes: int = MAX_BYTES
) -> dict[str, Any]:
    """Return the fields of a message as Avro gives them, of the types of its schema and checked no further.

    For who reads many messages and few of their fields; parameters and errors are those of `decode`.
    """
    if len(body) > max_bytes:
        raise DecodeError(DeadLetterReason.TOO_LARGE, f"{len(body)} bytes; at most {max_bytes} are taken")
    if not body:
        raise DecodeError(DeadLetterReason.EMPTY, "the message has no body")
    written = _written(body, number_said(tuple(headers)), written_with)
    _check_kind(MESSAGES[written.schema.record], expect)
    return _avro(body, written, FRAME.size)


def own_frame(body: bytes, headers: Iterable[tuple[str, bytes]]) -> bytes:
    """Return a message of ours with our own number in its frame, whatever registry's number is there."""
    said = number_said(headers)
    framed = len(body) >= FRAME.size and body[0] == MAGIC
    return body if said is None or not framed else FRAME.pack(MAGIC, said) + body[FRAME.size :]


def read_avro(body: bytes, written: Written, max_pixels: int = MAX_PIXELS) -> Message:
    """Read a message that has no frame, by the schema that it was written with.

    Raises
    ------
    DecodeError
        With the reason why it is none.
    """
    return message_of(MESSAGES[written.schema.record], _avro(body, written, 0), max_pixels)


def message_of(kind: type[M], values: dict[str, Any], max_pixels: int = MAX_PIXELS) -> M:
    """Make a message of its fields, as Avro or JSON gives them.

    Raises
    ------
    DecodeError
        With the reason why they are none.
    """
    _check_pixels(values, max_pixels)
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise DecodeError(*explain(error, kind)) from None


def _check_kind(kind: type[Message], expect: type[Message] | None) -> None:
    if expect is not None and kind is not expect:
        raise DecodeError(DeadLetterReason.WRONG_SHAPE, f"{kind.__name__} in place of {expect.__name__}")


def explain(error: ValidationError, kind: type[Message]) -> tuple[DeadLetterReason, str]:
    """Return the reason and one line for people of the first thing that is wrong with a message's fields."""
    first = error.errors(include_url=False, include_input=False)[0]
    where = ".".join(map(str, (kind.__name__, *first["loc"])))
    known = first["type"] in set(DeadLetterReason)
    reason = DeadLetterReason(first["type"]) if known else DeadLetterReason.WRONG_SHAPE
    return reason, f"{where}: {first['msg']}"


def starts_object(body: bytes) -> bool:
    """Return whether a body is an object of JSON, with white space or a byte order mark before it or none."""
    return body[:64].removeprefix(BOM).lstrip()[:1] == b"{"


def _written(body: bytes, said: int | None, numbers: Callable[[int], Written | None]) -> Written:
    """Read the frame: by which schema it was written. What a header says of that counts more."""
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
    found = numbers(number) if said is None else written_with(said)
    if found is None:
        unknown = number if said is None else said
        raise DecodeError(DeadLetterReason.UNKNOWN_SCHEMA, f"no schema of spectraq has the number {unknown}")
    return found


def _avro(body: bytes, written: Written, begin: int) -> dict[str, Any]:
    if written.schema.parsed is None:
        return json_values(body[begin:])
    record = written.schema.record
    stream = io.BytesIO(body)
    stream.seek(begin)
    try:
        ours_is_small = len(body) <= SMALL_BYTES or record == Spectrum.__name__  # which has no arrays
        if written.foreign or not ours_is_small:
            check_items(body, begin, written.schema.parsed)
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


def json_values(body: bytes) -> dict[str, Any]:
    """Return the fields of an object of JSON.

    Raises
    ------
    DecodeError
        Where it is none.
    """
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
