"""Any other format, through specutils where it is installed (extra `specutils`)."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, images, unread
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.headeraxis import chosen_medium
from spectraq.workers.readers.raw import Raw, finished
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import angstrom


def installed() -> bool:
    """Whether specutils is there."""
    return importlib.util.find_spec("specutils") is not None


def how_to_read_more() -> str:
    """What a user can do about a file of an unknown format."""
    more = "" if installed() else '; pip install "spectraq[specutils]" reads more formats'
    return f"--format names one, `table` takes columns wavelength, flux, ivar{more}"


def recognises(source: Source) -> bool:
    """Whether specutils may be asked; it is the last one that is."""
    return source.kind == "fits" and installed()


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a file with whichever of specutils' loaders knows it."""
    if not installed():
        raise ReadError('specutils is not installed; pip install "spectraq[specutils]"')
    from specutils import SpectrumList

    if source.hdus is not None:
        unread.check_axis(source)
    try:
        spectra = SpectrumList.read(str(source.plain))
    except Exception as error:
        # its loaders raise whatever they stumble over
        if source.hdus is not None:
            if images.is_left_to_specutils(source):
                return images.rows(source, assumed, note)
            raise unread.why_not(source) from error
        raise ReadError(f"no loader of specutils knows this file; {how_to_read_more()}") from error
    if source.hdus is not None:
        spectra = unread.kept(list(spectra), note)
    return Foreign(source, single(spectra), assumed, note)


FORMAT = Format("specutils", "whatever specutils reads, if it is installed", recognises, rows)


class Foreign:
    """Spectra as specutils gives them."""

    def __init__(self, source: Source, spectra: list[Any], assumed: Assumed, note: Note) -> None:
        self._source = source
        self._note = once(note)
        self._spectra = spectra
        self._medium = chosen_medium(_said_medium(source), assumed, note)

    def __len__(self) -> int:
        return len(self._spectra)

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        given = self._spectra[row]
        wavelength = angstrom(np.asarray(given.spectral_axis.value, np.float64), given.spectral_axis.unit)
        fields = {"spectrum_id": self._source.stem if len(self) == 1 else f"{self._source.stem}-{row}"}
        if self._source.hdus is not None:
            unread.check_no_count(wavelength)
            fields |= unread.whose(self._source, given)
        flux, ivar = np.array(given.flux.value, np.float64), _ivar(given)
        raw = Raw(wavelength, flux, ivar, given.flux.unit, self._medium, fields)
        return finished(raw, self._source, row, self._note)


def _said_medium(source: Source) -> str | None:
    """What the primary header says of the medium; specutils passes none of it on."""
    if source.hdus is None:
        return None
    return Columns({}, meta=fitstable.header(source.hdus[0])).medium()


def single(spectrum: Any) -> list[Any]:
    """Return the spectra of a block on one axis, or of a list of blocks."""
    if isinstance(spectrum, list):
        return [part for block in spectrum for part in single(block)]
    if spectrum.flux.ndim == 1:
        return [spectrum]
    return [_row(spectrum, row) for row in np.ndindex(spectrum.flux.shape[:-1])]


def _row(block: Any, row: tuple[int, ...]) -> Any:
    """One spectrum of a block on one axis, or on one axis each."""
    noise, mask, axis = block.uncertainty, block.mask, block.spectral_axis
    return type(block)(
        flux=block.flux[row],
        spectral_axis=axis if axis.ndim == 1 else axis[row],
        uncertainty=None if noise is None else type(noise)(noise.array[row], unit=noise.unit),
        mask=None if mask is None else np.asarray(mask)[row],
    )


def _ivar(spectrum: Any) -> NDArray[np.float64] | None:
    """Inverse variance from whichever kind of uncertainty there is; zero where a pixel is masked."""
    from astropy.nddata import InverseVariance

    if spectrum.uncertainty is None:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        ivar = np.array(spectrum.uncertainty.represent_as(InverseVariance).array, dtype=np.float64)
    ivar[~np.isfinite(ivar)] = 0.0
    if spectrum.mask is not None:
        ivar[np.asarray(spectrum.mask) != 0] = 0.0
    return ivar
