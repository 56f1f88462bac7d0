"""What is the same for every spectrum at rest is computed once: a redshift is a shift by grid pixels."""

from __future__ import annotations

import math

import numpy as np

from spectraq.models.grid.axis import N_PIXELS, wavelength_of
from spectraq.models.measurement.target import Floats

LAGS = (-256, 9472)
"""The least and the largest lag that a table holds: beyond redshift 7.8."""
PIXEL = np.arange(-LAGS[1], N_PIXELS - LAGS[0], dtype=np.float64)
"""Grid pixels at redshift zero of a table's elements."""
REST = wavelength_of(PIXEL)
"""Their wavelengths in vacuum angstrom."""


def within_grid(lag: float) -> slice:
    """Return which elements of a table the grid holds at a lag, to the nearest pixel."""
    whole = min(max(math.floor(lag + 0.5), LAGS[0]), LAGS[1])
    return slice(LAGS[1] - whole, LAGS[1] - whole + N_PIXELS)


def gaussians(places: Floats, sigma: float) -> Floats:
    """Return a table of Gaussians of unit peak at grid pixels of redshift zero, a row each."""
    return np.asarray(np.exp(-0.5 * ((PIXEL - places[:, None]) / sigma) ** 2))
