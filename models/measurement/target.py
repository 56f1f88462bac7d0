"""One spectrum as it is measured: on the common grid, with the noise that the survey states."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import LN_PER_PIXEL, WAVELENGTH, pixel_of
from spectraq.models.measurement.instrument import spread_at

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Target:
    """A spectrum with its class and redshift.

    Attributes
    ----------
    flux, ivar
        Shape (N_PIXELS,); ivar is zero where a pixel is not used.
    lag
        Of the redshift, in grid pixels.
    z
        The redshift itself, of the spectrum's own pixels.
    survey
        As of `Observation.survey`.
    unit
        What `flux` was divided by, which brought it near one.
    best_fit, n_fitted
        The scan's best fit, shape (N_PIXELS,), where it is known, and of how many shapes it is the sum.
    """

    flux: Floats
    ivar: Floats
    spectype: str
    lag: float
    z: float
    survey: str | None
    unit: float = 1.0
    best_fit: Floats | None = None
    n_fitted: int = 0

    @property
    def used(self) -> NDArray[np.bool_]:
        """Return which pixels count."""
        return self.ivar > 0

    @property
    def rest(self) -> Floats:
        """Return the rest wavelength of each pixel, vacuum angstrom."""
        return np.asarray(WAVELENGTH * np.exp(-self.lag * LN_PER_PIXEL))

    def place(self, rest: float) -> float:
        """Return the grid pixel, with its fraction, of a rest wavelength in vacuum angstrom."""
        return pixel_of(rest) + self.lag

    def spread(self, rest: float) -> float:
        """Return the instrument's standard deviation there, in grid pixels."""
        return float(spread_at(self.survey, rest * (1 + self.z)))


def seen(target: Target, low: float, high: float, least: float = 0.8) -> bool:
    """Return whether enough of a range of rest wavelengths was observed."""
    return observed(target, target.place(low), target.place(high), least)


def observed(target: Target, first: float, last: float, least: float = 0.8) -> bool:
    """Return whether enough pixels between two places on the grid are used."""
    inside = target.ivar[max(math.ceil(first), 0) : max(int(last) + 1, 0)]
    return inside.size > 0 and int(np.count_nonzero(inside)) >= least * max(last - first, 1.0)
