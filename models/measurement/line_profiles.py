"""Gaussians of lines in their windows: where they fall on the grid, and how they move."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import pixel_of
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.line_groups import Group
from spectraq.models.measurement.samples import GRID, Places
from spectraq.models.measurement.target import Floats, Target

REACH = 5.0
"""Standard deviations at which a line's profile is cut off."""
OFF_GRID = GRID.size
"""The pixel of what falls off the grid, one beyond its last."""


@dataclass(frozen=True, slots=True)
class Window:
    """Profiles of P Gaussians of unit flux (times their ratios) in windows of W samples, (P, W) each.

    `pixel` is that of what falls off the samples where a profile's window is shorter than the longest; the
    profile is zero there.
    """

    pixel: NDArray[np.int64]
    profile: Floats
    off: Floats  # from the centre, in pixels
    square: Floats  # variance, or (P, 1)

    def some(self, parts: slice) -> Window:
        """Return the profiles of some Gaussians."""
        return Window(self.pixel[parts], self.profile[parts], self.off[parts], self.square[parts])

    def by_square(self) -> Floats:
        """Return the profiles' derivatives by variance, (P, W)."""
        return self.profile * (self.off**2 / self.square - 1) / (2 * self.square)

    def by_shift(self) -> Floats:
        """Return the profiles' derivatives by offset, (P, W)."""
        return self.profile * self.off / self.square


@dataclass(frozen=True, slots=True)
class Parts:
    """The Gaussians of one group, each line's followers after all lines' own; or of several groups.

    Attributes
    ----------
    line
        Which line of the problem each belongs to, (P,).
    leading
        Which are the lines' own, (P,): of these, and of the rest, no two belong to one line.
    place, spread, ratio
        Grid pixel at the redshift, the instrument's variance in pixels and flux over the line's, (P,).
    """

    line: NDArray[np.int64]
    leading: NDArray[np.bool_]
    place: Floats
    spread: Floats
    ratio: Floats

    @classmethod
    def of(cls, target: Target, group: Group, first_line: int) -> Parts:
        """Return a group's Gaussians; its lines are numbered from `first_line`."""
        lines = [(first_line + i, line.parts) for i, line in enumerate(group.lines)]
        listed = [(i, *parts[0]) for i, parts in lines] + [
            (i, *part) for i, parts in lines for part in parts[1:]
        ]
        line, rest, ratio = map(np.array, zip(*listed, strict=True))
        place = pixel_of(rest) + target.lag
        spread = spread_at(target.survey, rest * (1 + target.z)) ** 2
        return cls(line, np.arange(line.size) < len(lines), place, spread, ratio)

    @classmethod
    def joined(cls, parts: Sequence[Parts], first_lines: NDArray[np.int64]) -> Parts:
        """Return those of several groups, each numbered from zero, from these lines on."""
        line = [own.line + first for own, first in zip(parts, first_lines, strict=True)]
        rest = zip(*((own.leading, own.place, own.spread, own.ratio) for own in parts), strict=True)
        return cls(np.concatenate(line), *map(np.concatenate, rest))

    def reach(self, square: float, shift: float) -> float:
        """Return how far the profiles reach from their lines' places, in pixels."""
        return REACH * math.sqrt(max(float(self.spread.max()) + square, 0.0)) + abs(shift)

    def window(self, square: float | Floats, shift: float | Floats, places: Places = GRID) -> Window:
        """Return the profiles at a variance beyond the instrument's and an offset, in pixels; or at (P,)."""
        centre, square_of_each = self.place + shift, self.spread + square
        reach = REACH * np.sqrt(square_of_each)
        edges = np.searchsorted(places.pixel[:-1], np.concatenate([centre - reach, centre + reach]))
        first, end = edges[: centre.size], edges[centre.size :]
        pixel = first[:, None] + np.arange(int((end - first).max()) + 1)
        pixel = np.where(pixel < end[:, None], pixel, places.size)
        off = places.pixel[pixel] - centre[:, None]
        variance = square_of_each[:, None]
        if places.averaged:
            variance = variance + places.spread[pixel]
        profile = off * off
        profile *= -0.5 / variance
        np.exp(profile, out=profile)
        profile *= self.ratio[:, None] / np.sqrt(2 * np.pi * variance)
        profile *= places.per_angstrom[pixel]
        return Window(pixel, profile, off, variance)


def parts_of(target: Target, groups: Sequence[Group]) -> list[Parts]:
    """Return the Gaussians of some groups, their lines numbered through."""
    ends = np.cumsum([0, *(len(group.lines) for group in groups)])
    return [Parts.of(target, group, int(first)) for group, first in zip(groups, ends[:-1], strict=True)]


def light_of(flux: Floats, parts: Sequence[Parts], windows: Sequence[Window]) -> Floats:
    """Return the sum of lines of some fluxes, (N_PIXELS,), by the Gaussians and windows of each group."""
    light = np.zeros(OFF_GRID + 1)
    for own, window in zip(parts, windows, strict=True):
        profile = flux[own.line, None] * window.profile
        light += np.bincount(window.pixel.ravel(), profile.ravel(), OFF_GRID + 1)
    return light[:OFF_GRID]
