"""Full widths at half maximum of sums of Gaussians."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL

Floats = NDArray[np.float64]
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
REACH, PLACES = 4.0, 401
"""Standard deviations of the widest that are looked at on either side, and at how many places."""


def fwhm_km_s(fluxes: Floats, squares: Floats, shifts: Floats) -> Floats:
    """Return full widths at half maximum of D sums of n Gaussians in km/s, (D,); nan where there is none.

    Parameters
    ----------
    fluxes, squares, shifts
        Of each Gaussian, (D, n); squares of their standard deviations and shifts in grid pixels.
    """
    widths = np.full(len(fluxes), np.nan)
    good = (squares > 0).all(1)
    if fluxes.shape[1] == 1:
        good &= fluxes[:, 0] > 0
        widths[good] = FWHM_PER_SIGMA * np.sqrt(squares[good, 0])
    elif good.any():
        widths[good] = _of_sums(fluxes[good], np.sqrt(squares[good]), shifts[good])
    return widths * KM_S_PER_PIXEL


def _of_sums(fluxes: Floats, sigma: Floats, shifts: Floats) -> Floats:
    """Return the same in grid pixels, of positive squares: between the crossings nearest to the peak."""
    reach = REACH * sigma.max(1)
    x = np.linspace(shifts.min(1) - reach, shifts.max(1) + reach, PLACES, axis=1)
    # Single precision is ten times as quick, and a width is good to a part in a thousand at best.
    pull = ((x[:, None] - shifts[:, :, None]) / sigma[:, :, None]).astype(np.float32)
    y = ((fluxes / sigma)[:, None] @ np.exp(-0.5 * pull**2))[:, 0]
    row, place = np.arange(len(y)), np.arange(PLACES)
    top = y.argmax(1)
    half = y[row, top] / 2
    below = y < half[:, None]
    a = np.where(below & (place < top[:, None]), place, -1).max(1)
    b = np.where(below & (place >= top[:, None]), place, PLACES).min(1)
    known = (half > 0) & (a >= 0) & (b < PLACES)
    widths = np.full(len(y), np.nan)
    row, a, b, half = row[known], a[known], b[known], half[known]
    step = x[row, 1] - x[row, 0]
    low = a + (half - y[row, a]) / (y[row, a + 1] - y[row, a])
    high = b - 1 + (y[row, b - 1] - half) / (y[row, b - 1] - y[row, b])
    widths[known] = (high - low) * step
    return widths
