"""Whether the spectra of one exposure, plate or fibre share a pattern, and what it is.

Three measures of a group's mean are asked: single stretches against those around them (dead columns), the
airglow's lines, and SIDE stretches against the SIDE before them (arms that were joined badly, and errors of
the calibration). Of groups of normal spectra each passes its threshold less than once in a thousand.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.airglow import airglow
from spectraq.models.anomaly.coarse_residual import (
    MOST_SIGMA,
    N_STRETCHES,
    NOTHING,
    SIDE,
    STRETCH_PIXELS,
    Stretches,
    in_sigma,
)
from spectraq.models.anomaly.shared_stack import Excess, Stack, excess
from spectraq.models.grid.axis import wavelength_of

Floats = NDArray[np.float64]

LEAST_SPECTRA = 12
"""Fewer have no mean that would tell a plate's fault from two strange objects."""
SIGNIFICANT, BROAD_SIGNIFICANT = 6.0, 6.5
"""In sigma of means of groups without a fault: normal groups pass less than once in a thousand."""
FROM_FIT = 4.0
"""What stands out from the survey stands out from the fit by so much at least."""
AROUND = 5
"""Stretches on either side whose median a single one is compared with."""
WITHOUT_ONE = 3.5
"""What is left of the strength where the strangest spectrum that there may be is not counted."""
STEADY = 2
"""Half width of the running median that takes single stretches out of what is broad."""
SKY_AROUND = 4
QUIET = 0.02
"""Airglow below this, of that of the brightest line, is none."""
ALONE = 1.5
"""A step stands out from all other places by this factor; errors of the calibration go up and down."""
ARMS = (5000.0, 8000.0)
"""Where spectrographs have their arms joined, in angstrom."""
OF_PROFILE = 2.5
"""Sigma above which a stretch of a broad pattern is part of it."""
SHOWN = 2.0
"""Sigma of `alike` from which a spectrum shows a pattern by itself."""
NARROW_PART = 0.3
"""Neighbours of a dead column's stretch that are part of it have at least so much of its residual."""

ARM_STEP, SKY_RESIDUAL = "arm_step", "sky_residual"
DEAD_COLUMN, FLUX_CALIBRATION = "dead_column", "flux_calibration"
THRESHOLDS = {
    SKY_RESIDUAL: SIGNIFICANT,
    DEAD_COLUMN: SIGNIFICANT,
    ARM_STEP: BROAD_SIGNIFICANT,
    FLUX_CALIBRATION: BROAD_SIGNIFICANT,
}

GLOW = airglow(torch.device("cpu")).double().numpy().reshape(N_STRETCHES, STRETCH_PIXELS).mean(1)


@dataclass(frozen=True, slots=True)
class Pattern:
    """What the spectra of a group share.

    Attributes
    ----------
    kind
        ARM_STEP, SKY_RESIDUAL, DEAD_COLUMN or FLUX_CALIBRATION.
    strength
        Of the group's mean in sigma of means of groups without a fault.
    place
        The stretch where it is strongest; a step's is the first behind it.
    profile
        What it adds to every stretch, in sigma of one spectrum, zero where it is not; (N_STRETCHES,).
    of_one
        The most that one spectrum adds to the strength, times the root of their number.
    """

    kind: str
    strength: float
    place: int
    profile: Floats
    of_one: float = 0.0

    @property
    def is_narrow(self) -> bool:
        """Return whether it is one of single stretches."""
        return self.kind in (SKY_RESIDUAL, DEAD_COLUMN)

    @property
    def span(self) -> tuple[int, int]:
        """Return its first and last stretch; of a step the two that it lies between."""
        if self.kind == ARM_STEP:
            return self.place - 1, self.place
        where = np.flatnonzero(self.profile)
        return int(where[0]), int(where[-1])

    @property
    def wavelengths(self) -> tuple[float, float]:
        """Return where it is, in vacuum angstrom."""
        first, last = self.span
        return (
            float(wavelength_of(first * STRETCH_PIXELS - 0.5)),
            float(wavelength_of((last + 1) * STRETCH_PIXELS - 0.5)),
        )


def patterns(group: Stack, others: Stack, other_groups: int) -> list[Pattern]:
    """Return what the spectra of a group share, the most significant first; nothing of too few.

    It must stand out from the fit, too: beside a faulty plate a good one would seem to have the opposite.

    Parameters
    ----------
    group, others, other_groups
        As of `shared_stack.excess`.
    """
    seen = np.flatnonzero(group.count.sum(0) >= LEAST_SPECTRA / 2)
    if group.n < LEAST_SPECTRA or len(seen) < 4 * SIDE:
        return []
    window = slice(int(seen[0]), int(seen[-1]) + 1)
    from_survey, from_fit = excess(group, others, other_groups), excess(group, Stack.empty(), 0)
    found = []
    for measure in MEASURES:
        pattern = _sought(measure, from_survey, window)
        from_one = pattern.of_one / math.sqrt(group.n)
        if pattern.strength < max(THRESHOLDS[pattern.kind], WITHOUT_ONE + from_one):
            continue
        if _sought(measure, from_fit, window).strength > FROM_FIT:
            found.append(pattern)
            if pattern.kind == SKY_RESIDUAL:
                from_survey, from_fit = _dark(from_survey), _dark(from_fit)
    return sorted(found, key=lambda pattern: -pattern.strength)


def _sought(measure: Callable[[Excess, slice], Pattern], beyond: Excess, window: slice) -> Pattern:
    """Return what a measure sees of the stretches of a window, in the numbers of all of them."""
    pattern = measure(Excess(beyond.mean[window], beyond.significance[window]), window)
    profile = np.zeros(N_STRETCHES)
    profile[window] = pattern.profile
    return replace(pattern, place=pattern.place + window.start, profile=profile)


