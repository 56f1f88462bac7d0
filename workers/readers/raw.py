"""One spectrum as a file holds it, and what every file's pixels go through before they are a Spectrum.

Runs of exact zeros and placeholders stand where nothing was measured; wavelengths must be those of light.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers.arms import Grid
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.keywords import text
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import FLUX_UNIT, flux_factor, unit_of

OPTICAL_ANGSTROM = (1_000.0, 30_000.0)
"""A spectrum of which no pixel lies in here is none that can be judged."""
PLACEHOLDERS = (-99.0, -999.0, -9999.0, -99999.0)
HUGE = 1e29
"""Beyond, a number stands for nothing: 1e30 and the largest of float32 are in use."""
ZERO_RUN = 5
"""So many exact zeros in a row were never measured; noise makes none."""
SAFE_FLUX = (1e-10, 1e15)
"""Typical flux whose ivar float32 holds with room to spare."""


STRAIGHT = 1e-5
"""Steps of a straight line differ by less than this part of them, as text rounds them."""
UNEVEN, FEWEST_STEPS = 0.5, 50
"""Typical difference of neighbouring steps' logarithms: 0.01 for a grid, above 1 for random places."""


@dataclass(slots=True)
class Raw:
    """One spectrum as it is in a file.

    Parameters
    ----------
    wavelength
        Of each pixel, angstrom, shape (n,), in any order.
    flux
        Shape (n,), in `unit`.
    ivar
        Inverse variance in unit**-2, shape (n,); None where the file holds no noise.
    unit
        Of flux, as the file writes it; None where it does not say it.
    medium
        "vacuum" or "air".
    fields
        Identity and position, as fields of a Spectrum.
    grid
        What the wavelengths make, where that is known already.
    """

    wavelength: NDArray[np.float64]
    flux: NDArray[np.float64]
    ivar: NDArray[np.float64] | None
    unit: Any
    medium: str
    fields: dict[str, Any] = field(default_factory=dict)
    grid: Grid | None = None


def finished(raw: Raw, source: Source, row: int, note: Note) -> Spectrum:
    """Make a Spectrum of what a file holds.

    Raises
    ------
    ReadError
        Where no wavelength is one of light, they are no grid's, lengths differ, or flux is no measurement.
    """
    check_lengths(raw)
    check_scatter(raw.flux)
    drop_blanks(raw.flux, raw.ivar)
    grid = raw.grid or Grid(raw.wavelength)
    check_light(grid.wavelength)
    check_steps(grid)
    factor, flux_unit = _factor(raw, note)
    flux, ivar = grid.combine(
        pixels(raw.flux * factor), None if raw.ivar is None else pixels(raw.ivar / factor**2)
    )
    return Spectrum(
        flux=flux,
        ivar=ivar,
        wavelength=grid.wavelength,
        medium=raw.medium,
        flux_unit=flux_unit,
        source_file=source.name,
        source_row=row,
        **raw.fields,
    )


def check_lengths(raw: Raw) -> None:
    """Refuse a spectrum without pixels, or with more of one thing than of another."""
    if not raw.flux.size:
        raise ReadError("the spectrum has no pixels")
    for name, array in (("wavelengths", raw.wavelength), ("pixels of noise", raw.ivar)):
        if array is not None and array.size != raw.flux.size:
            raise ReadError(f"flux has {raw.flux.size} pixels and there are {array.size} {name}")


def check_scatter(flux: NDArray[np.float64]) -> None:
    """Refuse flux that is a straight line from pixel to pixel: a count or a constant, and no measurement.

    Raises
    ------
    ReadError
        Where it is, but for zeros alone, which are no flux at all.
    """
    if flux.size <= FEWEST_STEPS or not flux.any():
        return
    for pixels_seen in (flux[:FEWEST_STEPS], flux):  # hardly any flux needs a look at all of it
        steps = np.diff(pixels_seen)
        if not np.ptp(steps) <= STRAIGHT * np.abs(steps).max():
            return
    raise ReadError("flux is the same in every pixel, or counts them: that is no measurement")


def check_light(wavelength: NDArray[np.float64]) -> None:
    """Refuse an ascending axis of which no pixel is optical light.

    Raises
    ------
    ReadError
        Naming both ends.
    """
    if not wavelength.size:
        raise ReadError("no wavelength is finite and positive")
    low, high = wavelength[0], wavelength[-1]
    if high < OPTICAL_ANGSTROM[0] or low > OPTICAL_ANGSTROM[1]:
        raise ReadError(
            f"wavelengths run from {low:g} to {high:g} Å, which is no optical light;"
            " if their unit is another, give --wavelength-unit"
        )


def check_steps(grid: Grid) -> None:
    """Refuse wavelengths whose steps are of no grid, nor of a few laid over each other.

    Raises
    ------
    ReadError
        Where neighbouring steps differ as those of random places do.
    """
    if grid.wavelength.size > FEWEST_STEPS and grid.unevenness > UNEVEN:
        raise ReadError(
            "the wavelengths lie at random, as lines of a catalogue do, and not as pixels of a spectrum"
        )


def drop_blanks(flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> None:
    """Take what stands for no measurement out of use, in place: placeholders, and runs of exact zeros."""
    blank = np.zeros(flux.shape, bool)
    for placeholder, shortest in ((0.0, ZERO_RUN), *((value, 2) for value in PLACEHOLDERS)):
        if (same := flux == placeholder).any():
            blank |= _runs(same, shortest)
    with np.errstate(invalid="ignore"):
        blank |= np.abs(flux) > HUGE
    if blank.any():
        flux[blank] = np.nan
        if ivar is not None:
            ivar[blank] = 0.0


def ivar_of(values: NDArray[np.float64], power: int) -> NDArray[np.float64]:
    """Return ivar from noise: power 1 for ivar itself, -2 for errors, -1 for variances; zero where none."""
    with np.errstate(invalid="ignore"):
        good = np.isfinite(values) & (values > 0) & (values < HUGE**2)
    return np.where(good, np.where(good, values, 1.0) ** power, 0.0)


def _runs(same: NDArray[np.bool_], shortest: int) -> NDArray[np.bool_]:
    """Where a condition holds for at least so many pixels in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], same, [False]]).astype(np.int8)))
    kept = np.zeros_like(same)
    for start, stop in edges.reshape(-1, 2):
        kept[start:stop] = stop - start >= shortest
    return kept


def _factor(raw: Raw, note: Note) -> tuple[Any, str]:
    unit = unit_of(raw.unit)
    written = text(raw.unit)
    if unit is None and written:
        note(f"flux has the unit {written}, which is not understood: used as it is, not converted")
        return power_of_ten(raw.flux, note), written
    factor, flux_unit = flux_factor(unit, raw.wavelength)
    if flux_unit == "":
        note("flux has no unit in the file: taken as per wavelength, not per frequency")
        return power_of_ten(raw.flux, note), ""
    if flux_unit != FLUX_UNIT:
        note(f"{flux_unit} is no unit of flux per wavelength: used as it is, not converted")
        return power_of_ten(raw.flux, note), flux_unit
    return factor, flux_unit


def power_of_ten(flux: NDArray[np.float64], note: Note) -> float:
    """Return what brings flux that can't be converted to where float32 holds its ivar."""
    size = np.abs(flux[np.isfinite(flux) & (flux != 0)])
    typical = float(np.median(size)) if size.size else 1.0
    if SAFE_FLUX[0] < typical < SAFE_FLUX[1]:
        return 1.0
    power = -round(float(np.log10(typical)))
    note(f"flux without a unit is of the order 1e{-power}: multiplied with 1e{power}")
    return float(10.0**power)
