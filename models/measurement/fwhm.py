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
    first = shifts.min(1) - reach
    step = (shifts.max(1) + reach - first) / (PLACES - 1)
    row, place = np.arange(len(sigma)), np.arange(PLACES)
    # Single precision is ten times as quick, and a width is good to a part in a thousand at best.
    start, slope, height = (
        values.astype(np.float32).T[:, :, None]
        for values in ((first[:, None] - shifts) / sigma, step[:, None] / sigma, fluxes / sigma)
    )
    y = np.zeros((len(row), PLACES), np.float32)
    for k in range(len(slope)):
        profile = slope[k] * place.astype(np.float32) + start[k]
        profile *= profile
        profile *= np.float32(-0.5)
        y += np.multiply(np.exp(profile, out=profile), height[k], out=profile)
    top = y.argmax(1)
    half = y[row, top] / 2
    below = y < half[:, None]
    after = place >= top[:, None]
    blue, red = below & ~after, below & after
    a, b = PLACES - 1 - blue[:, ::-1].argmax(1), red.argmax(1)
    known = (half > 0) & blue.any(1) & red.any(1)
    widths = np.full(len(y), np.nan)
    row, a, b, half, step = row[known], a[known], b[known], half[known], step[known]
    low = a + (half - y[row, a]) / (y[row, a + 1] - y[row, a])
    high = b - 1 + (y[row, b - 1] - half) / (y[row, b - 1] - y[row, b])
    widths[known] = (high - low) * step
    return widths
