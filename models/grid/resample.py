"""How a spectrum's own pixels meet the grid's, found once for all spectra of the same wavelengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import EDGES, N_PIXELS, WAVELENGTH, Floats, pixel_of

MEDIAN_OF_EACH = 8
"""Medians that need not be exact are taken of one pixel in this many."""

GAP = 8
"""A step of so many usual ones is a gap."""
A_FEW = 64
STEEP = 1e8
"""Where one weight is so many times the usual one, running sums forget the others."""


def rough_median(values: Floats) -> float:
    """Return the median of one value in MEDIAN_OF_EACH, the lower of two; values must not be empty."""
    few = values[::MEDIAN_OF_EACH]
    middle = (few.size - 1) // 2
    return float(np.partition(few, middle)[middle])


class Sampling(Protocol):
    """Wavelengths of a spectrum, ready to bring its fluxes to the grid."""

    def bring(self, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
        """Bring a spectrum to the grid.

        Parameters
        ----------
        flux, ivar
            Shape (n,).

        Returns
        -------
        flux, ivar
            Shape (N_PIXELS,); zero where there is no pixel.
        offset
            What the nearest pixel left over, in pixels: the true pixel is the grid's plus `offset`, so that a
            redshift measured on the grid is to be multiplied, as 1 + z, by 10**(offset * DLOGLAM).
        """


def is_native(position: Floats) -> bool:
    """Return whether pixels at these places on the grid have its own step, up to a shift."""
    pixel = position - position[0]
    # Single-precision loglam, as SDSS stores it, scatters by 0.003 pixel.
    return bool(np.abs(pixel - np.rint(pixel)).max() < 0.05 and np.diff(pixel).min() > 0.5)


@dataclass(frozen=True, slots=True)
class Native:
    """Natively sampled pixels go to their nearest grid pixel, without interpolation."""

    source: slice | NDArray[np.bool_]  # which of the spectrum's pixels
    target: slice | NDArray[np.int64]  # where they go
    offset: float

    @classmethod
    def of(cls, position: Floats) -> Native:
        """Find the place of each pixel, as of `axis.pixel_of`, shape (n,)."""
        pixel = np.rint(position).astype(np.int64)
        offset = rough_median(position - pixel)
        first = int(pixel[0])
        if (np.diff(pixel) == 1).all():
            low, high = max(first, 0), max(min(first + pixel.size, N_PIXELS), 0)
            return cls(slice(low - first, max(high, low) - first), slice(low, max(high, low)), offset)
        inside = (pixel >= 0) & (pixel < N_PIXELS)
        return cls(inside, pixel[inside], offset)

    def bring(self, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
        """Bring a spectrum to the grid."""
        placed, weight = np.zeros(N_PIXELS), np.zeros(N_PIXELS)
        placed[self.target] = flux[self.source]
        weight[self.target] = ivar[self.source]
        return placed, weight, self.offset


def pixel_edges(wavelength: Floats) -> Floats:
    """Return the edges of pixels halfway between their centres, shape (n + 1,), in angstrom."""
    middle = 0.5 * (wavelength[1:] + wavelength[:-1])
    first = wavelength[0] - (middle[0] - wavelength[0])
    last = wavelength[-1] + (wavelength[-1] - middle[-1])
    return np.concatenate([[first], middle, [last]])


@dataclass(frozen=True, slots=True)
class Rebinned:
    """Any sampling is averaged onto the grid, by ivar, so that no information is lost or counted twice.

    The cumulative sums of ivar and of ivar * flux are interpolated at the grid's edges: a grid pixel gets the
    share of each input pixel that lies in it.
    """

    index: NDArray[np.int64]  # (N_PIXELS + 1,) input pixel that each edge of the grid lies in
    part: Floats  # (N_PIXELS + 1,) how much of it lies blueward of the edge
    inside: NDArray[np.bool_]  # (N_PIXELS,)

    @classmethod
    def of(cls, wavelength: Floats) -> Rebinned:
        """Find where the grid's edges lie; ascending wavelength in vacuum angstrom, shape (n,)."""
        edges = pixel_edges(wavelength)
        # On a grid of known step, counting finds places several times faster than searching does.
        # The outer edge of a pixel far from its neighbour may lie below zero: it is below the grid, as 1 is.
        reached = np.ceil(pixel_of(edges.clip(1.0)) + 0.5).clip(0, EDGES.size).astype(np.int64)
        before = np.bincount(reached, minlength=EDGES.size + 1)[: EDGES.size].cumsum()
        index = np.clip(before - 1, 0, wavelength.size - 1)
        # Pixels may lie closer than their edges can be told apart: what has no width leaves nothing over.
        width = edges[index + 1] - edges[index]
        part = np.clip((EDGES - edges[index]) / np.where(width > 0, width, np.inf), 0, 1)
        inside = (EDGES[:-1] >= edges[0]) & (EDGES[1:] <= edges[-1])
        # A pixel is as wide as its neighbours let it be: a gap in the sampling is not bridged.
        step = np.diff(wavelength)
        wide = step > GAP * np.median(step)
        if wide.any():
            nearest = np.clip(np.searchsorted(wavelength, WAVELENGTH), 1, wavelength.size - 1)
            inside &= ~wide[nearest - 1]
        return cls(index, part, inside)

    def bring(self, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
        """Bring a spectrum to the grid; the offset is 0."""
        positive = ivar[ivar > 0]
        usual = rough_median(positive) if positive.size else np.inf
        share = self._shared_each if ivar.max() > STEEP * usual else self._shared
        weight, total = share(ivar), share(ivar * flux)
        used = self.inside & (weight > 1e-9 * usual)
        return np.where(used, total / np.where(used, weight, 1.0), 0.0), np.where(used, weight, 0.0), 0.0

    def _shared(self, values: Floats) -> Floats:
        """Return the sum of values (n,) in each pixel of the grid."""
        before = np.cumsum(values) - values
        return np.diff(before[self.index] + self.part * values[self.index])

    def _shared_each(self, values: Floats) -> Floats:
        """Sum as `_shared` does, pixel by pixel of the grid: slower, and as exact whatever lies elsewhere."""
        first, last = self.index[:-1], self.index[1:]
        begin, end = self.part[:-1], self.part[1:]
        whole = np.add.reduceat(values, self.index)[:-1]  # from the first pixel to the one before the last
        across = whole - begin * values[first] + end * values[last]
        return np.where(first < last, across, (end - begin) * values[first])


def sampling_of(wavelength: Floats) -> Sampling:
    """Find how a spectrum meets the grid: at its nearest pixels where it is native, else by averages."""
    few = pixel_of(wavelength[:: -(-wavelength.size // A_FEW)])
    if wavelength.size > 1 and is_native(few):  # most that are not are told by a few of their pixels
        position = pixel_of(wavelength)
        if is_native(position):
            return Native.of(position)
    return Rebinned.of(wavelength)


class Samplings:
    """The samplings of one batch: spectra of one survey often share their wavelengths."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Floats, Sampling]] = {}

    def of(self, wavelength: Floats) -> Sampling:
        """Return the sampling of these wavelengths."""
        kept = self._known.get(wavelength.size)
        if kept is None or not np.array_equal(kept[0], wavelength):
            kept = self._known[wavelength.size] = (wavelength, sampling_of(wavelength))
        return kept[1]