def _dark(beyond: Excess) -> Excess:
    """Return what there is where no airglow is, and between its lines what is on either side."""
    dark = np.flatnonzero(GLOW <= QUIET)
    mean, significance = (
        np.interp(np.arange(N_STRETCHES), dark, values[dark]) for values in (beyond.mean, beyond.significance)
    )
    return Excess(mean, significance)


def _sky(beyond: Excess, window: slice) -> Pattern:
    """Return the residual of the airglow's lines: of all together, or of the one that stands out most."""
    glow = GLOW[window]
    bright = glow > QUIET
    lines = glow - _running_mean(glow, SKY_AROUND)
    local = beyond.significance - _running_mean(beyond.significance, SKY_AROUND)
    single = np.abs(_narrow(beyond.significance)) * bright
    size = max(float(np.sqrt((lines**2).sum())), 1e-9)
    together = abs((lines * local).sum()) / size
    profile = (beyond.mean - _running_mean(beyond.mean, SKY_AROUND)) * bright
    place = int((np.abs(local) * bright).argmax())
    if single.max() > together:
        return Pattern(SKY_RESIDUAL, float(single.max()), place, profile, MOST_SIGMA)
    of_one = MOST_SIGMA * float(np.abs(lines).sum()) / size
    return Pattern(SKY_RESIDUAL, float(together), place, profile, of_one)


def _column(beyond: Excess, window: slice) -> Pattern:
    """Return the narrow residual that stands out most where there is no airglow."""
    dark = np.abs(_narrow(beyond.significance)) * (GLOW[window] <= QUIET)
    place = int(dark.argmax())
    mean = _narrow(beyond.mean)
    near = np.abs(np.arange(len(mean)) - place) <= 1
    part = near & (mean * mean[place] >= NARROW_PART * mean[place] ** 2)
    return Pattern(DEAD_COLUMN, float(dark[place]), place, np.where(part, mean, 0.0), MOST_SIGMA)


def _broad(beyond: Excess, window: slice) -> Pattern:
    """Return a step or an error of the calibration."""
    steady = _running_median(beyond.significance, STEADY)
    contrast = np.abs(_contrast(steady))
    place = int(contrast.argmax())
    away = np.abs(np.arange(len(contrast)) - place) > 2 * SIDE
    arms = ARMS[0] < wavelength_of((window.start + place) * STRETCH_PIXELS) < ARMS[1]
    lonely = contrast[place] > ALONE * contrast[away].max(initial=0.0)
    smooth = _running_mean(_running_median(beyond.mean, STEADY), SIDE // 2)
    sure = np.abs(_running_mean(steady, SIDE // 2)) * np.sqrt(SIDE) > OF_PROFILE
    profile = np.where(sure, smooth, 0.0) if sure.any() else smooth
    kind = ARM_STEP if arms and lonely else FLUX_CALIBRATION
    return Pattern(kind, float(contrast[place]), place, profile, MOST_SIGMA * math.sqrt(2 * SIDE))


MEASURES = (_sky, _column, _broad)


def _contrast(values: Floats) -> Floats:
    """Return SIDE values from each place on less the SIDE before it, over their error; zero at the ends."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    contrast = np.zeros(len(values) + 1)
    contrast[SIDE:-SIDE] = total[2 * SIDE :] - 2 * total[SIDE:-SIDE] + total[: -2 * SIDE]
    return contrast[:-1] / math.sqrt(2 * SIDE)


def _narrow(values: Floats) -> Floats:
    return values - _running_median(values, AROUND)


def _running_median(values: Floats, half: int) -> Floats:
    # Sorting so few is twice as fast as the library's median of them.
    return np.asarray(np.sort(values[_windows(len(values), half)], axis=1)[:, half])


def _running_mean(values: Floats, half: int) -> Floats:
    return np.asarray(values[_windows(len(values), half)].mean(axis=1))


@lru_cache(maxsize=64)
def _windows(n: int, half: int) -> NDArray[np.intp]:
    """Return the places of every window of n values, the first and the last repeated beyond the ends."""
    places = np.arange(n)[:, None] + np.arange(-half, half + 1)
    return places.clip(0, n - 1)


def alike(levels: NDArray[np.int8], pattern: Pattern) -> Floats:
    """Return how much of a pattern each of B spectra has, in sigma of a spectrum without it; shape (B,).

    Parameters
    ----------
    levels
        As of `Stretches`, (B, N_STRETCHES).
    """
    sigma = in_sigma(levels).clip(-MOST_SIGMA, MOST_SIGMA)
    size = np.sqrt(((levels != NOTHING) * pattern.profile**2).sum(1))
    return np.asarray((sigma * pattern.profile).sum(1) / np.maximum(size, 1e-9))


def fractions(spectra: Stretches, pattern: Pattern) -> Floats:
    """Return what each of B spectra has too much where a pattern is strongest, over its flux; shape (B,).

    Of a step it is the jump. What is too far from the fit to be written counts as the most that is.
    """
    flux = np.ma.masked_where(spectra.levels == NOTHING, in_sigma(spectra.levels) * spectra.error)
    place = pattern.place
    if pattern.kind == ARM_STEP:
        jump = flux[:, place : place + SIDE].mean(1) - flux[:, place - SIDE : place].mean(1)
        return np.ma.filled(jump, 0.0)
    if pattern.kind == FLUX_CALIBRATION:
        place = int(np.abs(pattern.profile).argmax())
        return np.ma.filled(flux[:, max(place - SIDE // 2, 0) : place + SIDE // 2 + 1].mean(1), 0.0)
    near = flux[:, max(place - AROUND, 0) : place + AROUND + 1].mean(1)
    return np.ma.filled(flux[:, place] - near, 0.0)
