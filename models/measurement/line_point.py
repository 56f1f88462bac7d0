"""The best fluxes and continuum at given widths and offsets, and how they change with these."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.measurement.ground import Near, inverted
from spectraq.models.measurement.line_blocks import Block, Blocks
from spectraq.models.measurement.line_groups import Group
from spectraq.models.measurement.target import Floats

RIDGE = 1e-10


@dataclass(frozen=True, slots=True)
class Kinematics:
    """Widths and offsets of G groups, in grid pixels.

    `square` is the variance beyond the instrument's: noise may make it negative.
    """

    square: Floats
    shift: Floats
    free: NDArray[np.bool_]  # (G,) whether they are fitted


@dataclass(frozen=True, slots=True)
class Slopes:
    """Chi2 / 2 by the free squares and shifts, k in all."""

    gradient: Floats  # (k,) downhill
    hessian: Floats  # (k, k)
    by_line: Floats  # (k, M) products with the lines, the shapes taken out
    by_shape: Floats  # (k, m) products with the orthonormal shapes


@dataclass(frozen=True, slots=True)
class Point:
    """The best linear solution at some widths and offsets: M lines, m orthonormal shapes, G groups."""

    groups: tuple[Group, ...]
    kinematics: Kinematics
    near: Near
    blocks: list[Block]
    lines: Floats  # (M, n + 1) times the root of ivar
    cross: Floats  # (M, m) of lines and shapes
    inverse: Floats  # (M, M) of the lines' matrix, the shapes taken out
    flux: Floats
    amplitude: Floats  # of the shapes
    chi2: float
    slopes: Slopes | None = None

    def own(self, group: int) -> slice:
        """Return which lines are a group's."""
        first = sum(len(other.lines) for other in self.groups[:group])
        return slice(first, first + len(self.groups[group].lines))

    def significance(self, group: int) -> float:
        """Return chi2 that the significant lines of a group explain, those below 3 sigma left out."""
        own = self.own(group)
        pull = self.flux[own] / np.sqrt(self.inverse.diagonal()[own])
        return float((pull[pull > 3.0] ** 2).sum())


def point(blocks: Blocks, groups: Sequence[Group], kinematics: Kinematics, near: Near | None = None) -> Point:
    """Return the best linear solution at widths and offsets, in some samples or in those that suffice."""
    ground = blocks.ground
    moved = list(zip(groups, kinematics.square.tolist(), kinematics.shift.tolist(), strict=True))
    if near is None:
        reach = math.inf if ground.anywhere else max(blocks.parts(g).reach(*where) for g, *where in moved)
        near = ground.near(reach)
    own = blocks.blocks(moved, near)
    lines, cross, data = _stacked(own)
    vector = data - cross @ ground.vector
    matrix = lines @ lines.T
    ridge = RIDGE * max(float(matrix.diagonal().max()), 1e-30)
    matrix -= cross @ cross.T
    solved = matrix.copy()
    solved.flat[:: len(solved) + 1] += ridge
    inverse = inverted(solved)
    flux = inverse @ vector
    chi2 = ground.chi2 + float(flux @ (matrix @ flux - 2 * vector))
    amplitude = ground.vector - flux @ cross
    return Point(tuple(groups), kinematics, near, own, lines, cross, inverse, flux, amplitude, chi2)


def _stacked(own: Sequence[Block]) -> tuple[Floats, Floats, Floats]:
    """Return lines of some blocks, and their products with the shapes and with the data."""
    if len(own) == 1:
        return own[0].lines, own[0].cross, own[0].data
    parts = ([block.lines for block in own], [block.cross for block in own], [block.data for block in own])
    lines, cross, data = map(np.concatenate, parts)
    return lines, cross, data


def slopes(blocks: Blocks, point: Point) -> Slopes:
    """Return how chi2 changes with the free widths and offsets (Kaufman's approximation)."""
    free = np.flatnonzero(point.kinematics.free)
    moves = np.zeros((2 * len(free), point.near.root.size))
    for k, g in enumerate(free):
        block = point.blocks[g]
        window = block.window
        flux = point.flux[point.own(int(g))][blocks.parts(point.groups[g]).line]
        pull = window.off / window.square
        by_shift = block.value * flux[:, None]
        by_square = by_shift / window.square
        by_shift *= pull
        pull *= by_shift
        pull -= by_square
        where = window.pixel.ravel()
        moves[2 * k] = np.bincount(where, pull.ravel(), moves.shape[1])
        moves[2 * k + 1] = np.bincount(where, by_shift.ravel(), moves.shape[1])
    moves[0::2] *= 0.5
    products = moves @ point.near.design.T
    by_shape, by_line = products[:, :-1] @ blocks.ground.whiten.T, moves @ point.lines.T
    gradient = products[:, -1] - by_line @ point.flux - by_shape @ point.amplitude
    by_line -= by_shape @ point.cross.T
    hessian = moves @ moves.T - by_shape @ by_shape.T - by_line @ point.inverse @ by_line.T
    return Slopes(gradient, hessian, by_line, by_shape)


def gains(blocks: Blocks, without: Point, group: Group, squares: Sequence[float], shift: float) -> Floats:
    """Return chi2 that one more group would gain at each of some variances, other widths as they are.

    Parameters
    ----------
    without
        The solution without it.
    """
    size, near = len(group.lines), blocks.ground.near(math.inf)
    if without.near is not near:
        without = point(blocks, without.groups, without.kinematics, near)
    own = blocks.blocks([(group, square, shift) for square in squares], near)
    rows, cross, data = _stacked(own)
    taken = rows @ without.lines.T - cross @ without.cross.T
    pull = data - cross @ blocks.ground.vector
    pull -= taken @ without.flux
    gained = np.zeros(len(squares))
    for k, block in enumerate(own):
        some = slice(k * size, (k + 1) * size)
        matrix = block.lines @ block.lines.T
        ridge = RIDGE * max(float(matrix.diagonal().max()), 1e-30)
        matrix -= cross[some] @ cross[some].T
        matrix -= taken[some] @ without.inverse @ taken[some].T
        matrix.flat[:: size + 1] += ridge
        gained[k] = pull[some] @ inverted(matrix) @ pull[some]
    return gained
