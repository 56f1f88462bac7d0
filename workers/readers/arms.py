"""Pixels of several arms, or in any order, brought onto one ascending grid."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError

SAME_PIXEL = 0.01
"""Pixels closer than this fraction of the usual step are one: arms on a common grid agree to rounding
(1e-10 angstrom in DESI's files), and pixels of different grids are rarely this close."""

FLOAT32_LOGLAM = 4e-7
"""How far loglam in float32 may lie from its grid: its rounding (1.2e-7, or 2.4e-7 where it was summed up)
and that of the grid's start."""


FEWEST_ORDERS = 5
ORDER = 1.12
"""The longest wavelength of an order is less than so many times the shortest."""
ORDERS_SHARE = 0.6
"""Of the narrower one's range, at most."""


def check_orders(ranges: Sequence[tuple[float, float]]) -> None:
    """Refuse rows that are orders of an echelle: none of them is a spectrum of its own.

    Parameters
    ----------
    ranges
        Both ends of the wavelengths of the first rows.

    Raises
    ------
    ReadError
        Where each is narrow and the next lies beyond it, always on the same side.
    """
    if len(ranges) < FEWEST_ORDERS or not all(0 < low < high < ORDER * low for low, high in ranges):
        return
    ways = set()
    for (low, high), (next_low, next_high) in pairwise(ranges):
        shared = min(high, next_high) - max(low, next_low)
        if next_low == low or shared > ORDERS_SHARE * min(high - low, next_high - next_low):
            return
        ways.add(next_low > low)
    if len(ways) == 1:
        raise ReadError("the rows follow each other in wavelength, as orders of an echelle: join them first")


class Grid:
    """Where pixels fall on one ascending grid.

    Parameters
    ----------
    wavelength
        Of each pixel, in any order, shape (n,); what is not finite and positive is left out.

    Attributes
    ----------
    wavelength
        Ascending, shape (m,), m <= n; of pixels that coincide it is the first one's.
    """

    def __init__(self, wavelength: NDArray[np.float64]) -> None:
        kept = np.flatnonzero(np.isfinite(wavelength) & (wavelength > 0))
        self._order = kept[np.argsort(wavelength[kept], kind="stable")]
        ascending = wavelength[self._order]
        steps = np.diff(ascending)
        real = steps[steps > 1e-9 * ascending[1:]]
        near = SAME_PIXEL * float(np.median(real)) if real.size else 0.0
        first = np.concatenate([[True], steps > near]) if ascending.size else np.zeros(0, bool)
        self._pixel = np.cumsum(first) - 1
        self.wavelength: NDArray[np.float64] = ascending[first]
        self._as_it_is = bool(np.array_equal(self._order, np.arange(wavelength.size)) and first.all())

    @cached_property
    def unevenness(self) -> float:
        """Typical difference of the logarithms of steps, of neighbours or of second or third ones; m > 4."""
        steps = np.log(np.diff(self.wavelength))
        return min(float(np.median(np.abs(steps[lag:] - steps[:-lag]))) for lag in (1, 2, 3))

    def combine(
        self, flux: NDArray[np.float32], ivar: NDArray[np.float32] | None
    ) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
        """Bring flux and its inverse variance onto the grid, shapes (n,) -> (m,).

        Where pixels coincide the flux is the mean weighted with ivar, and ivar is the sum; without ivar it is
        the plain mean. Pixels that are not finite or have no weight do not count among others that have.
        """
        if self._as_it_is:
            return flux, ivar
        flux, ivar = flux[self._order], None if ivar is None else ivar[self._order]
        if self._pixel.size == self.wavelength.size:
            return flux, ivar
        plain = self._mean(flux, np.isfinite(flux).astype(np.float64))
        if ivar is None:
            return plain.astype(np.float32), None
        good = np.isfinite(flux) & np.isfinite(ivar) & (ivar > 0)
        weight = np.where(good, ivar, 0.0).astype(np.float64)
        total = np.bincount(self._pixel, weight)
        mean = np.where(total > 0, self._mean(flux, weight), plain)
        return mean.astype(np.float32), total.astype(np.float32)

    def _mean(self, flux: NDArray[np.float32], weight: NDArray[np.float64]) -> NDArray[np.float64]:
        values = np.where(weight > 0, flux, 0.0)
        with np.errstate(invalid="ignore"):  # no weight at all: not a number
            return np.bincount(self._pixel, weight * values) / np.bincount(self._pixel, weight)


def log_grid(loglam: NDArray[np.float64], step: float) -> float | None:
    """Find the start of a grid of a known step in log10(wavelength), shape (n,).

    Files hold loglam in float32, which at 4 resolves no better than 2.4e-7: a five-hundredth of SDSS's pixel.
    The grid says it exactly.

    Returns
    -------
    float or None
        log10 of the wavelength of pixel 0; None where the pixels do not lie on such a grid.
    """
    if not (loglam.size and np.isfinite(loglam).all()):
        return None
    start = loglam - step * np.arange(loglam.size)
    origin = round(float(start.mean()), 7)
    return origin if float(np.abs(start - origin).max()) < FLOAT32_LOGLAM else None
