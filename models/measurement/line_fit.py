"""Fluxes, widths and offsets of all lines at once, with what the continuum may still move.

Widths and offsets of the groups enter the model nonlinearly, fluxes and continuum linearly: for any widths
and offsets the best linear ones follow from one solve (variable projection, Golub and Pereyra 1973, SIAM J.
Numer. Anal. 10, 413), so that Levenberg and Marquardt's steps need only the few nonlinear ones (with
Kaufman's 1975 approximation of the Jacobian).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH, pixel_of
from spectraq.models.measurement.line_groups import NARROW, Group
from spectraq.models.measurement.target import Target

Floats = NDArray[np.float64]
REACH = 6.0
"""Standard deviations at which a line's profile is cut off."""
STEPS = 25
CONVERGED = 0.01
"""A step that gains less chi2 is the last."""
LEAST_SPREAD = 0.45
"""Of the instrument's spread: the narrowest that a line may be by chance."""
RIDGE = 1e-10


@dataclass(frozen=True, slots=True)
class Base:
    """What lies under the lines, and how it may still move: level + amplitudes @ shapes.

    Attributes
    ----------
    level
        Shape (N_PIXELS,).
    shapes
        Shape (m, N_PIXELS).
    precision, centre
        Of the Gaussian priors of the amplitudes, shape (m,).
    """

    level: Floats
    shapes: Floats
    precision: Floats
    centre: Floats


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
    profiles: Floats  # (M, N_PIXELS) of unit flux

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
    """A target, what lies under its lines, and the groups that are sought."""

    def __init__(self, target: Target, base: Base, groups: Sequence[Group]) -> None:
        self.target = target
        self.groups = tuple(groups)
        self._base = base
        self._pixels = np.flatnonzero(target.used)
        self._root = np.sqrt(target.ivar[self._pixels])
        self._data = (target.flux - base.level)[self._pixels] * self._root
        self._shapes = base.shapes[:, self._pixels] * self._root
        self._per_angstrom = 1 / (WAVELENGTH * LN_PER_PIXEL)
        gram = self._shapes @ self._shapes.T
        gram[np.diag_indices_from(gram)] += base.precision
        self._shapes_gram = gram
        self._shapes_vector = self._shapes @ self._data + base.precision * base.centre
        self._spread = [
            [[(pixel_of(rest) + target.lag, target.spread(rest) ** 2, ratio) for rest, ratio in line.parts]
             for line in group.lines]
            for group in self.groups
        ]  # fmt: skip
        spreads = [min(part[1] for line in group for part in line) for group in self._spread]
        self.least = np.array([
            (group.narrowest / KM_S_PER_PIXEL) ** 2 if group.narrowest else (LEAST_SPREAD**2 - 1) * spread
            for group, spread in zip(self.groups, spreads, strict=True)
        ])  # fmt: skip
        self.most = np.array([(group.widest / KM_S_PER_PIXEL) ** 2 for group in self.groups])
        self.furthest = np.array([group.furthest / KM_S_PER_PIXEL for group in self.groups])

    def profiles(self, kinematics: Kinematics) -> tuple[Floats, Floats, Floats]:
        """Return profiles of unit flux and their derivatives by square and by shift, (M, N_PIXELS) each."""
        n = sum(len(group.lines) for group in self.groups)
        out = np.zeros((3, n, N_PIXELS))
        row = 0
        for g, lines in enumerate(self._spread):
            for parts in lines:
                for place, spread, ratio in parts:
                    self._add(out[:, row], place + kinematics.shift[g], kinematics.square[g] + spread, ratio)
                row += 1
        return out[0], out[1], out[2]

    def _add(self, rows: Floats, centre: float, square: float, ratio: float) -> None:
        reach = REACH * math.sqrt(square)
        first, last = max(math.ceil(centre - reach), 0), min(int(centre + reach) + 1, N_PIXELS)
        if first >= last:
            return
        off = np.arange(first, last) - centre
        profile = np.exp(-0.5 * off**2 / square) * (ratio / math.sqrt(2 * math.pi * square))
        profile *= self._per_angstrom[first:last]
        rows[0, first:last] += profile
        rows[1, first:last] += profile * (off**2 / square - 1) / (2 * square)
        rows[2, first:last] += profile * off / square

    def solve(self, kinematics: Kinematics, with_slopes: bool = True) -> tuple[LineFit, Floats, Floats]:
        """Return the best linear solution; gradient and Hessian of chi2 / 2 by free squares and shifts."""
        profile, by_square, by_shift = self.profiles(kinematics)
        lines = profile[:, self._pixels] * self._root
        m = len(lines)
        cross = lines @ self._shapes.T
        gram = np.block([[lines @ lines.T, cross], [cross.T, self._shapes_gram]])
        gram[np.diag_indices(m)] += RIDGE * max(float(gram.diagonal()[:m].max(initial=0.0)), 1e-30)
        vector = np.concatenate([lines @ self._data, self._shapes_vector])
        inverse = inverted(gram)
        solution = inverse @ vector
        flux, amplitude = solution[:m], solution[m:]
        left = self._data - flux @ lines - amplitude @ self._shapes
        prior = float(self._base.precision @ (amplitude - self._base.centre) ** 2)
        chi2 = float(left @ left) + prior
        free = np.flatnonzero(kinematics.free)
        moves = np.zeros((2 * len(free), len(self._pixels)))
        owner = np.array([g for g, group in enumerate(self.groups) for _ in group.lines])
        for k, g in enumerate(free) if with_slopes else ():
            own = owner == g
            moves[2 * k] = flux[own] @ by_square[own][:, self._pixels] * self._root
            moves[2 * k + 1] = flux[own] @ by_shift[own][:, self._pixels] * self._root
        mixed = np.hstack([moves @ lines.T, moves @ self._shapes.T])
        hessian = moves @ moves.T - mixed @ inverse @ mixed.T
        # The covariance of all: the linear block widened by what the nonlinear ones do to it.
        nonlinear = inverted(hessian + 1e-12 * np.eye(len(hessian))) if len(hessian) else hessian
        coupling = inverse @ mixed.T
        covariance = np.block([
            [inverse + coupling @ nonlinear @ coupling.T, -coupling @ nonlinear],
            [-nonlinear @ coupling.T, nonlinear],
        ])  # fmt: skip
        fit = LineFit(self.groups, kinematics, flux, amplitude, covariance, chi2, profile)
        return fit, moves @ left, hessian

    def fit(self, start: Kinematics, steps: int = STEPS, converged: float = CONVERGED) -> LineFit:
        """Return what Levenberg and Marquardt's steps reach; the last gains less than `converged`."""
        current, gradient, hessian = self.solve(start)
        damping = 1e-3
        for _ in range(steps if start.free.any() else 0):
            size = np.maximum(hessian.diagonal(), 1e-12)
            step = np.asarray(np.linalg.solve(hessian + np.diag(damping * size), gradient), np.float64)
            trial, trial_gradient, trial_hessian = self.solve(self._moved(current.kinematics, step))
            gained = current.chi2 - trial.chi2
            if gained > 0:
                current, gradient, hessian = trial, trial_gradient, trial_hessian
                damping = max(damping / 10, 1e-9)
                if gained < converged:
                    break
            else:
                damping *= 10
                if damping > 1e4:
                    break
        return current

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


def inverted(matrix: Floats) -> Floats:
    """Return the inverse of a positive matrix whose rows may differ in size by many orders."""
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-300))
    scaled = matrix * scale[:, None] * scale
    scaled[np.diag_indices_from(scaled)] += 1e-11
    return np.asarray(np.linalg.inv(scaled) * scale[:, None] * scale)
