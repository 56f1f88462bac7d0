"""What another reader's spectra of a FITS file are checked for: an axis in the file, and an object's flux."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, headeraxis, images, mistaken, multispec, sky
from spectraq.workers.readers.columns import LOGLAM, WAVELENGTH
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.imagerows import rows_of
from spectraq.workers.readers.keywords import number, text
from spectraq.workers.readers.source import Source

_OBJECTS = ("combined", "reduced")
"""What specutils calls spectra of objects, the best first; the rest is sky, uncalibrated or normalised."""
_WORDS = ("wave", "lambda", "loglam", "freq", "energy", "wl")
_SPECTRAL = ("WAVE", "AWAV", "LAMB", "FREQ", "ENER", "WAVN", "LINEAR")


def check_axis(source: Source) -> None:
    """Refuse a FITS file in which nothing gives wavelengths: pixel numbers would be taken for them.

    Raises
    ------
    ReadError
        Where no header has an axis and no table or image wavelengths.
    """
    primary = fitstable.header(source.hdus[0])
    guess = ""
    for hdu in source.hdus:
        header = primary | fitstable.header(hdu)
        if headeraxis.has_axis(header) or multispec.solutions(header) or _spectral_axis(header):
            return
        names = set(fitstable.columns(hdu)) if hasattr(hdu, "columns") else {hdu.name.lower()}
        if names & {*WAVELENGTH, *LOGLAM} or any(word in name for name in names for word in _WORDS):
            return
        guess = guess or (mistaken.taken_for(names) if hasattr(hdu, "columns") else mistaken.picture(header))
    raise ReadError(headeraxis.NO_AXIS + guess)


def check_no_count(wavelength: NDArray[np.float64]) -> None:
    """Refuse an axis that is the numbers of the pixels: of this image, whatever others of the file say."""
    counted = wavelength[0] + np.arange(wavelength.size, dtype=np.float64)
    if wavelength[0] in (0.0, 1.0) and np.allclose(wavelength, counted, rtol=1e-12, atol=1e-9):
        raise ReadError(headeraxis.NO_AXIS)


def _spectral_axis(header: Mapping[str, Any]) -> bool:
    """Whether a further axis, as a cube's third, is one of wavelengths."""
    axes = [str(header.get(f"ctype{axis}") or "").upper()[:4] for axis in (2, 3, 4)]
    placed = any(number(header.get(f"crval{axis}")) is not None for axis in (2, 3, 4))
    return placed and any(axis in _SPECTRAL for axis in axes)


def kept(spectra: list[Any], note: Note) -> list[Any]:
    """Return those of a file's spectra that are objects', and say how many are left out.

    Raises
    ------
    ReadError
        Where the file is a block of rows of which nothing says what they are, or holds no object.
    """
    if any(spectrum.flux.ndim > 1 and max(spectrum.flux.shape[:-1]) > 1 for spectrum in spectra):
        shape = next(spectrum.flux.shape for spectrum in spectra if spectrum.flux.ndim > 1)
        raise ReadError(
            f"an image of the shape {shape}: nothing in the file says which of its rows are spectra of"
            " objects (a picture, a long slit or a cube is no spectrum); extract them first"
        )
    left = _of_objects(spectra)
    if not left:
        raise ReadError("the file holds sky or uncalibrated spectra alone")
    if len(left) < len(spectra):
        note(f"{len(spectra) - len(left)} spectra of sky, uncalibrated copies or by-products are left out")
    return left


def _of_objects(spectra: list[Any]) -> list[Any]:
    purposes = [str(spectrum.meta.get("purpose") or "") for spectrum in spectra]
    if any(purposes):
        best = next((name for name in _OBJECTS if name in purposes), None)
        return [spectrum for spectrum, name in zip(spectra, purposes, strict=True) if name == best]
    headers = [spectrum.meta.get("header") or {} for spectrum in spectra]
    if str(headers[0].get("MSTITLE", "")).startswith("2dF-SDSS LRG"):
        return spectra[:1]  # the second is sky
    both = [
        s for s, head in zip(spectra, headers, strict=True) if str(head.get("EXTNAME", "")).endswith(" VR")
    ]
    return both or spectra  # of 6dFGS: both arms in one, where it is there


def why_not(source: Source) -> ReadError:
    """Return why a FITS file is of no known format, as far as its images say it."""
    flux = images.flux_image(source)
    if flux is not None:
        try:
            rows_of(source, flux, images.header_of(source, flux), lambda sentence: None)
        except ReadError as error:
            return error
    tables = (mistaken.taken_for(fitstable.columns(hdu)) for hdu in source.hdus if hasattr(hdu, "columns"))
    guess = next(filter(None, tables), "")
    held = [f"{hdu.name or 'unnamed'} {_what(hdu)}" for hdu in source.hdus[:8]]
    return ReadError(
        "no known format, here or in specutils, looks like this FITS file; tables need columns called"
        f" wavelength, flux, and error or ivar. It holds: {'; '.join(held)}{guess}"
    )


def _what(hdu: Any) -> str:
    if hasattr(hdu, "columns"):
        return f"(columns {', '.join(list(fitstable.columns(hdu))[:6])})"
    return f"(image {hdu.shape})" if hdu.shape else "(empty)"


def whose(source: Source, spectrum: Any) -> dict[str, Any]:
    """Return target and position of a spectrum by its header over the primary one, as a Spectrum's fields."""
    own = spectrum.meta.get("header") or {}
    header = fitstable.header(source.hdus[0])
    header |= {str(key).lower(): said for key, said in dict(own).items()} if isinstance(own, Mapping) else {}
    return sky.position(header) | {"target_id": text(sky.named(header))}
