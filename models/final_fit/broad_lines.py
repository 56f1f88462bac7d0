"""Quasars' broad lines and iron in one spectrum: on the grid a profile is the same at every line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.final_fit.pixels import BIN, Floats, Ints, Pixels
from spectraq.models.final_fit.prior_strengths import may_pay
from spectraq.models.final_fit.shapes import (
    BROAD,
    BROAD_WIDTHS,
    IRON_WIDTHS,
    Part,
    Shapes,
    instrumental,
    shift_of,
)
from spectraq.models.grid.axis import N_PIXELS, pixel_of
from spectraq.models.lines import IRON_BLENDS, wavelength

WIDTH = BIN["QSO"]
REACH_SIGMA = 4.5
"""Standard deviations after which a Gaussian is cut off."""
LEAST_GAIN = 4.0
"""What one of a line's shapes alone must take from chi2: the others bring noise alone."""
LEAST_SIZE = 1.0
"""Times S/N a pixel: what is less of a shape no strength lets a spectrum show."""


@dataclass(frozen=True)
class Profiles:
    """The k shapes that each line of a part may have, on so many pixels around it."""

    part: Part
    positions: NDArray[np.float64]  # (L,) grid pixels at redshift zero
    shapes: Floats  # (k, 2 half + 1), the largest first
    size: Floats  # (k,) of each, as a whole

    @property
    def half(self) -> int:
        """Pixels from a line's centre that its shapes reach."""
        return int(self.shapes.shape[1]) // 2

    @cached_property
    def padded(self) -> Floats:
        """The shapes in so many zeros that the grid is a slice of them wherever a line lies."""
        return np.pad(self.shapes, ((0, 0), (N_PIXELS, N_PIXELS + WIDTH)))

    @cached_property
    def binned(self) -> tuple[Floats, ...]:
        """The same as means over bins, by the remainder of the element that the grid begins at."""
        stop = self.padded.shape[1] - WIDTH
        total = sum(self.padded[:, step : stop + step] for step in range(WIDTH))
        mean = np.asarray(total, np.float32) / np.float32(WIDTH)
        return tuple(np.ascontiguousarray(mean[:, first::WIDTH]) for first in range(WIDTH))

    def centres(self, lag: float) -> Ints:
        """Return the grid pixels of lines that reach into the grid."""
        centre = np.rint(self.positions + lag).astype(int)
        return centre[(centre > -self.half) & (centre < N_PIXELS + self.half)]

    def scores_of(self, centres: Ints, pixels: Pixels) -> tuple[Floats, Floats]:
        """Return the products of each line's shapes and what is left, and their own squares, (L, k)."""
        half = self.half // WIDTH
        data = np.zeros((2, len(pixels.weight) + 4 * half + 2), np.float32)
        inside = slice(2 * half + 1, 2 * half + 1 + len(pixels.weight))
        data[0, inside], data[1, inside] = pixels.score, pixels.weight
        score, weight = data[:, (centres // WIDTH)[:, None] + np.arange(half + 1, 3 * half + 2)]
        shapes = self.shapes[:, self.half - half * WIDTH : self.half + half * WIDTH + 1 : WIDTH].T
        return score @ shapes, weight @ shapes**2


@dataclass(frozen=True, slots=True)
class PlacedLines:
    """The lines of a part that are tried on a spectrum."""

    profiles: Profiles
    centres: Ints
    count: int  # of each line's shapes

    def shapes(self, pixels: Pixels) -> Shapes:
        """Return every shape of every line."""
        n, bins = self.count, len(pixels.weight)
        rows = np.empty((len(self.centres), n, bins), np.float32)
        single = np.empty((len(self.centres), n, len(pixels.single)), np.float32)
        for line, centre in enumerate(self.centres.tolist()):
            first = N_PIXELS + self.profiles.half - centre
            place = first // WIDTH
            rows[line] = self.profiles.binned[first % WIDTH][:n, place : place + bins]
            single[line] = self.profiles.padded[:n, first + pixels.single]
        total = len(self.centres) * n
        flat = single.reshape(total, len(pixels.single))
        return Shapes(self.profiles.part, rows.reshape(total, bins), flat, self.sum)

    def sum(self, amplitude: Floats) -> Floats:
        """Return the sum of all shapes with these amplitudes, (N_PIXELS,)."""
        half = self.profiles.half
        lines = amplitude.reshape(len(self.centres), self.count) @ self.profiles.shapes[: self.count]
        total = np.zeros(N_PIXELS + 4 * half + 2, np.float32)
        for centre, line in zip(self.centres.tolist(), lines, strict=True):
            total[centre + half : centre + 3 * half + 1] += line
        return total[2 * half : 2 * half + N_PIXELS]


def placed(pixels: Pixels, lag: float) -> list[PlacedLines]:
    """Return the lines of quasars that may gain something, broad ones and iron."""
    kept = []
    for profiles in (broad(), iron()):
        centres = profiles.centres(lag)
        score, weight = profiles.scores_of(centres, pixels)
        if profiles.part == Part.BROAD:
            gains = (score**2 > LEAST_GAIN * weight).any(1)
            centres, score, weight = centres[gains], score[gains], weight[gains]
        if may_pay(score, weight):
            count = int((profiles.size * pixels.leftover.snr > LEAST_SIZE).sum())
            kept.append(PlacedLines(profiles, centres, max(count, 1)))
    return kept


@lru_cache(maxsize=1)
def broad() -> Profiles:
    """Return the shapes of lines of the broad-line region: sums of neighbours that are told apart."""
    gaussians = _gaussians(BROAD_WIDTHS)
    _, size, shapes = np.linalg.svd(gaussians, full_matrices=False)
    # With these the prior of the Gaussians' amplitudes, all alike, is the same prior of theirs.
    return _profiles(Part.BROAD, [wavelength(name) for name in BROAD], size[:, None] * shapes)


@lru_cache(maxsize=1)
def iron() -> Profiles:
    """Return the shapes of blends of iron."""
    return _profiles(Part.IRON, IRON_BLENDS, _gaussians(IRON_WIDTHS))


def _profiles(part: Part, lines: Sequence[float], shapes: NDArray[np.float64]) -> Profiles:
    positions = np.array([float(pixel_of(line)) for line in lines])
    size = np.sqrt((shapes**2).sum(1)).astype(np.float32)
    order = np.argsort(-size)
    return Profiles(part, positions, shapes[order].astype(np.float32), size[order])


def _gaussians(widths: Sequence[tuple[float, Sequence[float]]]) -> NDArray[np.float64]:
    pairs = [(shift_of(offset), instrumental(width)) for width, offsets in widths for offset in offsets]
    shift, sigma = np.array(pairs).T[:, :, None]
    half = int(REACH_SIGMA * sigma.max()) // WIDTH * WIDTH
    return np.asarray(np.exp(-0.5 * ((np.arange(-half, half + 1) - shift) / sigma) ** 2))
