"""Spectra of named arrays, whatever the file they come from: one spectrum of one number a row, or one a row.

Tables of FITS, text, NPZ, Parquet and what is given in memory all go through here, so that units, noise and
quality mean the same in each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers import noise, quality, sky
from spectraq.workers.readers.arms import FEWEST_ORDERS, check_orders
from spectraq.workers.readers.array_rows import ByRow
from spectraq.workers.readers.axis import SpectralAxis
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Assumed, Note
from spectraq.workers.readers.identity import Identity
from spectraq.workers.readers.raw import Raw
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.unused import say_estimated_noise


class ColumnRows:
    """The spectra of one set of named arrays.

    Parameters
    ----------
    source
        The file.
    columns
        Its arrays, an object a row where it is a long table (`objects.by_object`).
    assumed
        What the user says of it.
    note
        Takes a sentence on each thing that had to be assumed.
    name
        Of the table, where a file has several.

    Raises
    ------
    ReadError
        Where flux or wavelengths are missing, or the unit of wavelength is not understood.
    """

    def __init__(
        self, source: Source, columns: Columns, assumed: Assumed, note: Note, name: str = ""
    ) -> None:
        self.name = name
        self._columns, self._note = columns, note
        self._arrays = ByRow(columns)
        self._axis = SpectralAxis(self._arrays, assumed, note)
        check_orders(self._axis.ranges(min(len(self), FEWEST_ORDERS)))
        self._identity = Identity(source, self._arrays)
        self._noise = noise.column(columns, self._arrays.flux)
        if self._noise is None:
            say_estimated_noise(columns, note)
        if quality.column(columns.arrays) is None and (left := quality.unfollowed(columns.arrays)):
            note(f"not followed as quality of pixels: {', '.join(left)}")

    def __len__(self) -> int:
        return self._arrays.length

    def fields(self, row: int) -> dict[str, Any]:
        """Return identity and position of a row; what the columns do not say, the header does."""
        fields = self._identity.fields(row)
        if len(self) == 1:
            header = sky.position(self._columns.meta) | {"target_id": sky.named(self._columns.meta)}
            fields |= {key: said for key, said in header.items() if fields[key] is None}
        return fields

    def raw(self, row: int) -> Raw:
        """Read one.

        Raises
        ------
        ReadError
            Where arrays differ in length, or hold no numbers.
        """
        flux = self._arrays.pixels(self._arrays.flux, row)
        if not flux.size:
            raise ReadError("the spectrum has no pixels")
        wavelength, grid = self._axis.of(row, flux.size)
        unit = self._flux_unit()
        ivar = None
        if self._noise is not None:
            name, power = self._noise
            values = self._arrays.pixels(name, row, flux.size)
            if noise.is_percent(written := self._columns.units.get(name), power):
                values = values / 100.0 * np.abs(flux)
            else:
                values = values * noise.scale(name, written, power, unit, self._note)
            ivar = noise.ivar(name, values, power, self._note)
        self._drop_bad(row, flux, ivar)
        return Raw(wavelength, flux, ivar, unit, self._axis.medium, self.fields(row), grid)

    def _flux_unit(self) -> Any:
        unit = self._columns.flux_unit()
        if unit is None and self._arrays.flux in names.FLUX_PER_FREQUENCY:
            raise ReadError(f"the column {self._arrays.flux} has no unit; give it one in the file, like Jy")
        return unit

    def _drop_bad(self, row: int, flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> None:
        """Take bad pixels out of use, and say them by what is left: weight, or without noise flux."""
        name = quality.column(self._columns.arrays)
        if name is None:
            return
        values = self._arrays.values(name, row)
        if self._arrays.many and self._arrays.is_shared(name) and np.size(values) == len(self):
            return  # a number a spectrum, not a pixel
        if np.size(values) != flux.size:
            self._note(f"{name} has {np.size(values)} numbers for {flux.size} pixels: not used")
            return
        unmeasured = ~np.isfinite(flux) | ((flux == 0) if ivar is None else (ivar == 0))
        bad = quality.bad(name, values, unmeasured, self._columns.meta, self._note)
        if ivar is None:
            flux[bad] = np.nan
        else:
            ivar[bad] = 0.0
