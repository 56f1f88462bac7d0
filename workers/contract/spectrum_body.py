"""The body of a message on the topic of spectra, whichever way it is written: Avro, JSON or a FITS file."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from pydantic import ValidationError

from spectraq.schemas import codec
from spectraq.schemas.cloudevents import content_type
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers.formats import read

FITS_TYPES = ("application/fits", "image/fits")
"""RFC 4047."""

FITS_BEGINS = b"SIMPLE  ="

STEM = f"unnamed-{uuid.uuid4().hex}"
"""What a spectrum is called that is named after its file: no file of anybody's says the same."""


def spectrum_of(
    body: bytes,
    headers: Iterable[tuple[str, bytes]],
    key: bytes | None,
    *,
    max_bytes: int = codec.MAX_BYTES,
    max_pixels: int = codec.MAX_PIXELS,
) -> Spectrum:
    """Read the spectrum of a message.

    Parameters
    ----------
    body, headers, key
        Of the message. The key names the spectrum of a FITS file; without one it is the name in the file.
    max_bytes, max_pixels
        What is larger is refused.

    Raises
    ------
    DecodeError
        With the reason why there is none.
    """
    headers = tuple(headers)
    if not (body.startswith(FITS_BEGINS) or content_type(headers) in FITS_TYPES):
        return codec.decode(body, headers, expect=Spectrum, max_bytes=max_bytes, max_pixels=max_pixels)
    if len(body) > max_bytes:
        raise codec.DecodeError(
            DeadLetterReason.TOO_LARGE, f"{len(body)} bytes; at most {max_bytes} are taken"
        )
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
