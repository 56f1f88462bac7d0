"""Which numbers can be a spectrum's: whatever finite values come, the rest of the way meets none beyond these."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.grid import Floats

OUTLIER = 1e6
"""A pixel of so many times the typical |flux| holds no flux. The brightest pixel of 780 real spectra has 1200
times it, and no detector reaches further than 1e5 from its noise to its limit."""
IVAR_LIMITS = (1e-30, 1e12)
"""Inverse variance of a used pixel, in units of the typical flux: S/N 1e-15 to 1e6. Between them every sum over
the grid fits into single precision."""
SAME_LEVEL = 10.0
"""A rough median this near to the exact one will do."""


def typical(flux: Floats, used: NDArray[np.bool_]) -> float:
    """Return the median |flux| of the used pixels, positive.

    Where most are exactly zero it is that of the others, and 1 where all are, or none is used.

    Parameters
    ----------
    flux, used
        Shape (n,).
    """
    size = np.abs(flux[used])
    if size.size and (middle := _median(size)) > 0:
        return middle
    size = size[size > 0]
    return _median(size) if size.size else 1.0


def credible(flux: Floats, used: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which of the used pixels can hold a flux, shape (n,).

    Parameters
    ----------
    flux, used
        Shape (n,).
    """
    return used & (np.abs(flux) <= OUTLIER * typical(flux, used))


def _median(values: Floats) -> float:
    """The lower of the two in the middle: the mean of two halves of a spectrum would be neither's."""
    middle = (values.size - 1) // 2
    return float(np.partition(values, middle)[middle])
