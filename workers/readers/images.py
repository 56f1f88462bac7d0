"""Spectra in FITS images: one, one a row, or bands, their axis in the header.

IRAF (linear, log-linear, apall's bands, multispec), 2dFdr and AAOmega, GAMA, spPlate, and others made as
these. Which rows are spectra of objects must be said by the file: rows of a long slit, planes of a
cube and pictures of the sky are refused.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, headeraxis, multispec, noise, quality, sky
from spectraq.workers.readers.arms import FEWEST_ORDERS, check_orders
from spectraq.workers.readers.beside import Beside, beside
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.imagerows import Row, rows_of
from spectraq.workers.readers.keywords import value
from spectraq.workers.readers.raw import Raw, finished
from spectraq.workers.readers.source import Source

SCIENCE = ("FLUX", "SCI", "DATA", "SPECTRUM", "SPEC", "SCIENCE", "COADD", "INTENSITY", "REDUCED")
"""Names of an image of flux where the primary HDU is empty."""


def recognises(source: Source) -> bool:
    """Whether there is an image of flux with an axis of wavelengths, or one beside it."""
    flux = flux_image(source)
    if (
        flux is None
        or is_left_to_specutils(source)
        or not (_has_axis(source, flux) or _has_wavelengths(source, flux))
    ):
        return False
    try:
        return bool(rows_of(source, flux, header_of(source, flux), lambda sentence: None))
    except ReadError:
        return False


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open the spectra of an image.

    Raises
    ------
    ReadError
        Where nothing says where the pixels lie, or which rows are spectra.
    """
    flux = flux_image(source)
    if flux is None:
        raise ReadError("no image of flux: neither in the primary HDU, nor one called FLUX or SCI")
    return Images(source, flux, assumed, once(note))


FORMAT = Format(
    "image", "FITS images with the axis in the header: IRAF, 2dFdr, GAMA, spPlate", recognises, rows
)


class Images:
    """The spectra of one image of flux and of what lies beside it."""

    def __init__(self, source: Source, flux: Any, assumed: Assumed, note: Note) -> None:
        self._source, self._flux, self._assumed, self._note = source, flux, assumed, note
        self._header = header_of(source, flux)
        if "(error)" in (sky.named(self._header) or "").lower():
            raise ReadError(f"the file calls itself the error of a spectrum: {sky.named(self._header)}")
        self._beside = beside(source, flux, note)
        if not (_has_axis(source, flux) or self._beside.wavelength is not None):
            raise ReadError(headeraxis.NO_AXIS)
        self._rows = rows_of(source, flux, self._header, note)
        if multispec.solutions(self._header):
            check_orders(self._ranges())
        self._medium = headeraxis.chosen_medium(headeraxis.medium(self._header), assumed, note)

    def __len__(self) -> int:
        return len(self._rows)

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        place = self._rows[row]
        flux = _pixels(self._flux, place.flux)
        ivar = self._ivar(place)
        if self._beside.mask is not None:
            self._drop(place, flux, ivar)
        fields = sky.position(self._header) | {"target_id": sky.named(self._header)} | place.fields
        raw = Raw(self._wavelength(place, flux.size), flux, ivar, self._unit(), self._medium, fields)
        return finished(raw, self._source, row, self._note)

    def _ranges(self) -> list[tuple[float, float]]:
        """Both ends of the first rows' wavelengths; none where they are not to be had."""
        try:
            first = [self._wavelength(place, self._flux.shape[-1]) for place in self._rows[:FEWEST_ORDERS]]
        except ReadError:
            return []
        return [(float(np.nanmin(where)), float(np.nanmax(where))) for where in first]

    def _unit(self) -> Any:
        return self._header.get("bunit") or self._header.get("fluxunit")

    def _wavelength(self, place: Row, n: int) -> NDArray[np.float64]:
        lying = self._beside
        if lying.wavelength is not None and not _has_axis(self._source, self._flux):
            values = _pixels(lying.wavelength, place.flux if len(lying.wavelength.shape) > 1 else ())
            return 10.0**values if lying.is_log else values
        if multispec.solutions(self._header):
            return multispec.wavelengths(self._header, place.flux[-1] if place.flux else 0, n)
        return headeraxis.wavelengths(self._header, n, self._assumed, self._note)

    def _ivar(self, place: Row) -> NDArray[np.float64] | None:
        if place.noise is not None:
            return noise.ivar("noise", _pixels(self._flux, place.noise), place.power, self._note)
        if self._beside.noise is None:
            self._note("no noise in the file: it is estimated from the flux")
            return None
        lying = self._beside
        unit = value(lying.noise.header, "BUNIT")
        scale = noise.scale(lying.noise.name, unit, lying.power, self._unit(), self._note)
        return noise.ivar(lying.noise.name, _pixels(lying.noise, place.flux) * scale, lying.power, self._note)

    def _drop(self, place: Row, flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> None:
        lying: Beside = self._beside
        nothing = ~np.isfinite(flux) if ivar is None else (ivar == 0)
        marked = _pixels(lying.mask, place.flux)
        bad = quality.bad(lying.mask_name, marked, nothing, self._header, self._note)
        if ivar is None:
            flux[bad] = np.nan
        else:
            ivar[bad] = 0.0


def flux_image(source: Source) -> Any:
    """Find the image of flux: the primary one, else the first that is called so; None for none."""
    images = [hdu for hdu in source.hdus or () if hdu.is_image and hdu.shape and min(hdu.shape) > 0]
    if not images:
        return None
    if images[0] is source.hdus[0]:
        return images[0]
    both = next((hdu for hdu in images if hdu.name.upper() == "SPECTRUM VR"), None)  # 6dFGS: both arms in one
    named = both or next((hdu for name in SCIENCE for hdu in images if hdu.name.upper() == name), None)
    return named or (images[0] if len(images) == 1 else None)


def header_of(source: Source, hdu: Any) -> Mapping[str, Any]:
    """Return an image's header; what it does not say, the primary one does."""
    return fitstable.header(source.hdus[0]) | fitstable.header(hdu)


def _has_axis(source: Source, flux: Any) -> bool:
    header = header_of(source, flux)
    return headeraxis.has_axis(header) or bool(multispec.solutions(header))


def _has_wavelengths(source: Source, flux: Any) -> bool:
    return beside(source, flux, lambda sentence: None).wavelength is not None


def is_left_to_specutils(source: Source) -> bool:
    """Whether specutils has a loader for the very survey, which knows what its nameless extensions are."""
    header = fitstable.header(source.hdus[0])
    theirs = "ozdes" in str(header.get("referenc", "")).lower() or "GALAH" in str(header.get("origin", ""))
    return theirs and importlib.util.find_spec("specutils") is not None


def _pixels(hdu: Any, place: tuple[int, ...]) -> NDArray[np.float64]:
    """Copy one row of an image in double precision."""
    values = hdu.section[place] if place else hdu.data
    return np.array(values, np.float64).ravel()
