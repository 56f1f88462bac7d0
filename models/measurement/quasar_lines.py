"""The lines of a quasar: broad ones of one or two Gaussians, narrow ones of one width; no absorption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.lines import wavelength
from spectraq.models.measurement.galaxy_lines import at_widths, covered, extended, is_covered, significance
from spectraq.models.measurement.line_fit import Base, Kinematics, LineFit, LineProblem, at_limit, settled
from spectraq.models.measurement.line_groups import (
    BROAD,
    BROAD_LINES,
    Group,
    broad,
    narrow,
    narrow_lines,
    wing,
)
from spectraq.models.measurement.target import Floats, Target

USUAL_NARROW, USUAL_BROAD = 200.0, 2000.0
"""Standard deviations in km/s where a line is too faint for one of its own."""
LEAST_CHI2 = 36.0
SECOND_GAIN = 12.0
"""Chi2 that a second Gaussian of a broad line must gain."""
ROUGH_STEPS, ROUGH = 8, 1.0
"""Steps, and the gain of the last, by which it is judged whether a second Gaussian pays."""
SECOND_WIDTHS = (700.0, 1500.0, 5000.0)
ABSORBED_BELOW = 2820.0
"""Angstrom at rest: absorption is looked for shortward. Mg II's is the reddest that is common."""
ABSORBED_SIGMA = 5.0
ABSORBED_DEPTH = 0.1
ABSORBED_BOX = 7
ROUNDS_OF_ABSORPTION = 2


def quasar_lines(target: Target, base: Base) -> tuple[LineFit, NDArray[np.bool_]] | None:
    """Return the lines of a quasar, and which pixels are absorbed; None where no line is covered."""
    groups = _groups(target)
    if not groups:
        return None
    absorbed = np.zeros(target.ivar.size, bool)
    fit = _fitted(target, base, groups)
    for _ in range(ROUNDS_OF_ABSORPTION):
        more = absorbed | _absorption(target, base, fit)
        if (more == absorbed).all():
            break
        absorbed = more
        target = replace(target, ivar=np.where(absorbed, 0.0, target.ivar))
        groups = _groups(target)
        if not groups:
            return None
        fit = _fitted(target, base, groups, fit)
    return _with_wing(target, base, _with_seconds(target, base, fit)), absorbed


def _groups(target: Target) -> list[Group]:
    """Return the broad groups that the spectrum holds, then the narrow one."""
    groups = []
    for name in BROAD_LINES:
        group = broad(name)
        lines = tuple(line for line in group.lines if is_covered(target, line.parts[0][0]))
        if lines:
            groups.append(replace(group, lines=lines))
    forbidden, permitted = narrow_lines("QSO")
    if names := covered(target, forbidden + permitted):
        groups.append(narrow("narrow", names))
    return groups


def _fitted(target: Target, base: Base, groups: list[Group], before: LineFit | None = None) -> LineFit:
    """Fit one Gaussian a broad line; widths one group after another at first, then all together.

    Parameters
    ----------
    before
        A fit to begin with, where its groups are the same.
    """
    problem = LineProblem(target, base, groups)
    if before is not None and before.groups == tuple(groups):
        return settled(problem, problem.fit(before.kinematics), USUAL_NARROW)
    usual = [USUAL_BROAD if group.component == BROAD else USUAL_NARROW for group in groups]
    current = at_widths(groups, usual, False)
    fit = problem.solve(current, False)[0]
    for g, group in enumerate(groups):
        for width in group.starts:
            trial = problem.solve(_at_width(fit.kinematics, g, width), False)[0]
            fit = trial if trial.chi2 < fit.chi2 else fit
    free = np.array([significance(fit, g) > LEAST_CHI2 for g in range(len(groups))])
    square = np.where(free, fit.kinematics.square, current.square)
    return settled(problem, problem.fit(Kinematics(square, fit.kinematics.shift, free)), USUAL_NARROW)


def _at_width(kinematics: Kinematics, group: int, width: float) -> Kinematics:
    square = kinematics.square.copy()
    square[group] = (width / KM_S_PER_PIXEL) ** 2
    return replace(kinematics, square=square)


