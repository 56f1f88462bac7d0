"""The lines of a quasar: broad ones of one or two Gaussians, narrow ones of one width; no absorption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.lines import wavelength
from spectraq.models.measurement.galaxy_lines import at_widths, covered, extended, is_covered, significance
from spectraq.models.measurement.ground import Base, Ground
from spectraq.models.measurement.line_fit import Kinematics, LineFit, LineProblem, at_limit, settled
from spectraq.models.measurement.line_groups import (
    BROAD,
    BROAD_LINES,
    Group,
    broad,
    narrow,
    narrow_lines,
    wing,
)
from spectraq.models.measurement.target import Target

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
    ground = Ground(target, base)
    fit = _fitted(ground, groups)
    for _ in range(ROUNDS_OF_ABSORPTION):
        more = absorbed | _absorption(ground, fit)
        if (more == absorbed).all():
            break
        absorbed = more
        target = replace(target, ivar=np.where(absorbed, 0.0, target.ivar))
        groups = _groups(target)
        if not groups:
            return None
        ground = Ground(target, base)
        fit = _fitted(ground, groups, fit)
    return _with_wing(ground, _with_seconds(ground, fit)), absorbed


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


def _fitted(ground: Ground, groups: list[Group], before: LineFit | None = None) -> LineFit:
    """Fit one Gaussian a broad line; widths one group after another at first, then all together.

    Parameters
    ----------
    before
        A fit to begin with, where its groups are the same.
    """
    problem = LineProblem(ground, groups)
    if before is not None and before.groups == tuple(groups):
        return settled(problem, problem.fit(before.kinematics), USUAL_NARROW)
    usual = [USUAL_BROAD if group.component == BROAD else USUAL_NARROW for group in groups]
    current = at_widths(groups, usual, False)
    best = current
    for g, group in enumerate(groups):
        trials = [best, *(_at_width(best, g, width) for width in group.starts)]
        best = problem.least_chi2(trials)
    fit = problem.solve(best)
    free = np.array([significance(fit, g) > LEAST_CHI2 for g in range(len(groups))])
    square = np.where(free, fit.kinematics.square, current.square)
    return settled(problem, problem.fit(Kinematics(square, fit.kinematics.shift, free)), USUAL_NARROW)


def _at_width(kinematics: Kinematics, group: int, width: float) -> Kinematics:
    square = kinematics.square.copy()
    square[group] = (width / KM_S_PER_PIXEL) ** 2
    return replace(kinematics, square=square)


def _absorption(ground: Ground, fit: LineFit) -> NDArray[np.bool_]:
    """Mark pixels where the light is clearly missing: runs of pixels whose mean is far below the fit."""
    target, base = ground.target, ground.base
    model = base.level + fit.amplitude @ base.shapes + fit.emission
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


def _with_seconds(ground: Ground, fit: LineFit) -> LineFit:
    """Return the fit with a second Gaussian of the main broad lines where it gains enough and is emission."""
    first = fit
    for name in BROAD_LINES:
        index = next((g for g, group in enumerate(fit.groups) if group.name == name), None)
        if index is None or not fit.kinematics.free[index] or not is_covered(ground.target, wavelength(name)):
            continue
        groups = [*fit.groups, broad(name, second=True)]
        problem = LineProblem(ground, groups)
        shift = float(fit.kinematics.shift[index])
        start = problem.best([extended(fit.kinematics, width, shift) for width in SECOND_WIDTHS])
        if fit.chi2 - start.chi2 < SECOND_GAIN / 3:
            continue
        more = problem.fit(start.kinematics, ROUGH_STEPS, ROUGH)
        if fit.chi2 - more.chi2 > SECOND_GAIN and _emits(more, name):
            fit = more
    if fit.groups == first.groups:
        return fit
    return LineProblem(ground, fit.groups).fit(fit.kinematics)


def _with_wing(ground: Ground, fit: LineFit) -> LineFit:
    """Return the fit with wings of [O III], where they gain enough and are emission."""
    core = next((g for g, group in enumerate(fit.groups) if group.name == "narrow"), None)
    if core is None or not fit.kinematics.free[core] or (core, "OIII_5008") not in fit.lines:
        return fit
    groups = [*fit.groups, wing()]
    problem = LineProblem(ground, groups)
    more = problem.fit(problem.least_chi2([extended(fit.kinematics, width) for width in groups[-1].starts]))
    lost = any(at_limit(more, g) for g in (core, len(groups) - 1))
    return more if fit.chi2 - more.chi2 > SECOND_GAIN and more.flux[-1] > 0 and not lost else fit


def _emits(fit: LineFit, name: str) -> bool:
    """Return whether both Gaussians of a broad line are emission."""
    own = [i for i, (g, line) in enumerate(fit.lines) if line == name and fit.groups[g].component == BROAD]
    return bool((fit.flux[own] > 0).all())
