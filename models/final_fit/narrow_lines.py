"""Narrow lines of one spectrum: windows of single pixels around those that may gain something."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from spectraq.models.final_fit.pixels import Floats, Ints, Leftover, Pixels
from spectraq.models.final_fit.prior_strengths import may_pay
from spectraq.models.final_fit.products import empty, product
from spectraq.models.final_fit.shapes import (
    GALAXY_WIDTHS,
    NARROW,
    OIII,
    OIII_PROFILE,
    QSO_WIDTHS,
    Part,
    Shapes,
    instrumental,
    shift_of,
)
from spectraq.models.grid.axis import N_PIXELS, pixel_of
from spectraq.models.lines import wavelength

HALF_WINDOW = 32
"""Grid pixels: five standard deviations of the widest."""
LEAST_GAIN = 4.0
"""What one of a line's shapes alone must take from chi2: the others bring noise alone."""
OIII_REACH = (80, 64)
"""Grid pixels to the left of the doublet's bluer line and to the right of its redder one."""
LEAST_SINGULAR = 0.1
"""Sums of neighbours that are less than this together differ by less than any noise."""
TINY = np.float32(1e-30)
"""Weight of a line that no pixel shows."""
AROUND = np.arange(-HALF_WINDOW, HALF_WINDOW)
MOVED = {"GALAXY": slice(1, 3), "QSO": slice(0, 0)}
"""Which widths have their derivative, too: with it a line that is not at the redshift is where it is."""
UNIT_SLOPE = np.float32(np.exp(0.5))
"""Makes the largest value of a derivative one."""
LEAST_SIZE = 0.5
"""Times S/N a pixel: sums of a line's shapes that are less are not told apart."""
WIDTHS = {"GALAXY": GALAXY_WIDTHS, "QSO": QSO_WIDTHS}


@dataclass(frozen=True, slots=True)
class Window:
    """A line, or a doublet of fixed ratio, on n neighbouring pixels; k shapes that it may have."""

    start: int
    shapes: Floats  # (k, n)
    score: Floats  # (k,) weighted sums of each and what is left
    weight: Floats  # (k,) of each and itself

    @property
    def stop(self) -> int:
        """The first pixel after it."""
        return self.start + int(self.shapes.shape[1])

    def best(self) -> tuple[float, float]:
        """Return score and weight of the shape that takes most from chi2 alone."""
        row = int((self.score**2 / np.maximum(self.weight, TINY)).argmax())
        return float(self.score[row]), float(self.weight[row])


def windows(spectype: str, leftover: Leftover, lag: float) -> list[Window]:
    """Return the lines of a class that may gain something; none of stars, or where all gain little."""
    if spectype not in WIDTHS:
        return []
    lines = _lines(spectype, leftover, lag)
    if spectype == "QSO":
        lines += _doublet(leftover, lag)
    seen = [(line, line.best()) for line in lines]
    kept = [(line, *best) for line, best in seen if best[0] ** 2 > LEAST_GAIN * best[1]]
    # A line's own shapes are much alike: one stands for all.
    _, score, weight = zip(*kept, strict=True) if kept else ((), (), ())
    return [line for line, *_ in kept] if may_pay(np.array(score), np.array(weight)) else []


def _lines(spectype: str, leftover: Leftover, lag: float) -> list[Window]:
    centre = _of_class(spectype)[0] + lag
    centre = centre[(centre > HALF_WINDOW) & (centre < N_PIXELS - HALF_WINDOW)]
    pixel = np.floor(centre).astype(int)[:, None] + AROUND
    distance = (pixel - centre[:, None]).astype(np.float32)
    shapes = _shapes(spectype, distance)
    score = (shapes @ leftover.score[pixel][:, :, None])[:, :, 0]
    weight = (shapes**2 @ leftover.ivar[pixel][:, :, None])[:, :, 0]
    sums, size = _sums_told_apart(spectype)
    shapes = sums[: max(int((size * leftover.snr > LEAST_SIZE).sum()), 1)] @ shapes
    return [Window(*line) for line in zip(pixel[:, 0].tolist(), shapes, score, weight, strict=True)]