def _absorption(target: Target, base: Base, fit: LineFit) -> NDArray[np.bool_]:
    """Mark pixels where the light is clearly missing: runs of pixels whose mean is far below the fit."""
    model = base.level + fit.amplitude @ base.shapes + fit.flux @ fit.profiles
    pull = np.where(target.used, (target.flux - model) * np.sqrt(target.ivar), 0.0)
    box = np.ones(ABSORBED_BOX)
    count = np.convolve(target.used, box, "same")
    mean = np.convolve(pull, box, "same") / np.sqrt(np.maximum(count, 1))
    low = (
        (mean < -ABSORBED_SIGMA)
        & (target.rest < ABSORBED_BELOW)
        & (target.flux < (1 - ABSORBED_DEPTH) * model)
    )
    return np.asarray(np.convolve(low, np.ones(5), "same") > 0)


def _with_seconds(target: Target, base: Base, fit: LineFit) -> LineFit:
    """Return the fit with a second Gaussian of the main broad lines where it gains enough and is emission."""
    first = fit
    for name in BROAD_LINES:
        index = next((g for g, group in enumerate(fit.groups) if group.name == name), None)
        if index is None or not fit.kinematics.free[index] or not is_covered(target, wavelength(name)):
            continue
        groups = [*fit.groups, broad(name, second=True)]
        problem = LineProblem(target, base, groups)
        trials = [
            problem.solve(extended(fit.kinematics, width, float(fit.kinematics.shift[index])), False)[0]
            for width in SECOND_WIDTHS
        ]
        start = min(trials, key=lambda trial: trial.chi2)
        if fit.chi2 - start.chi2 < SECOND_GAIN / 3:
            continue
        more = problem.fit(start.kinematics, ROUGH_STEPS, ROUGH)
        if fit.chi2 - more.chi2 > SECOND_GAIN and _emits(more, name):
            fit = more
    if fit.groups == first.groups:
        return fit
    return LineProblem(target, base, fit.groups).fit(fit.kinematics)


def _with_wing(target: Target, base: Base, fit: LineFit) -> LineFit:
    """Return the fit with wings of [O III], where they gain enough and are emission."""
    core = next((g for g, group in enumerate(fit.groups) if group.name == "narrow"), None)
    if core is None or not fit.kinematics.free[core] or (core, "OIII_5008") not in fit.lines:
        return fit
    groups = [*fit.groups, wing()]
    problem = LineProblem(target, base, groups)
    trials = [problem.solve(extended(fit.kinematics, width), False)[0] for width in groups[-1].starts]
    more = problem.fit(min(trials, key=lambda trial: trial.chi2).kinematics)
    lost = any(at_limit(more, g) for g in (core, len(groups) - 1))
    return more if fit.chi2 - more.chi2 > SECOND_GAIN and more.flux[-1] > 0 and not lost else fit


def _emits(fit: LineFit, name: str) -> bool:
    """Return whether both Gaussians of a broad line are emission."""
    own = [i for i, (g, line) in enumerate(fit.lines) if line == name and fit.groups[g].component == BROAD]
    return bool((fit.flux[own] > 0).all())


def profile_of(fit: LineFit, name: str) -> tuple[list[int], list[int]]:
    """Return lines and groups of the broad Gaussians of a line."""
    own = [
        (i, g) for i, (g, line) in enumerate(fit.lines) if line == name and fit.groups[g].component == BROAD
    ]
    return [i for i, _ in own], [g for _, g in own]


def fwhm_km_s(fluxes: Floats, squares: Floats, shifts: Floats) -> float:
    """Return the full width at half maximum of a sum of Gaussians in km/s; nan where there is none.

    Parameters
    ----------
    fluxes, squares, shifts
        Of each Gaussian; squares of their standard deviations and shifts in grid pixels.
    """
    if not (squares > 0).all():
        return float("nan")
    sigma = np.sqrt(squares)
    reach = 4 * float(sigma.max())
    x = np.linspace(float(shifts.min()) - reach, float(shifts.max()) + reach, 801)
    y = (fluxes / sigma) @ np.exp(-0.5 * ((x - shifts[:, None]) / sigma[:, None]) ** 2)
    top = int(y.argmax())
    half = y[top] / 2
    if half <= 0:
        return float("nan")
    left, right = np.flatnonzero(y[:top] < half), np.flatnonzero(y[top:] < half)
    if not left.size or not right.size:
        return float("nan")
    a, b = left[-1], top + right[0]
    low = x[a] + (half - y[a]) / (y[a + 1] - y[a]) * (x[1] - x[0])
    high = x[b - 1] + (y[b - 1] - half) / (y[b - 1] - y[b]) * (x[1] - x[0])
    return float((high - low) * KM_S_PER_PIXEL)
