"""Whether two spectra can be of one object, and whose answer is right where the two differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectraq.models.change.epoch import Floats
from spectraq.models.change.pair import Pair, Side

SMOOTH_PIXELS = 60
"""Half width of the running mean that details stand above."""
LEAST_DETAIL = 400.0
"""Summed squares of S/N of what details both must show before their likeness is a question."""
LEAST_ERROR = 0.1
"""Of the likeness of two spectra of one object."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike the details of two spectra are: one where they are the same but for noise."""

    value: float
    error: float
    seen: bool  # whether both show enough detail


def likeness(pair: Pair) -> Likeness:
    """Return how alike two spectra are."""
    a = _detail(pair.response * pair.earlier.flux, pair)
    b = _detail(pair.newer.flux, pair)  # light that was added is smooth: it is no detail
    weight = pair.weight
    noise_a = np.where(pair.used, pair.response**2 / np.where(pair.used, pair.earlier.ivar, 1.0), 0.0)
    noise_b = np.where(pair.used, 1 / np.where(pair.used, pair.newer.ivar, 1.0), 0.0)
    both = float((weight * a * b).sum())
    one = float((weight * (a * a - noise_a)).sum())
    two = float((weight * (b * b - noise_b)).sum())
    if min(one, two) < LEAST_DETAIL:
        return Likeness(1.0, 1.0, False)
    size = np.sqrt(one * two)
    error = np.sqrt(float((weight**2 * (a * a * noise_b + b * b * noise_a + noise_a * noise_b)).sum())) / size
    return Likeness(both / size, float(np.hypot(error, LEAST_ERROR)), True)


def preferred(pair: Pair) -> float:
    """Return by how much chi2 of both spectra is less with the newer's model than with the earlier's.

    Each model is given the response that the other spectrum needs; where an answer is wrong its model follows
    its own spectrum alone, and worse.
    """
    response = pair.response
    more = pair.added
    of_earlier = _chi2(pair.newer, response * pair.earlier.model + more, pair)
    of_earlier += _chi2(pair.earlier, pair.earlier.model, pair)
    of_newer = _chi2(pair.earlier, (pair.newer.model - more) / response, pair)
    of_newer += _chi2(pair.newer, pair.newer.model, pair)
    return of_earlier - of_newer


def _chi2(side: Side, model: Floats, pair: Pair) -> float:
    error = (0.02 * np.abs(model).clip(0.1)) ** 2
    weight = np.where(pair.used, side.ivar / (1 + side.ivar * error), 0.0)
    return float((weight * (side.flux - model) ** 2).sum())


def _detail(flux: Floats, pair: Pair) -> Floats:
    used = pair.used.astype(np.float64)
    half = SMOOTH_PIXELS
    stacked = np.stack([flux * used, used])
    before = np.pad(stacked, ((0, 0), (half + 1, half))).cumsum(1)
    total = before[:, 2 * half + 1 :] - before[:, : -2 * half - 1]
    return np.where(pair.used, flux - total[0] / np.where(total[1] > 0, total[1], 1.0), 0.0)