def _doublet(leftover: Leftover, lag: float) -> list[Window]:
    """Return quasars' [O III], nothing where it lies outside."""
    red, blue = (float(pixel_of(wavelength(name))) + lag for name, _ in OIII)
    start, stop = max(int(blue) - OIII_REACH[0], 0), min(int(red) + OIII_REACH[1], N_PIXELS)
    if stop - start < 2:
        return []
    shift, sigma, mixed = _doublet_profile()
    shapes = np.zeros((len(sigma), stop - start), np.float32)
    for centre, (_, strength) in zip((red, blue), OIII, strict=True):
        distance = (np.arange(start, stop) - centre - shift).astype(np.float32)
        shapes += np.float32(strength) * np.exp(-0.5 * (distance / sigma) ** 2)
    shapes = mixed @ shapes
    score, weight = shapes @ leftover.score[start:stop], shapes**2 @ leftover.ivar[start:stop]
    return [Window(start, shapes, score, weight)]


@lru_cache(maxsize=len(WIDTHS))
def _of_class(spectype: str) -> tuple[NDArray[np.float64], Floats]:
    """Return where lines are at redshift zero, and their standard deviations, in grid pixels."""
    positions = np.array([float(pixel_of(wavelength(name))) for name in NARROW])
    return positions, np.array([instrumental(width) for width in WIDTHS[spectype]], np.float32)


@lru_cache(maxsize=len(WIDTHS))
def _sums_told_apart(spectype: str) -> tuple[Floats, Floats]:
    """Return sums of a line's shapes, orthonormal combinations (k, k), and their sizes, the largest first."""
    shapes = _shapes(spectype, AROUND[None].astype(np.float32))[0].astype(np.float64)
    left, size, _ = np.linalg.svd(shapes, full_matrices=False)
    return np.ascontiguousarray(left.T, np.float32), size.astype(np.float32)


def _shapes(spectype: str, distance: Floats) -> Floats:
    """Return a class's shapes of lines, (lines, k, pixels), at distances from their centres in pixels."""
    units = distance[:, None] / _of_class(spectype)[1][:, None]
    shapes: Floats = np.exp(-0.5 * units**2)
    moved = MOVED[spectype]
    return np.concatenate([shapes, UNIT_SLOPE * units[:, moved] * shapes[:, moved]], 1)


@lru_cache(maxsize=1)
def _doublet_profile() -> tuple[NDArray[np.float64], Floats, Floats]:
    """Return shift and standard deviation of each shape, (15, 1), and what of them is told apart, (r, 15)."""
    pairs = [(shift_of(offset), instrumental(width)) for width, offsets in OIII_PROFILE for offset in offsets]
    shift, sigma = np.array(pairs).T[:, :, None]
    pixel = np.arange(-OIII_REACH[0], OIII_REACH[1])
    return shift, sigma.astype(np.float32), told_apart(np.exp(-0.5 * ((pixel - shift) / sigma) ** 2))


def told_apart(shapes: NDArray[np.float64]) -> Floats:
    """Return rows that make of shapes, (n, pixels), those sums that differ, (r, n); priors stay the same."""
    left, singular, _ = np.linalg.svd(shapes, full_matrices=False)
    return np.ascontiguousarray(left[:, singular > LEAST_SINGULAR].T, np.float32)


def narrow(lines: Sequence[Window], pixels: Pixels) -> Shapes:
    """Return the shapes of all lines; their windows are among the single pixels."""
    rows = empty(sum(len(line.shapes) for line in lines), len(pixels.single))
    rows[:] = 0
    row = 0
    for line in lines:
        first = int(np.searchsorted(pixels.single, line.start))  # a window's pixels stand together
        rows[row : row + len(line.shapes), first : first + line.shapes.shape[1]] = line.shapes
        row += len(line.shapes)
    return Shapes(Part.NARROW, None, rows, partial(_sum, pixels.single, rows))


def _sum(single: Ints, rows: Floats, amplitude: Floats) -> Floats:
    total = np.zeros(N_PIXELS, np.float32)
    total[single] = product(amplitude, rows)
    return total
