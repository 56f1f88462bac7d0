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

from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS
from spectraq.models.measurement.ground import inverted
from spectraq.models.measurement.line_blocks import Blocks
from spectraq.models.measurement.line_groups import BROAD, NARROW, Group
from spectraq.models.measurement.line_point import Kinematics, Point, Slopes, point, slopes
from spectraq.models.measurement.line_profiles import light_of
from spectraq.models.measurement.target import Floats

STEPS = 25
CONVERGED = 0.05
"""Steps end where the next is expected to gain less chi2."""
LEAST_SPREAD = 0.45
"""Of the instrument's spread: the narrowest that a line may be by chance."""


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


class LineProblem:
    """What lies under the lines of a target, and the groups that are sought."""

    def __init__(self, blocks: Blocks, groups: Sequence[Group]) -> None:
        self.groups, self._blocks = tuple(groups), blocks
        self._least = np.array([
            (group.narrowest / KM_S_PER_PIXEL) ** 2
            if group.narrowest
            else (LEAST_SPREAD**2 - 1) * float(blocks.parts(group).spread.min())
            for group in self.groups
        ])  # fmt: skip
        self._most = np.array([(group.widest / KM_S_PER_PIXEL) ** 2 for group in self.groups])
        self._furthest = np.array([group.furthest / KM_S_PER_PIXEL for group in self.groups])

    def solve(self, kinematics: Kinematics) -> Point:
        """Return the best fluxes and continuum at widths and offsets, which are not fitted."""
        return point(self._blocks, self.groups, kinematics)

    def fit(self, start: Point, steps: int = STEPS, converged: float = CONVERGED) -> Point:
        """Return what Levenberg and Marquardt's steps reach, until the next gains less than `converged`."""
        current, slope, damping = start, slopes(self._blocks, start), 1e-3
        # Errors are larger where the fit misses more than the noise, and so may be what is left to gain.
        enough = converged * max(start.chi2 / self._blocks.ground.n_pixels, 1.0)
        for _ in range(steps if start.kinematics.free.any() else 0):
            size = np.maximum(slope.hessian.diagonal(), 1e-12)
            step = np.linalg.solve(slope.hessian + np.diag(damping * size), slope.gradient)
            moved = self._moved(current.kinematics, np.asarray(step, np.float64))
            if _expected(current.kinematics, moved, slope) < enough:
                break
            trial = self.solve(moved)
            if trial.chi2 < current.chi2:
                current, slope = trial, slopes(self._blocks, trial)
                damping = max(damping / 10, 1e-9)
            else:
                damping = max(10 * damping, 0.1)
                if damping > 1e4:
                    break
        return replace(current, slopes=slope)

    def _moved(self, kinematics: Kinematics, step: Floats) -> Kinematics:
        square, shift = kinematics.square.copy(), kinematics.shift.copy()
        free = kinematics.free
        square[free] += step[0::2]
        shift[free] += step[1::2]
        square = np.minimum(np.maximum(square, self._least), self._most)
        shift = np.minimum(np.maximum(shift, -self._furthest), self._furthest)
        return Kinematics(square, shift, free)


def _expected(before: Kinematics, after: Kinematics, slope: Slopes) -> float:
    """Return chi2 that a step gains if the slopes hold."""
    free = before.free
    step = np.empty(2 * int(free.sum()))
    step[0::2], step[1::2] = (after.square - before.square)[free], (after.shift - before.shift)[free]
    return float(step @ (2 * slope.gradient - slope.hessian @ step))


def described(blocks: Blocks, point: Point) -> LineFit:
    """Return a solution with the covariance of all: the linear block widened by the nonlinear ones."""
    whiten, m = blocks.ground.whiten, len(point.flux)
    to_shapes = -point.cross @ whiten
    solved = point.inverse @ to_shapes
    inverse = np.empty((m + len(whiten),) * 2)
    inverse[:m, :m], inverse[:m, m:], inverse[m:, :m] = point.inverse, solved, solved.T
    inverse[m:, m:] = whiten.T @ whiten + to_shapes.T @ solved
    covariance = inverse
    slopes = point.slopes
    if slopes is not None and len(slopes.gradient):
        nonlinear = inverted(slopes.hessian + 1e-12 * np.eye(len(slopes.hessian)))
        by_line = point.inverse @ slopes.by_line.T
        coupling = np.vstack([by_line, whiten.T @ slopes.by_shape.T + to_shapes.T @ by_line])
        spread = coupling @ nonlinear
        covariance = np.block([[inverse + spread @ coupling.T, -spread], [-spread.T, nonlinear]])
    amplitude, emission = point.amplitude @ whiten, light(blocks, point)
    return LineFit(point.groups, point.kinematics, point.flux, amplitude, covariance, point.chi2, emission)


def light(blocks: Blocks, point: Point) -> Floats:
    """Return the sum of all lines, (N_PIXELS,)."""
    total = np.zeros(N_PIXELS)
    for component in (NARROW, BROAD):
        own = [g for g, group in enumerate(point.groups) if group.component == component]
        if own:
            groups = [point.groups[g] for g in own]
            flux = np.concatenate([point.flux[point.own(g)] for g in own])
            parts, sizes = blocks.together(groups), [len(blocks.parts(group).line) for group in groups]
            kinematics = point.kinematics
            square, shift = (np.repeat(v[own], sizes) for v in (kinematics.square, kinematics.shift))
            total += light_of(flux, [parts], [parts.window(square, shift)])
    return total


def at_limit(fit: LineFit | Point, group: int) -> bool:
    """Return whether a group's width or offset lies at the end of what is searched."""
    if not fit.kinematics.free[group]:
        return False
    limits = fit.groups[group]
    width = math.sqrt(max(float(fit.kinematics.square[group]), 0.0)) * KM_S_PER_PIXEL
    offset = abs(float(fit.kinematics.shift[group])) * KM_S_PER_PIXEL
    narrowest = limits.narrowest is not None and width < 1.001 * limits.narrowest
    return width > 0.999 * limits.widest or offset > 0.999 * limits.furthest or narrowest


def settled(problem: LineProblem, fit: Point, usual_km_s: float) -> Point:
    """Return a fit whose narrow groups at a limit are as usual: what they follow are no narrow lines."""
    lost = [g for g, group in enumerate(fit.groups) if group.component == NARROW and at_limit(fit, g)]
    if not lost:
        return fit
    square, shift = fit.kinematics.square.copy(), fit.kinematics.shift.copy()
    free = fit.kinematics.free.copy()
    square[lost], shift[lost], free[lost] = (usual_km_s / KM_S_PER_PIXEL) ** 2, 0.0, False
    return problem.fit(problem.solve(Kinematics(square, shift, free)))
