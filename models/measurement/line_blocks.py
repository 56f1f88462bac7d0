"""The lines of one group at one width and offset, and their products with what lies under them.

Searches change a group or two at a time: what the others are stays as it was computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spectraq.models.measurement.ground import Ground, Near
from spectraq.models.measurement.line_groups import BROAD, NARROW, Group
from spectraq.models.measurement.line_profiles import Parts, Window
from spectraq.models.measurement.target import Floats

Moved = tuple[Group, float, float]
"""A group at a variance and an offset."""
Key = tuple[str, float, float, int]


@dataclass(frozen=True, slots=True)
class Block:
    """L lines over n samples and one that stands for what falls off, with m orthonormal shapes under them."""

    window: Window
    value: Floats  # (P, W) the window's profile times the root of ivar
    lines: Floats  # (L, n + 1) times the root of ivar
    cross: Floats  # (L, m) products with the shapes
    data: Floats  # (L,) products with the data


class Blocks:
    """All blocks that were asked for on one ground."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._parts: dict[str, Parts] = {}
        self._joined: dict[tuple[str, ...], Parts] = {}
        self._known: dict[Key, Block] = {}

    def parts(self, group: Group) -> Parts:
        """Return the Gaussians of a group, its lines numbered from zero; groups are known by their names."""
        if group.name not in self._parts:
            self._parts[group.name] = Parts.of(self.ground.target, group, 0)
        return self._parts[group.name]

    def blocks(self, moved: Sequence[Moved], near: Near) -> list[Block]:
        """Return groups' lines at variances and offsets, in samples that hold all of them."""
        n = near.root.size
        keys = [(group.name, square, shift, n) for group, square, shift in moved]
        unknown = [(key, *one) for key, one in zip(keys, moved, strict=True) if key not in self._known]
        # Windows of one array are as long as its longest: narrow lines are not computed with broad ones.
        for component in (NARROW, BROAD) if unknown else ():
            if some := [one for one in unknown if one[1].component == component]:
                self._compute(some, near)
        return [self._known[key] for key in keys]

    def _compute(self, some: Sequence[tuple[Key, Group, float, float]], near: Near) -> None:
        groups = [group for _, group, _, _ in some]
        parts, sizes = self.together(groups), [len(self.parts(group).line) for group in groups]
        square, shift = (np.repeat([one[i] for one in some], sizes) for i in (2, 3))
        window = parts.window(square, shift, near.places)
        lines = np.zeros((sum(len(group.lines) for group in groups), near.root.size))
        value = window.profile * near.root[window.pixel]
        # Of leaders, and of followers, no two belong to one line: what is added is added once.
        leading = parts.leading
        lines[parts.line[leading, None], window.pixel[leading]] = value[leading]
        if not leading.all():
            rest = ~leading
            lines[parts.line[rest, None], window.pixel[rest]] += value[rest]
        products = lines @ near.design.T
        cross, data = products[:, :-1] @ self.ground.whiten.T, products[:, -1]
        line = part = 0
        for (key, group, _, _), size in zip(some, sizes, strict=True):
            own, rows = slice(part, part + size), slice(line, line + len(group.lines))
            self._known[key] = Block(window.some(own), value[own], lines[rows], cross[rows], data[rows])
            part, line = own.stop, rows.stop

    def together(self, groups: Sequence[Group]) -> Parts:
        """Return the Gaussians of some groups one after the other, their lines numbered through."""
        if len(groups) == 1:
            return self.parts(groups[0])
        names = tuple(group.name for group in groups)
        if names not in self._joined:
            first = np.cumsum([0, *(len(group.lines) for group in groups)])
            self._joined[names] = Parts.joined([self.parts(group) for group in groups], first[:-1])
        return self._joined[names]
