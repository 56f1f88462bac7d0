"""Which numbers can be a spectrum's: whatever comes, the rest of the way meets none beyond these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import Floats
from spectraq.models.grid.resample import MEDIAN_OF_EACH, rough_median

OUTLIER = 1e6
"""A pixel of so many times the typical |flux| holds no flux. The brightest pixel of 780 real spectra has 1200
times it, and no detector reaches further than 1e5 from its noise to its limit."""
IVAR_LIMITS = (1e-30, 1e12)
"""Inverse variance of a used pixel, in units of the typical flux: S/N 1e-15 to 1e6. Between them every sum
over the grid fits into single precision."""
SAME_LEVEL = 10.0
"""Rough medians of different pixels that differ by more are not to be trusted."""


def credible(flux: Floats, used: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], float]:
    """Return which of the used pixels can hold a flux, shape (n,), and their typical |flux|, positive.

    Parameters
    ----------
    flux, used
        Shape (n,).
    """
    size = np.abs(flux[used])
    level = _rough(size)
    if level is not None:
        return used, level
    level = typical(size)
    return used & (np.abs(flux) <= OUTLIER * level), level


def typical(size: Floats) -> float:
    """Return the median of sizes, positive: where most are zero that of the others, and 1 where all are."""
    if size.size and (middle := _median(size)) > 0:
        return middle
    size = size[size > 0]
    return _median(size) if size.size else 1.0


def _rough(size: Floats) -> float | None:
    """A median from a part of the pixels; None where another part says otherwise, or a size is beyond it."""
    if size.size <= MEDIAN_OF_EACH:
        return None
    first, second = rough_median(size), rough_median(size[MEDIAN_OF_EACH // 2 - 1 :])
    near = 0 < second / SAME_LEVEL <= first <= second * SAME_LEVEL
    return first if near and float(size.max()) <= OUTLIER / SAME_LEVEL * first else None


def _median(values: Floats) -> float:
    """Return the lower of the two in the middle: the mean of two halves of a spectrum would be neither's."""
    middle = (values.size - 1) // 2
    return float(np.partition(values, middle)[middle])
