"""Where the pixels of a plain table lie: column, unit, medium, from the file, the user, or assumed aloud."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.arms import FEWEST_ORDERS, Grid
from spectraq.workers.readers.array_rows import ByRow
from spectraq.workers.readers.format import Assumed, Note
from spectraq.workers.readers.headeraxis import (
    LN_RANGE,
    LOG_START,
    LOWEST_WITHOUT_UNIT,
    chosen_medium,
    is_natural,
)
from spectraq.workers.readers.keywords import needed, text
from spectraq.workers.readers.raw import OPTICAL_ANGSTROM
from spectraq.workers.readers.units import angstrom, unit_of, within_logarithm


class SpectralAxis:
    """The wavelengths of a file's spectra.

    Attributes
    ----------
    medium
        "vacuum" or "air".
    """

    def __init__(self, arrays: ByRow, assumed: Assumed, note: Note) -> None:
        self._arrays = arrays
        self._columns, self._note = arrays.columns, note
        self._name = self._columns.wavelength
        self._within_log = within_logarithm(self._columns.units.get(self._name or ""))
        self._unit = self._unit_of(assumed, note)
        self.medium = chosen_medium(self._columns.medium(), assumed, note)
        self._shared: tuple[NDArray[np.float64], Grid] | None = None
        self._last: tuple[NDArray[np.float64], Grid] | None = None

    def of(self, row: int, n: int) -> tuple[NDArray[np.float64], Grid]:
        """Return the wavelengths of a spectrum of n pixels, in angstrom, and the ascending grid they make.

        Raises
        ------
        ReadError
            Where there are not n of them, or none that could be a spectrum's.
        """
        if self._shared is None:
            wavelength = self._angstrom(row, n)
            if self._last is not None and np.array_equal(self._last[0], wavelength):
                return self._last  # written out in each row, and the same
            placed = self._last = wavelength, self._grid(wavelength)
            if self._name is not None and not self._arrays.is_shared(self._name):
                return placed
            self._shared = placed
        if self._shared[0].size != n:
            raise ReadError(
                f"{self._arrays.flux} has {n} pixels and there are {self._shared[0].size} wavelengths"
            )
        return self._shared

    def ranges(self, rows: int) -> list[tuple[float, float]]:
        """Return both ends of the first rows' wavelengths, in the file's unit; none where all share them."""
        if self._name is None or rows < FEWEST_ORDERS or self._arrays.is_shared(self._name):
            return []
        first = (self._arrays.pixels(self._name, row) for row in range(rows))
        used = [values[np.isfinite(values) & (values > 0)] for values in first]
        return [(float(values.min()), float(values.max())) for values in used if values.size]

    def _angstrom(self, row: int, n: int) -> NDArray[np.float64]:
        if self._name is None:
            start, step = (needed(self._columns.meta, key) for key in ("coeff0", "coeff1"))
            return np.asarray(10.0 ** (start + step * np.arange(n, dtype=np.float64)))
        values = self._arrays.pixels(self._name, row, n)
        if self._name in (*names.LOGLAM, *names.LN):
            linear = np.asarray(np.exp(values) if self._is_natural(values) else 10.0**values, np.float64)
            return linear if self._within_log is None else angstrom(linear, self._within_log)
        if self._within_log is not None:
            return angstrom(10.0**values, self._within_log)
        return values if self._unit is None else angstrom(values, self._unit)

    def _is_natural(self, values: NDArray[np.float64]) -> bool:
        """Whether logarithms are natural ones: by the name, or as those of 10 they would be no light."""
        if self._name in names.LN:
            return True
        natural = is_natural(values)
        if natural:
            self._note(f"{self._name} is of light only as a natural logarithm: taken so")
        return natural

    def _grid(self, wavelength: NDArray[np.float64]) -> Grid:
        grid = Grid(wavelength)
        if not grid.wavelength.size:
            raise ReadError("no wavelength is finite and positive")
        low, high = grid.wavelength[0], grid.wavelength[-1]
        is_light = LOWEST_WITHOUT_UNIT <= low <= OPTICAL_ANGSTROM[1] and high >= OPTICAL_ANGSTROM[0]
        if self._unit is None and not is_light:
            raise ReadError(
                f"wavelengths run from {low:g} to {high:g}, which can't be angstrom, and have no unit;"
                f" give --wavelength-unit{_logarithm_advice(low, high)}"
            )
        return grid

    def _unit_of(self, assumed: Assumed, note: Note) -> Any:
        if self._name is None or self._name in (*names.LOGLAM, *names.LN) or self._within_log is not None:
            return unit_of("angstrom")  # where its unit says no other
        unit = self._columns.wavelength_unit()
        written = text(self._columns.units.get(self._name))
        if unit is None and written and not assumed.wavelength_unit:
            raise ReadError(
                f"wavelengths have the unit {written}, which is not understood; give --wavelength-unit"
            )
        if unit is None and assumed.wavelength_unit:
            unit = unit_of(assumed.wavelength_unit)
            if unit is None:
                raise ReadError(f"--wavelength-unit {assumed.wavelength_unit}: there is no such unit; try nm")
        if unit is None:
            note("wavelengths have no unit in the file: taken as angstrom (else give --wavelength-unit)")
        return unit


def _logarithm_advice(low: float, high: float) -> str:
    """What to do about wavelengths that may be logarithms, as a clause; empty where they may not."""
    for (first, last), what, name in (
        (LOG_START, "log10 of angstrom", "loglam"),
        (LN_RANGE, "natural logarithms of angstrom", "ln_lambda"),
    ):
        if first <= low < high <= last:
            return f", or where they are {what}, title the column {name}"
    return ""
