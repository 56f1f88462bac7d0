"""Fluxes, widths and offsets of all lines at once, with what the continuum may still move.

Widths and offsets of the groups enter the model nonlinearly, fluxes and continuum linearly: for any widths
and offsets the best linear ones follow from one solve (variable projection, Golub and Pereyra 1973, SIAM J.
Numer. Anal. 10, 413), so that Levenberg and Marquardt's steps need only the few nonlinear ones (with
Kaufman's 1975 approximation of the Jacobian).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.measurement.ground import Ground, inverted
from spectraq.models.measurement.line_groups import NARROW, Group
from spectraq.models.measurement.line_profiles import OFF_GRID, Window, light_of, parts_of

Floats = NDArray[np.float64]
STEPS = 25
CONVERGED = 0.01
"""A step that gains less chi2 is the last."""
LEAST_SPREAD = 0.45
"""Of the instrument's spread: the narrowest that a line may be by chance."""
RIDGE = 1e-10
KEPT = 5
"""Solutions that are kept: a search comes back to its best, and fits begin where it ended."""


@dataclass(frozen=True, slots=True)
class Kinematics:
    """Widths and offsets of G groups, in grid pixels.

    `square` is the variance beyond the instrument's: noise may make it negative.
    """

    square: Floats
    shift: Floats
    free: NDArray[np.bool_]  # (G,) whether they are fitted


@dataclass(frozen=True, slots=True)
class LineFit:
    """The solution for M lines, m shapes of the continuum and G groups.

    Attributes
    ----------
    flux
        In units of the target's flux times angstrom, shape (M,).
    amplitude
        Of the continuum's shapes, shape (m,).
    covariance
        Of fluxes, amplitudes, then square and shift of each free group; shape (M + m + 2 free, same).
    chi2
        Of all pixels.
    """

    groups: tuple[Group, ...]
    kinematics: Kinematics
    flux: Floats
    amplitude: Floats
    covariance: Floats
    chi2: float
    emission: Floats  # (N_PIXELS,) the sum of all lines

    @property
    def lines(self) -> list[tuple[int, str]]:
        """Return the group and name of each line."""
        return [(g, line.name) for g, group in enumerate(self.groups) for line in group.lines]

    def columns_of(self, group: int) -> slice | None:
        """Return where in the covariance a group's square and shift stand; None where not fitted."""
        if not self.kinematics.free[group]:
            return None
        start = len(self.flux) + len(self.amplitude) + 2 * int(self.kinematics.free[:group].sum())
        return slice(start, start + 2)


@dataclass(frozen=True, slots=True)
class _Point:
    """The best linear solution at some widths and offsets, its lines in the pixels that they reach."""

    kinematics: Kinematics
    windows: list[Window]
    cross: Floats  # (M, m) of lines and orthonormal shapes
    inverse: Floats  # (M, M) of the lines' matrix, the shapes taken out
    flux: Floats
    amplitude: Floats  # of the orthonormal shapes
    chi2: float
    lines: Floats  # (M, pixels that are reached) times the root of ivar
    design: Floats  # the ground's in the same pixels
    column: NDArray[np.int64]  # of each pixel among these


@dataclass(frozen=True, slots=True)
class _Slopes:
    """Chi2 / 2 by the free squares and shifts, k in all."""

    gradient: Floats  # (k,) downhill
    hessian: Floats  # (k, k)
    by_line: Floats  # (k, M) products with the lines, the shapes taken out
    by_shape: Floats  # (k, m) products with the orthonormal shapes


