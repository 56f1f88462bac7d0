"""The lines of one group at one width and offset, and their products with what lies under them.

Searches change a group or two at a time: what the others are stays as it was computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectraq.models.measurement.ground import Ground, Near
from spectraq.models.measurement.line_groups import Group
from spectraq.models.measurement.line_profiles import Parts, Window
from spectraq.models.measurement.target import Floats


@dataclass(frozen=True, slots=True)
class Block:
    """L lines over n samples and one that stands for what falls off, with m orthonormal shapes under them."""

    window: Window
    lines: Floats  # (L, n + 1) times the root of ivar
    cross: Floats  # (L, m) products with the shapes
    data: Floats  # (L,) products with the data


class Blocks:
    """All blocks that were asked for on one ground."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._parts: dict[str, Parts] = {}
        self._known: dict[tuple[str, float, float, int], Block] = {}

    def parts(self, group: Group) -> Parts:
        """Return the Gaussians of a group, its lines numbered from zero; groups are known by their names."""
        if group.name not in self._parts:
            self._parts[group.name] = Parts.of(self.ground.target, group, 0)
        return self._parts[group.name]

    def block(self, group: Group, square: float, shift: float, near: Near) -> Block:
        """Return a group's lines at a variance and an offset, in samples that hold all of them."""
        key = group.name, square, shift, near.root.size
        if key not in self._known:
            self._known[key] = self._computed(group, square, shift, near)
        return self._known[key]

    def _computed(self, group: Group, square: float, shift: float, near: Near) -> Block:
        parts = self.parts(group)
        window = parts.window(square, shift, near.places)
        lines = np.zeros((len(group.lines), near.root.size))
        value = window.profile * near.root[window.pixel]
        # Of leaders, and of followers, no two belong to one line: what is added is added once.
        lines[np.arange(parts.leaders)[:, None], window.pixel[: parts.leaders]] = value[: parts.leaders]
        if parts.leaders < len(parts.line):
            rest = slice(parts.leaders, None)
            lines[parts.line[rest, None], window.pixel[rest]] += value[rest]
        products = lines @ near.design.T
        return Block(window, lines, products[:, :-1] @ self.ground.whiten.T, products[:, -1])
