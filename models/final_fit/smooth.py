"""Level, response and details of one spectrum: what is wider than a bin and moves with the best fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from spectraq.models.final_fit.details import Details
from spectraq.models.final_fit.pixels import BIN, Floats, Ints, Pixels, binned, unbinned
from spectraq.models.final_fit.products import empty, product
from spectraq.models.final_fit.shapes import LEAST_LEVEL, LEVEL_HALF_WIDTH, RESPONSE_TERMS, Part, Shapes
from spectraq.models.grid.axis import N_PIXELS

RANGE_STEP = 16
"""Polynomials are made for ranges of whole such steps: of a survey's spectra these are few."""
DETAIL_BIN = BIN["GALAXY"]


def polynomials(ivar: Floats, width: int) -> Floats:
    """Return Chebyshev polynomials over a spectrum's range, (RESPONSE_TERMS, M); constant outside."""
    used = np.flatnonzero(ivar)
    first, last = (int(used[0]), int(used[-1])) if used.size else (0, N_PIXELS)
    return _polynomials(first // RANGE_STEP, -(-last // RANGE_STEP), width)


@lru_cache(maxsize=64)
def _polynomials(first: int, last: int, width: int) -> Floats:
    place = ((np.arange(N_PIXELS // width) + 0.5) * width - 0.5) / RANGE_STEP - first
    angle = np.arccos(np.clip(2 * place / max(last - first, 1) - 1, -1, 1))
    table: Floats = empty(RESPONSE_TERMS, N_PIXELS // width)
    table[:] = np.cos(np.arange(RESPONSE_TERMS)[:, None] * angle)
    return table


def response(pixels: Pixels) -> list[Shapes]:
    """Return level and response: the best fit times polynomials over the spectrum's range."""
    factors = polynomials(pixels.leftover.ivar, pixels.width)
    binned = factors * pixels.best
    single = factors[:, pixels.single // pixels.width] * pixels.leftover.best[pixels.single]
    return [
        Shapes(part, binned[own], single[own], partial(_factor, factors[own]), times_best=True)
        for part, own in ((Part.LEVEL, slice(0, 1)), (Part.RESPONSE, slice(1, None)))
    ]


def _factor(factors: Floats, amplitude: Floats) -> Floats:
    return unbinned(product(amplitude, factors))


def local_level(best: Floats, used: Floats) -> Floats:
    """Return what details are fractions of, (N_PIXELS,): the running mean of the best fit, as `level_of`.

    Parameters
    ----------
    best, used
        Best fit, and one where a pixel counts and zero elsewhere, shape (N_PIXELS,).
    """
    half = LEVEL_HALF_WIDTH // DETAIL_BIN
    bins = N_PIXELS // DETAIL_BIN
    total = np.zeros((2, bins + 2 * half + 1))
    binned(np.stack([best * used, used]), DETAIL_BIN).cumsum(
        1, np.float64, out=total[:, half + 1 : half + 1 + bins]
    )
    total[:, half + 1 + bins :] = total[:, half + bins, None]
    light, count = total[:, 2 * half + 1 :] - total[:, :bins]
    mean = np.abs(light / np.maximum(count, 0.5)).astype(np.float32)
    return unbinned(np.maximum(mean, LEAST_LEVEL, dtype=np.float32))


@dataclass(frozen=True, slots=True)
class DetailTable:
    """The details of a class or star type, and their means over a bin from each pixel on."""

    shapes: Floats  # (K, L)
    means: Floats  # (K, L - DETAIL_BIN + 1)
    first: int  # grid pixel of element 0 at redshift zero

    @classmethod
    def of(cls, details: Details) -> DetailTable:
        """Return the table of details."""
        shapes = details.shapes.numpy()
        stop = shapes.shape[1] - DETAIL_BIN + 1
        total = sum(shapes[:, step : stop + step] for step in range(DETAIL_BIN))
        return cls(shapes, np.asarray(total / np.float32(DETAIL_BIN)), details.first)

    def at(self, lag: float) -> PlacedDetails | None:
        """Return the details at a redshift of so many grid pixels, None where they don't cover the grid."""
        start = math.floor(self.first + lag)
        if not 0 < -start <= self.means.shape[1] - N_PIXELS:
            return None
        return PlacedDetails(self, -start, np.float32(self.first + lag - start))


@lru_cache(maxsize=32)
def table_of(details: Details) -> DetailTable:
    """Return the table of details, made once."""
    return DetailTable.of(details)


@dataclass(frozen=True, slots=True)
class PlacedDetails:
    """Details at a redshift, moved by linear interpolation."""

    table: DetailTable
    place: int  # element that falls on pixel 0, or between it and the one before
    fraction: np.float32  # of pixel 0 that the element before has

    def binned(self) -> Floats:
        """Return means over bins, (K, N_PIXELS / DETAIL_BIN)."""
        return self._moved(self.table.means[:, self.place - 1 : self.place + N_PIXELS], DETAIL_BIN)

    def at(self, pixel: Ints) -> Floats:
        """Return single pixels, (K, len(pixel))."""
        after, before = (self.table.shapes[:, self.place - step + pixel] for step in (0, 1))
        return after + self.fraction * (before - after)

    def sum(self, level: Floats, amplitude: Floats) -> Floats:
        """Return the sum of details of these amplitudes, times a level, (N_PIXELS,)."""
        total = product(amplitude, self.table.shapes)
        return level * self._moved(total[self.place - 1 : self.place + N_PIXELS], 1)

    def _moved(self, values: Floats, step: int) -> Floats:
        rows: Floats = (1 - self.fraction) * values[..., 1::step]
        rows += self.fraction * values[..., :-1:step]
        return rows


def details(table: DetailTable, lag: float, pixels: Pixels) -> Shapes | None:
    """Return details at a redshift as fractions of the local level, None where they don't cover the grid."""
    placed = table.at(lag)
    if placed is None:
        return None
    level = local_level(pixels.leftover.best, (pixels.leftover.ivar > 0).astype(np.float32))
    mean = binned(level, DETAIL_BIN) / np.float32(DETAIL_BIN)
    single = placed.at(pixels.single) * level[pixels.single]
    return Shapes(Part.DETAIL, placed.binned() * mean, single, partial(placed.sum, level))
