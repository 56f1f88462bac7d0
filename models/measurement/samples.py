"""Where a spectrum is compared with a model: pixel by pixel, or at means of some where nothing is narrow."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import LN_PER_PIXEL, N_PIXELS, WAVELENGTH
from spectraq.models.measurement.target import Floats, Target

AVERAGED = 5
"""Grid pixels of a mean, an odd number: its middle is a pixel."""
PER_ANGSTROM = np.append(1 / (WAVELENGTH * LN_PER_PIXEL), 0.0)


@dataclass(frozen=True, slots=True)
class Places:
    """Where n samples lie, in order, and one more that stands for what falls off them.

    Attributes
    ----------
    pixel
        Of the grid, with its fraction, (n + 1,).
    per_angstrom
        Grid pixels an angstrom, and zero for what falls off, (n + 1,).
    spread
        Variance of the grid pixels of which each is the mean, (n + 1,): a profile's is larger by it.
    """

    pixel: Floats
    per_angstrom: Floats
    spread: Floats

    def some(self, kept: NDArray[np.int64]) -> Places:
        """Return some of these, the last one among them."""
        return Places(self.pixel[kept], self.per_angstrom[kept], self.spread[kept])

    @property
    def averaged(self) -> bool:
        """Return whether some samples are means of several pixels."""
        return bool(self.spread.any())

    @property
    def size(self) -> int:
        """Return n, the place of what falls off."""
        return self.pixel.size - 1


GRID = Places(np.arange(N_PIXELS + 1.0), PER_ANGSTROM, np.zeros(N_PIXELS + 1))


@dataclass(frozen=True, slots=True)
class Samples:
    """A spectrum's flux at n places.

    Attributes
    ----------
    nearest
        Grid pixels nearest to the samples.
    flux
        Shape (n,).
    root
        Square root of ivar, and zero for what falls off the samples, (n + 1,).
    scatter
        Chi2 of pixels about the means that they are part of.
    """

    places: Places
    nearest: slice | NDArray[np.int64]
    flux: Floats
    root: Floats
    scatter: float


def every_pixel(target: Target) -> Samples:
    """Return a sample a pixel from the first to the last that is used; unused ones weigh nothing."""
    used = np.flatnonzero(target.ivar)
    first, end = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 0)
    within = slice(first, end)
    pixel = np.append(np.arange(first, end, dtype=np.float64), N_PIXELS)
    root = np.append(np.sqrt(target.ivar[within]), 0.0)
    places = Places(pixel, np.append(PER_ANGSTROM[within], 0.0), np.zeros(pixel.size))
    return Samples(places, within, target.flux[within], root, 0.0)


def averaged(target: Target, fine: NDArray[np.bool_]) -> Samples:
    """Return a sample a used pixel where that is asked for, and means of five elsewhere."""
    used = np.flatnonzero(target.ivar)
    block = used // AVERAGED
    whole = np.zeros(-(-N_PIXELS // AVERAGED), bool)
    whole[np.flatnonzero(fine) // AVERAGED] = True
    # Of two neighbours in one sample this is the same, of two in different ones it is not.
    owner = np.where(whole[block], used, -1 - block)
    starts = np.flatnonzero(np.diff(owner, prepend=N_PIXELS))
    weight, flux = target.ivar[used], target.flux[used]
    total = np.add.reduceat(weight, starts)
    mean = np.add.reduceat(weight * flux, starts) / total
    pixel = np.add.reduceat(weight * used, starts) / total
    count = np.diff(starts, append=used.size)
    scatter = float(weight @ flux**2 - total @ mean**2)
    nearest = np.rint(pixel).astype(np.int64)
    spread = np.append((count**2 - 1) / 12, 0.0)
    places = Places(np.append(pixel, N_PIXELS), np.append(PER_ANGSTROM[nearest], 0.0), spread)
    return Samples(places, nearest, mean, np.append(np.sqrt(total), 0.0), scatter)
