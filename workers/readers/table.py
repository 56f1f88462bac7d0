"""Plain tables: wavelength, flux, and ivar or error, as FITS tables or images, NPZ, ECSV, CSV and other text.

One number a row of the table is one spectrum; vectors (or a flux of two dimensions) are one spectrum a row.
What the file does not say of its wavelengths is taken from the user, else assumed, and then said aloud.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers import fitsspectra
from spectraq.workers.readers.array_rows import ByRow, need_wavelength
from spectraq.workers.readers.arrays import columns_of
from spectraq.workers.readers.axis import SpectralAxis
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.identity import Identity
from spectraq.workers.readers.objects import by_object
from spectraq.workers.readers.raw import drop_blanks, ivar_of, power_of_ten
from spectraq.workers.readers.saidunits import check_wavelength_unit, noise_factor, not_understood
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import FLUX_UNIT, flux_factor
from spectraq.workers.readers.unused import say_unused


def recognises(source: Source) -> bool:
    """Whether it is a file of named arrays, one of them flux."""
    if source.kind in ("npz", "ecsv", "parquet", "votable", "text"):
        return True  # nothing else is one of these, and the error says which column is missing
    if source.kind != "fits":
        return False
    found = columns_of(source)
    return found.first(names.FLUX) is not None and found.says_where()


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a file of named arrays."""
    note = once(note)
    if fitsspectra.recognises(source):
        return fitsspectra.rows(source, assumed, note)
    columns = by_object(columns_of(source, note))
    say_unused(columns, note)
    return Table(source, columns, assumed, note)


FORMAT = Format("table", "plain tables: FITS, NPZ, ECSV, CSV", recognises, rows)


class Table:
    """The spectra of one file of named arrays."""

    def __init__(self, source: Source, columns: Columns, assumed: Assumed, note: Note) -> None:
        self._source = source
        self._columns = columns
        self._note = note
        self._arrays = ByRow(columns)
        need_wavelength(columns)
        check_wavelength_unit(columns, assumed.wavelength_unit)
        self._axis = SpectralAxis(self._arrays, assumed, note)
        self._identity = Identity(source, self._arrays)

    def __len__(self) -> int:
        return self._arrays.length

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        flux = self._arrays.pixels(self._arrays.flux, row)
        if not flux.size:
            raise ReadError("the spectrum has no pixels")
        wavelength, grid = self._axis.of(row, flux.size)
        factor, flux_unit = self._factor(wavelength, flux)
        ivar = self._ivar(row, flux.size)
        self._drop_masked(row, flux, ivar)
        drop_blanks(flux, ivar)
        joined, weight = grid.combine(
            pixels(flux * factor), None if ivar is None else pixels(ivar / factor**2)
        )
        return Spectrum(
            flux=joined,
            ivar=weight,
            wavelength=grid.wavelength,
            medium=self._axis.medium,
            flux_unit=flux_unit,
            source_file=self._source.name,
            source_row=row,
            **self._identity.fields(row),
        )

    def _ivar(self, row: int, n: int) -> NDArray[np.float64] | None:
        """Inverse variance from ivar, error or variance, whichever there is; None for none."""
        for choices, power in names.NOISE:
            name = self._columns.first(choices)
            if name is not None:
                values = self._arrays.pixels(name, row, n)
                return np.asarray(ivar_of(values, power) * noise_factor(self._columns, name, power))
        return None

    def _drop_masked(self, row: int, flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> None:
        """Take the weight of masked pixels; without ivar only the flux can say that they are not used."""
        name = self._columns.first(names.MASK)
        if name is None:
            return
        masked = self._arrays.pixels(name, row, flux.size) != 0
        if ivar is None:
            flux[masked] = np.nan
        else:
            ivar[masked] = 0.0

    def _factor(self, wavelength: NDArray[np.float64], flux: NDArray[np.float64]) -> tuple[Any, str]:
        unit = self._columns.flux_unit()
        if unit is None and self._arrays.flux in names.FLUX_PER_FREQUENCY:
            raise ReadError(f"the column {self._arrays.flux} has no unit; give it one in the file, like Jy")
        factor, flux_unit = flux_factor(unit, wavelength)
        if flux_unit == "":
            written = not_understood(self._columns, self._arrays.flux)
            said = (
                f"the unit of flux, {written!r}, is not understood"
                if written
                else "flux has no unit in the file"
            )
            self._note(f"{said}: taken as per wavelength, not per frequency")
            return power_of_ten(flux, self._note), ""
        if flux_unit != FLUX_UNIT:
            self._note(f"{flux_unit} is no unit of flux per wavelength: used as it is, not converted")
        return factor, flux_unit
