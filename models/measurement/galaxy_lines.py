"""The lines of a galaxy: narrow ones together, then forbidden and permitted apart; broad Balmer if needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement.ground import Base, Ground
from spectraq.models.measurement.line_blocks import Blocks
from spectraq.models.measurement.line_fit import LineFit, LineProblem, at_limit, described, settled
from spectraq.models.measurement.line_groups import Group, broad, narrow, narrow_lines
from spectraq.models.measurement.line_point import Kinematics, Point, gains
from spectraq.models.measurement.samples import every_pixel
from spectraq.models.measurement.target import Floats, Target

USUAL_WIDTH = 100.0
"""Standard deviation in km/s that is taken where the lines are too faint for one of their own."""
LEAST_CHI2 = 36.0
"""What the lines of a group must explain for a width and an offset of their own: six sigma in all."""
BALMER = ("Halpha", "Hbeta", "Hgamma", "Hdelta")
"""Lines that may be broad in a galaxy."""
NEAR, LEAST_NEAR = 4, 6
"""A line is sought where so many pixels within as many of its centre are used."""
AROUND = np.arange(-NEAR, NEAR + 1)
SECOND_GAIN = 40.0
"""Chi2 that a broad line in a galaxy must gain."""


def covered(target: Target, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return which lines have enough used pixels at their centres."""
    centre = np.rint(_places(names) + target.lag).astype(np.int64)
    near = (centre[:, None] + AROUND).clip(0, N_PIXELS - 1)
    enough = np.count_nonzero(target.ivar[near], axis=1) >= LEAST_NEAR
    within = (centre >= NEAR) & (centre < N_PIXELS - NEAR) & enough
    return tuple(name for name, seen in zip(names, within.tolist(), strict=True) if seen)


@cache
def _places(names: tuple[str, ...]) -> Floats:
    """Return the grid pixels of lines at redshift zero."""
    return np.asarray(pixel_of(np.array([wavelength(name) for name in names])))


def is_covered(target: Target, name: str) -> bool:
    """Return whether one line has enough."""
    return covered(target, (name,)) == (name,)


def at_widths(groups: Sequence[Group], widths: Sequence[float], free: bool) -> Kinematics:
    """Return kinematics at standard deviations in km/s, without offset."""
    square = np.array([(width / KM_S_PER_PIXEL) ** 2 for width in widths])
    return Kinematics(square, np.zeros(len(groups)), np.full(len(groups), free))


def galaxy_lines(target: Target, base: Base) -> LineFit | None:
    """Return the lines of a galaxy; None where none is covered."""
    forbidden, permitted = (covered(target, names) for names in narrow_lines("GALAXY"))
    if not forbidden + permitted:
        return None
    group = narrow("narrow", forbidden + permitted)
    places = np.array([target.place(rest) for line in group.lines for rest, _ in line.parts])
    blocks = Blocks(Ground(target, base, every_pixel(target), places))
    return described(blocks, _fitted(blocks, group, forbidden, permitted))


def _fitted(blocks: Blocks, group: Group, forbidden: tuple[str, ...], permitted: tuple[str, ...]) -> Point:
    problem = LineProblem(blocks, [group])
    start = problem.solve(at_widths([group], [USUAL_WIDTH], True))
    if start.significance(0) < LEAST_CHI2:
        return replace(start, kinematics=at_widths([group], [USUAL_WIDTH], False))
    together = settled(problem, problem.fit(start), USUAL_WIDTH)
    if not together.kinematics.free[0]:
        return together
    return _with_broad(blocks, _apart(blocks, together, forbidden, permitted))


def _apart(blocks: Blocks, together: Point, forbidden: tuple[str, ...], permitted: tuple[str, ...]) -> Point:
    """Return forbidden and permitted lines with widths of their own, where both are strong enough."""
    if not forbidden or not permitted:
        return together
    problem = LineProblem(blocks, [narrow("forbidden", forbidden), narrow("permitted", permitted)])
    same = Kinematics(
        np.repeat(together.kinematics.square, 2), np.repeat(together.kinematics.shift, 2), np.ones(2, bool)
    )
    start = problem.solve(same)
    if min(start.significance(0), start.significance(1)) < LEAST_CHI2:
        return together
    apart = problem.fit(start)
    return together if any(at_limit(apart, g) for g in (0, 1)) else apart


def _with_broad(blocks: Blocks, fit: Point) -> Point:
    """Return the fit with broad Balmer lines, where they gain enough and are seen in emission.

    Where H alpha is covered and is not broad the others are not: it is three times as bright, and stars'
    absorption under H beta leaves wings where the populations miss it.
    """
    for name in ("Halpha", "Hbeta"):
        if is_covered(blocks.ground.target, name):
            broader = _broadened(blocks, fit, name)
            if broader is None:
                break
            fit = broader
    return fit


def _broadened(blocks: Blocks, fit: Point, name: str) -> Point | None:
    """Return the fit with one more broad group; None where it does not gain enough."""
    group = broad(name)
    seen = covered(blocks.ground.target, BALMER)
    lines = tuple(line for line in group.lines if line.name in seen)
    group = replace(group, lines=lines)
    gained = gains(blocks, fit, group, [(width / KM_S_PER_PIXEL) ** 2 for width in group.starts], 0.0)
    # Where the fit misses more than the noise, so does what is left for a broad line.
    least = SECOND_GAIN * max(fit.chi2 / blocks.ground.n_pixels, 1.0)
    if gained.max() < least:
        return None
    problem = LineProblem(blocks, [*fit.groups, group])
    more = problem.fit(problem.solve(extended(fit.kinematics, group.starts[int(gained.argmax())])))
    main = more.own(len(fit.groups)).start + [line.name for line in lines].index(name)
    bright = more.flux[main] > 5 * np.sqrt(described(blocks, more).covariance[main, main])
    return more if bright and fit.chi2 - more.chi2 > least else None


def extended(kinematics: Kinematics, width: float, shift: float = 0.0) -> Kinematics:
    """Return kinematics of one more group, of a standard deviation in km/s and an offset in pixels."""
    return Kinematics(
        np.append(kinematics.square, (width / KM_S_PER_PIXEL) ** 2),
        np.append(kinematics.shift, shift),
        np.append(kinematics.free, True),
    )
