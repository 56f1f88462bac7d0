"""Where a spectrum is fitted: on bins of a few pixels, and on single pixels where it has narrow lines.

Everything but narrow lines is wider than a bin, so that sums over bins stand for sums over pixels. Bins in
which pixels count one by one carry no weight.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.final_fit.products import LINE_PIXELS
from spectraq.models.grid.axis import N_PIXELS

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

SPIKE_SIGMA, SPIKE_NEIGHBOURS = 8.0, 0.3
"""A pixel that is so far from the best fit, and its neighbours less than this part of that, is no light that
came through the instrument: an unresolved line has 0.54 there."""
BIN = {"STAR": 2, "GALAXY": 2, "QSO": 4}
"""Pixels of a bin, by class: absorption lines of stars are narrower than all that quasars have on bins."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """What the best fit leaves of one spectrum, with the noise that the survey states."""

    best: Floats  # (N_PIXELS,)
    ivar: Floats  # (N_PIXELS,), zero where unused and at spikes
    score: Floats  # (N_PIXELS,) ivar times flux less best fit
    snr: float  # a pixel, typical

    @classmethod
    def of(cls, flux: Floats, ivar: Floats, best: Floats) -> Leftover:
        """Take the best fit from a spectrum; all of shape (N_PIXELS,) and in units of its median flux."""
        left = flux - best
        size = np.abs(left * np.sqrt(ivar))
        if size.max() > SPIKE_SIGMA:
            ivar = np.where(_spikes(size), np.float32(0), ivar)
        used = ivar[ivar > 0]
        return cls(best, ivar, ivar * left, math.sqrt(float(used.mean())) if used.size else 0.0)

    def weighed(self, ivar: Floats, flux: Floats) -> Leftover:
        """Return the same with other weights, (N_PIXELS,)."""
        return Leftover(self.best, ivar, ivar * (flux - self.best), self.snr)


def _spikes(size: Floats) -> NDArray[np.bool_]:
    """Mark pixels that stand alone, (N_PIXELS,), by sizes of residuals in units of their noise."""
    beside = np.zeros_like(size)
    beside[1:] = size[:-1]
    np.maximum(beside[:-1], size[1:], out=beside[:-1])
    marked: NDArray[np.bool_] = (size > SPIKE_SIGMA) & (beside < SPIKE_NEIGHBOURS * size)
    return marked


@dataclass(frozen=True, slots=True)
class Pixels:
    """A leftover on M bins, and on E single pixels in place of some of them."""

    leftover: Leftover
    weight: Floats  # (M,) sum of ivar
    score: Floats  # (M,) sum of ivar times what is left
    best: Floats  # (M,) mean of the best fit, zero where there is no weight
    counted: Floats  # (M,) one, and zero where pixels count one by one
    single: Ints  # (E,) ascending
    width: int  # pixels of a bin

    @classmethod
    def of(cls, leftover: Leftover, windows: Sequence[tuple[int, int]], width: int) -> Pixels:
        """Bin a leftover; the pixels of windows [start, stop) count one by one."""
        weight, score = binned(leftover.ivar, width), binned(leftover.score, width)
        light = binned(leftover.ivar * leftover.best, width)
        best = np.divide(light, weight, out=np.zeros_like(light), where=weight > 0)
        counted = np.ones_like(weight)
        block = LINE_PIXELS // width  # sums over single pixels then are over whole cache lines
        for start, stop in windows:
            counted[start // LINE_PIXELS * block : -(-stop // LINE_PIXELS) * block] = 0
        single = (np.flatnonzero(counted == 0)[:, None] * width + np.arange(width)).ravel()
        return cls(leftover, weight, score, best, counted, single, width)


def binned(values: Floats, width: int) -> Floats:
    """Sum blocks of pixels: (..., n) to (..., n / width)."""
    # Whole strided arrays add several times faster than a reduction over so short an axis.
    total: Floats = values[..., 0::width] + values[..., 1::width]
    for step in range(2, width):
        total += values[..., step::width]
    return total


def unbinned(values: Floats) -> Floats:
    """Return pixels from bins, (M,) to (N_PIXELS,), linear between the centres of bins."""
    width = N_PIXELS // len(values)
    slope = np.empty(len(values) + 1, values.dtype)
    np.subtract(values[1:], values[:-1], out=slope[1:-1])
    slope[0], slope[-1] = slope[1], slope[-2]
    pixels = np.empty(N_PIXELS, values.dtype)
    for step in range(width):
        place = (step + 0.5) / width - 0.5
        beside = slope[:-1] if place < 0 else slope[1:]
        np.add(values, beside * values.dtype.type(place), out=pixels[step::width])
    return pixels
