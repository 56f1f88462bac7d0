"""The lines of a quasar: broad ones of one or two Gaussians, narrow ones of one width; no absorption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.measurement.galaxy_lines import at_widths, covered, extended
from spectraq.models.measurement.ground import Base, Ground
from spectraq.models.measurement.line_blocks import Blocks
from spectraq.models.measurement.line_fit import LineFit, LineProblem, at_limit, described, light, settled
from spectraq.models.measurement.line_groups import (
    BROAD,
    BROAD_LINES,
    NARROW,
    Group,
    broad,
    narrow,
    narrow_lines,
    wing,
)
from spectraq.models.measurement.line_point import Kinematics, Point, gains
from spectraq.models.measurement.line_profiles import Parts
from spectraq.models.measurement.samples import averaged
from spectraq.models.measurement.target import Target

USUAL_NARROW, USUAL_BROAD = 200.0, 2000.0
"""Standard deviations in km/s where a line is too faint for one of its own."""
SHARPER = {NARROW: 120.0, BROAD: 900.0}
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
FINE_PIXELS = 16
"""Around narrow lines no pixels are averaged so far on either side."""


def quasar_lines(target: Target, base: Base) -> tuple[LineFit, NDArray[np.bool_]] | None:
    """Return the lines of a quasar, and which pixels are absorbed; None where no line is covered."""
    absorbed = np.zeros(target.ivar.size, bool)
    solution = _on_ground(target, base, None)
    for _ in range(ROUNDS_OF_ABSORPTION):
        if solution is None:
            return None
        more = absorbed | _absorption(*solution)
        if (more == absorbed).all():
            break
        absorbed = more
        target = replace(target, ivar=np.where(absorbed, 0.0, target.ivar))
        solution = _on_ground(target, base, solution[1])
    if solution is None:
        return None
    blocks, fit = solution
    whole = described(blocks, _finished(blocks, _with_seconds(blocks, fit)))
    # Means of pixels know nothing of slopes between them.
    model = base.level + whole.amplitude @ base.shapes + whole.emission
    pull = (target.flux - model) * np.sqrt(target.ivar)
    return replace(whole, chi2=float(pull @ pull)), absorbed


def _on_ground(target: Target, base: Base, before: Point | None) -> tuple[Blocks, Point] | None:
    """Return a first fit of all lines with what it stands on; None where no line is covered."""
    groups = _groups(target)
    if not groups:
        return None
    blocks = Blocks(Ground(target, base, averaged(target, _near_narrow(target, groups))))
    return blocks, _fitted(blocks, groups, before)


def _near_narrow(target: Target, groups: Sequence[Group]) -> NDArray[np.bool_]:
    """Mark the pixels near narrow lines."""
    near = np.zeros(target.ivar.size, bool)
    for group in groups:
        if group.component == NARROW:
            for place in Parts.of(target, group, 0).place:
                near[max(round(place) - FINE_PIXELS, 0) : max(round(place) + FINE_PIXELS + 1, 0)] = True
    return near


def _groups(target: Target) -> list[Group]:
    """Return the broad groups that the spectrum holds, then the narrow one."""
    groups = []
    seen = covered(target, tuple(line for lines in BROAD_LINES.values() for line in lines))
    for name in BROAD_LINES:
        group = broad(name)
        lines = tuple(line for line in group.lines if line.name in seen)
        if lines:
            groups.append(replace(group, lines=lines))
    forbidden, permitted = narrow_lines("QSO")
    if names := covered(target, forbidden + permitted):
        groups.append(narrow("narrow", names))
    return groups


def _fitted(blocks: Blocks, groups: list[Group], before: Point | None) -> Point:
    """Fit one Gaussian a broad line, all together.

    Parameters
    ----------
    before
        A fit to begin with, where its groups are the same.
    """
    problem = LineProblem(blocks, groups)
    if before is not None and before.groups == tuple(groups):
        return settled(problem, problem.fit(problem.solve(before.kinematics), converged=ROUGH), USUAL_NARROW)
    usual = at_widths(groups, [_usual(group) for group in groups], False)
    start = problem.solve(usual)
    free = _significant(start)
    if not free.all():
        # Lines that are sharper than usual explain little at the usual widths.
        other = problem.solve(at_widths(groups, [SHARPER[group.component] for group in groups], False))
        free |= _significant(other)
        start = min(start, other, key=lambda point: point.chi2)
    kinematics = Kinematics(np.where(free, start.kinematics.square, usual.square), usual.shift, free)
    if (kinematics.square == start.kinematics.square).all():
        start = replace(start, kinematics=kinematics)
    else:
        start = problem.solve(kinematics)
    return settled(problem, problem.fit(start, converged=ROUGH), USUAL_NARROW)


def _significant(fit: Point) -> NDArray[np.bool_]:
    """Return which groups explain enough for a width and an offset of their own."""
    return np.array([fit.significance(g) > LEAST_CHI2 for g in range(len(fit.groups))])


def _usual(group: Group) -> float:
    return USUAL_BROAD if group.component == BROAD else USUAL_NARROW


def _absorption(blocks: Blocks, fit: Point) -> NDArray[np.bool_]:
    """Mark pixels where the light is clearly missing: runs of pixels whose mean is far below the fit."""
    target, base = blocks.ground.target, blocks.ground.base
    if not (target.used & (target.rest < ABSORBED_BELOW)).any():
        return np.zeros(target.ivar.size, bool)
    model = base.level + fit.amplitude @ blocks.ground.whiten @ base.shapes + light(blocks, fit)
    pull = (target.flux - model) * np.sqrt(target.ivar)
    box = np.ones(ABSORBED_BOX)
    count = np.convolve(target.used, box, "same")
    mean = np.convolve(pull, box, "same") / np.sqrt(np.maximum(count, 1))
    low = (
        (mean < -ABSORBED_SIGMA)
        & (target.rest < ABSORBED_BELOW)
        & (target.flux < (1 - ABSORBED_DEPTH) * model)
    )
    return np.asarray(np.convolve(low, np.ones(5), "same") > 0)


def _with_seconds(blocks: Blocks, fit: Point) -> Point:
    """Return the fit with a second Gaussian of the main broad lines where it gains enough and is emission."""
    first = fit
    for name in BROAD_LINES:
        index = next((g for g, group in enumerate(fit.groups) if group.name == name), None)
        if index is None or not first.kinematics.free[index] or fit.groups[index].lines[0].name != name:
            continue
        second, shift = broad(name, second=True), float(fit.kinematics.shift[index])
        gained = gains(blocks, fit, second, [(width / KM_S_PER_PIXEL) ** 2 for width in SECOND_WIDTHS], shift)
        if gained.max() < SECOND_GAIN / 3:
            continue
        problem = LineProblem(blocks, [*fit.groups, second])
        start = extended(fit.kinematics, SECOND_WIDTHS[int(gained.argmax())], shift)
        alone = np.isin(np.arange(len(start.free)), (index, len(start.free) - 1))
        more = problem.fit(problem.solve(replace(start, free=alone)), ROUGH_STEPS, ROUGH)
        if fit.chi2 - more.chi2 > SECOND_GAIN and _emits(more, name):
            fit = replace(more, kinematics=replace(more.kinematics, free=start.free))
    return fit


def _finished(blocks: Blocks, fit: Point) -> Point:
    """Return all widths and offsets fitted together, with wings of [O III] where they pay."""
    winged = _with_wing(blocks, fit)
    if winged is not None:
        more = LineProblem(blocks, winged.groups).fit(winged)
        if not _lost(more):
            return more
    return LineProblem(blocks, fit.groups).fit(fit)


def _with_wing(blocks: Blocks, fit: Point) -> Point | None:
    """Return the fit with wings of [O III], where they gain enough and are emission."""
    core = next((g for g, group in enumerate(fit.groups) if group.name == "narrow"), None)
    names = () if core is None else [line.name for line in fit.groups[core].lines]
    if core is None or not fit.kinematics.free[core] or "OIII_5008" not in names:
        return None
    gained = gains(blocks, fit, wing(), [(width / KM_S_PER_PIXEL) ** 2 for width in wing().starts], 0.0)
    if gained.max() < SECOND_GAIN / 3:
        return None
    problem = LineProblem(blocks, [*fit.groups, wing()])
    start = extended(fit.kinematics, wing().starts[int(gained.argmax())])
    alone = np.isin(np.arange(len(start.free)), (core, len(start.free) - 1))
    more = problem.fit(problem.solve(replace(start, free=alone)), ROUGH_STEPS, ROUGH)
    if fit.chi2 - more.chi2 < SECOND_GAIN or more.flux[-1] <= 0 or _lost(more):
        return None
    return replace(more, kinematics=replace(more.kinematics, free=start.free))


def _lost(fit: Point) -> bool:
    """Return whether narrow lines or the wing, which comes last, are at the limit of the search."""
    core = next(g for g, group in enumerate(fit.groups) if group.name == "narrow")
    return any(at_limit(fit, g) for g in (core, len(fit.groups) - 1))


def _emits(fit: Point, name: str) -> bool:
    """Return whether both Gaussians of a broad line are emission."""
    groups = [g for g, group in enumerate(fit.groups) if group.component == BROAD]
    own = [fit.own(g).start for g in groups if fit.groups[g].lines[0].name == name]
    return bool((fit.flux[own] > 0).all())
