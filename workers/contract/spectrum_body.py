"""The body of a message on the topic of spectra, whichever way it is written.

What it is says its beginning or its content type: a frame and Avro, an Avro container file, JSON, an event of
CloudEvents, a FITS file, Arrow; any of these may be packed, once.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from spectraq.schemas import codec
from spectraq.schemas.cloudevents import STRUCTURED, content_type, event_data
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract import arrow_body, avro_container
from spectraq.workers.contract.writer_schemas import OURS, WriterSchemas
from spectraq.workers.errors import ReadError
from spectraq.workers.transport.unpacking import TooMuchError, UnpackError, unpack

FITS_TYPES = ("application/fits", "image/fits")
"""RFC 4047."""

FITS_BEGINS = b"SIMPLE  ="

PACKINGS = ((b"\x1f\x8b", 1), (b"\x28\xb5\x2f\xfd", 4))
"""How bodies begin that are packed by gzip and zstd, and Kafka's numbers of the two."""

EVENT = b'"specversion"'

STEM = f"unnamed-{uuid.uuid4().hex}"
"""What a spectrum is called that is named after its file: no file of anybody's says the same."""


@dataclass(frozen=True)
class _Limits:
    bytes: int
    pixels: int
    schemas: WriterSchemas
    packed: bool = True  # whether it may be
    event: bool = True


def spectrum_of(
    body: bytes,
    headers: Iterable[tuple[str, bytes]],
    key: bytes | None,
    *,
    max_bytes: int = codec.MAX_BYTES,
    max_pixels: int = codec.MAX_PIXELS,
    schemas: WriterSchemas = OURS,
) -> Spectrum:
    """Read the spectrum of a message.

    Parameters
    ----------
    body, headers, key
        Of the message. The key names the spectrum of a FITS file; without one it is the name in the file.
    max_bytes, max_pixels
        What is larger, packed or unpacked, is refused.
    schemas
        Says how to read what carries the number or the GUID of its schema.

    Raises
    ------
    DecodeError
        With the reason why there is none.
    RegistryAwayError
        Where a registry has to be asked for the schema, and does not answer.
    """
    return _read(body, tuple(headers), key, _Limits(max_bytes, max_pixels, schemas))


def _read(body: bytes, headers: tuple[tuple[str, bytes], ...], key: bytes | None, most: _Limits) -> Spectrum:
    if len(body) > most.bytes:
        said = f"{len(body)} bytes; at most {most.bytes} are taken"
        raise codec.DecodeError(DeadLetterReason.TOO_LARGE, said)
    if body and (written := most.schemas.of_headers(headers)) is not None:
        return _checked(codec.read_avro(body, written, most.pixels))
    packing = next((number for begins, number in PACKINGS if body.startswith(begins)), None)
    if packing is not None and most.packed:
        return _read(_unpacked(body, packing, most.bytes), headers, key, replace(most, packed=False))
    kind = content_type(headers)
    if body.startswith(FITS_BEGINS) or kind in FITS_TYPES:
        return _fits(body, key, most.pixels)
    if body.startswith((arrow_body.STREAM_BEGINS, arrow_body.FILE_BEGINS)) or kind in arrow_body.TYPES:
        return arrow_body.spectrum_of_arrow(body, key, most.pixels)
    if body.startswith(avro_container.BEGINS):
        return _checked(avro_container.only_record(body, most.bytes, most.pixels))
    if kind == STRUCTURED or (codec.starts_object(body) and EVENT in body):
        values = codec.json_values(body)
        if kind == STRUCTURED or "specversion" in values:
            return _event(values, key, most)
        return codec.message_of(Spectrum, values, most.pixels)
    return codec.decode(
        body,
        headers,
        expect=Spectrum,
        max_bytes=most.bytes,
        max_pixels=most.pixels,
        numbers=most.schemas.of_number,
    )


def _checked(message: Any) -> Spectrum:
    assert isinstance(message, Spectrum)
    return message


def _unpacked(body: bytes, packing: int, max_bytes: int) -> bytes:
    try:
        return unpack(packing, memoryview(body), max_bytes)
    except TooMuchError as error:
        raise codec.DecodeError(DeadLetterReason.TOO_LARGE, f"a packed body: {error}") from None
    except UnpackError as error:
        raise codec.DecodeError(DeadLetterReason.UNDECODABLE, f"a packed body: {error}") from None


def _event(event: dict[str, Any], key: bytes | None, most: _Limits) -> Spectrum:
    """Read what an event in structured mode is about, which is no event."""
    if not most.event:
        said = "an event of CloudEvents in an event of CloudEvents: send the inner one"
        raise codec.DecodeError(DeadLetterReason.WRONG_SHAPE, said)
    try:
        data = event_data(event)
    except ValueError as error:
        said = f"an event of CloudEvents: {error}"
        raise codec.DecodeError(DeadLetterReason.WRONG_SHAPE, said) from None
    if isinstance(data, dict):
        return codec.message_of(Spectrum, data, most.pixels)
    kind = event.get("datacontenttype")
    said_kind = (("content-type", kind.encode(errors="replace")),) if isinstance(kind, str) else ()
    return _read(data, said_kind, key, replace(most, event=False))


def _fits(body: bytes, key: bytes | None, max_pixels: int) -> Spectrum:
    spectrum = _only_one(body)
    if spectrum.n_pixels > max_pixels:
        said = f"{spectrum.n_pixels} pixels; at most {max_pixels} are taken"
        raise codec.DecodeError(DeadLetterReason.TOO_LARGE, said)
    named = {"spectrum_id": _name(spectrum, key), "source_file": None, "source_row": None}
    try:
        return Spectrum.model_validate(spectrum.model_dump() | named)
    except ValidationError as error:
        raise codec.DecodeError(*codec.explain(error, Spectrum)) from None


def _name(spectrum: Spectrum, key: bytes | None) -> str:
    if key:
        return key.decode(errors="replace")
    if spectrum.spectrum_id == STEM:
        raise codec.DecodeError(
            DeadLetterReason.WRONG_SHAPE, "nothing names the spectrum in this FITS file: send it with a key"
        )
    return spectrum.spectrum_id


def _only_one(body: bytes) -> Spectrum:
    """Return the spectrum of a file that holds just one: of several, nobody could say which is meant."""
    from spectraq.workers.readers.formats import read  # astropy: not for a stream without files

    with tempfile.TemporaryDirectory(prefix="spectraq-") as folder:
        path = Path(folder) / f"{STEM}.fits"
        path.write_bytes(body)
        some = islice(read(path, note=lambda _: None, known_only=True), 2)
        first, second = next(some, None), next(some, None)
        del some  # closes the file
    if isinstance(first, ReadError):
        raise codec.DecodeError(DeadLetterReason.UNDECODABLE, f"no spectrum in FITS: {first}")
    if first is None:
        raise codec.DecodeError(DeadLetterReason.EMPTY, "a FITS file without a spectrum")
    if second is not None:
        raise codec.DecodeError(
            DeadLetterReason.WRONG_SHAPE, "a FITS file of several spectra; one a message is taken"
        )
    return first