class LineProblem:
    """What lies under the lines of a target, and the groups that are sought."""

    def __init__(self, ground: Ground, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)
        self._ground = ground
        self._n_lines = sum(len(group.lines) for group in self.groups)
        self.parts = parts_of(ground.target, self.groups)
        self._last: dict[bytes, _Point] = {}
        self.least = np.array([
            (group.narrowest / KM_S_PER_PIXEL) ** 2
            if group.narrowest
            else (LEAST_SPREAD**2 - 1) * float(parts.spread.min())
            for group, parts in zip(self.groups, self.parts, strict=True)
        ])  # fmt: skip
        self.most = np.array([(group.widest / KM_S_PER_PIXEL) ** 2 for group in self.groups])
        self.furthest = np.array([group.furthest / KM_S_PER_PIXEL for group in self.groups])

    def _point(self, kinematics: Kinematics) -> _Point:
        """Return the best linear solution, from the last few where it is among them."""
        key = kinematics.square.tobytes() + kinematics.shift.tobytes()
        point = self._last.pop(key, None)
        point = self._solved(kinematics) if point is None else replace(point, kinematics=kinematics)
        self._last[key] = point
        if len(self._last) > KEPT:
            del self._last[next(iter(self._last))]
        return point

    def _solved(self, kinematics: Kinematics) -> _Point:
        """Return the best linear solution."""
        windows = [
            parts.window(float(square), float(shift))
            for parts, square, shift in zip(self.parts, kinematics.square, kinematics.shift, strict=True)
        ]
        reached = np.zeros(OFF_GRID + 1, bool)
        for window in windows:
            reached[window.pixel] = True
        reached[OFF_GRID] = True
        column = np.cumsum(reached) - 1
        lines = np.zeros((self._n_lines, int(column[-1]) + 1))
        for parts, window in zip(self.parts, windows, strict=True):
            value, where = window.profile * self._ground.root[window.pixel], column[window.pixel]
            for some in (slice(parts.leaders), slice(parts.leaders, None)):
                lines[parts.line[some, None], where[some]] += value[some]
        design = self._ground.design[reached]
        products = lines @ design
        cross = products[:, :-1]
        matrix = lines @ lines.T
        ridge = RIDGE * max(float(matrix.diagonal().max(initial=0.0)), 1e-30)
        matrix -= cross @ cross.T
        inverse = inverted(matrix + ridge * np.eye(len(lines)))
        vector = products[:, -1] - cross @ self._ground.vector
        flux = inverse @ vector
        chi2 = self._ground.chi2 + float(flux @ (matrix @ flux - 2 * vector))
        amplitude = self._ground.vector - flux @ cross
        return _Point(kinematics, windows, cross, inverse, flux, amplitude, chi2, lines, design, column)

    def _slopes(self, point: _Point) -> _Slopes:
        """Return how chi2 changes with the free widths and offsets (Kaufman's approximation)."""
        free = np.flatnonzero(point.kinematics.free)
        moves = np.zeros((2 * len(free), point.lines.shape[1]))
        for k, g in enumerate(free):
            window = point.windows[g]
            scale = point.flux[self.parts[g].line, None] * self._ground.root[window.pixel]
            where = point.column[window.pixel].ravel()
            for row, slope in ((2 * k, window.by_square()), (2 * k + 1, window.by_shift())):
                moves[row] = np.bincount(where, (slope * scale).ravel(), moves.shape[1])
        products = moves @ point.design
        by_shape, by_line = products[:, :-1], moves @ point.lines.T
        gradient = products[:, -1] - by_line @ point.flux - by_shape @ point.amplitude
        by_line = by_line - by_shape @ point.cross.T
        hessian = moves @ moves.T - by_shape @ by_shape.T - by_line @ point.inverse @ by_line.T
        return _Slopes(gradient, hessian, by_line, by_shape)

    def _described(self, point: _Point, slopes: _Slopes | None) -> LineFit:
        """Return a solution with the covariance of all: the linear block widened by the nonlinear ones."""
        whiten, m = self._ground.whiten, len(point.flux)
        to_shapes = -point.cross @ whiten
        solved = point.inverse @ to_shapes
        inverse = np.empty((m + len(whiten),) * 2)
        inverse[:m, :m], inverse[:m, m:], inverse[m:, :m] = point.inverse, solved, solved.T
        inverse[m:, m:] = whiten.T @ whiten + to_shapes.T @ solved
        covariance = inverse
        if slopes is not None and len(slopes.gradient):
            nonlinear = inverted(slopes.hessian + 1e-12 * np.eye(len(slopes.hessian)))
            by_line = point.inverse @ slopes.by_line.T
            coupling = np.vstack([by_line, whiten.T @ slopes.by_shape.T + to_shapes.T @ by_line])
            spread = coupling @ nonlinear
            covariance = np.block([[inverse + spread @ coupling.T, -spread], [-spread.T, nonlinear]])
        emission = light_of(point.flux, self.parts, point.windows)
        amplitude = point.amplitude @ whiten
        return LineFit(self.groups, point.kinematics, point.flux, amplitude, covariance, point.chi2, emission)

    def solve(self, kinematics: Kinematics) -> LineFit:
        """Return the best fluxes and continuum at widths and offsets, which are not fitted."""
        return self._described(self._point(kinematics), None)

    def best(self, trials: Sequence[Kinematics]) -> LineFit:
        """Return the same at those of some widths and offsets that have the least chi2."""
        return self._described(min(map(self._point, trials), key=lambda point: point.chi2), None)

    def least_chi2(self, trials: Sequence[Kinematics]) -> Kinematics:
        """Return the widths and offsets of the least chi2."""
        return min(map(self._point, trials), key=lambda point: point.chi2).kinematics

    def fit(self, start: Kinematics, steps: int = STEPS, converged: float = CONVERGED) -> LineFit:
        """Return what Levenberg and Marquardt's steps reach; the last gains less than `converged`."""
        current = self._point(start)
        slopes = self._slopes(current)
        damping = 1e-3
        for _ in range(steps if start.free.any() else 0):
            size = np.maximum(slopes.hessian.diagonal(), 1e-12)
            step = np.linalg.solve(slopes.hessian + np.diag(damping * size), slopes.gradient)
            trial = self._point(self._moved(current.kinematics, np.asarray(step, np.float64)))
            gained = current.chi2 - trial.chi2
            if gained > 0:
                current, slopes = trial, self._slopes(trial)
                damping = max(damping / 10, 1e-9)
                if gained < converged:
                    break
            else:
                damping *= 10
                if damping > 1e4:
                    break
        return self._described(current, slopes)

    def _moved(self, kinematics: Kinematics, step: Floats) -> Kinematics:
        square, shift = kinematics.square.copy(), kinematics.shift.copy()
        free = kinematics.free
        square[free] += step[0::2]
        shift[free] += step[1::2]
        return Kinematics(square.clip(self.least, self.most), shift.clip(-self.furthest, self.furthest), free)


def at_limit(fit: LineFit, group: int) -> bool:
    """Return whether a group's width or offset lies at the end of what is searched."""
    if not fit.kinematics.free[group]:
        return False
    limits = fit.groups[group]
    width = math.sqrt(max(float(fit.kinematics.square[group]), 0.0)) * KM_S_PER_PIXEL
    offset = abs(float(fit.kinematics.shift[group])) * KM_S_PER_PIXEL
    narrowest = limits.narrowest is not None and width < 1.001 * limits.narrowest
    return width > 0.999 * limits.widest or offset > 0.999 * limits.furthest or narrowest


def settled(problem: LineProblem, fit: LineFit, usual_km_s: float) -> LineFit:
    """Return a fit whose narrow groups at a limit are as usual: what they follow are no narrow lines."""
    lost = [g for g, group in enumerate(fit.groups) if group.component == NARROW and at_limit(fit, g)]
    if not lost:
        return fit
    square, shift = fit.kinematics.square.copy(), fit.kinematics.shift.copy()
    free = fit.kinematics.free.copy()
    square[lost], shift[lost], free[lost] = (usual_km_s / KM_S_PER_PIXEL) ** 2, 0.0, False
    return problem.fit(Kinematics(square, shift, free))
