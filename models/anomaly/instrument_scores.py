"""Scores of what instruments and reductions do, and the sky's scores that they explain.

A line that is narrower than any line is a cosmic ray, and a second object that gains no more than a smooth
factor is none: where the same residual is explained as well by the instrument's shape, a score that is the
sky's is told as the instrument's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.anomaly.fringes import BEGIN, waves
from spectraq.models.anomaly.joint_fit import Leftover
from spectraq.models.anomaly.narrow_features import narrowest, narrowest_at
from spectraq.models.anomaly.reduction import BLOCK_PIXELS, Reduced, reduced
from spectraq.models.anomaly.residual import HIGH_PASS_PIXELS, Residual
from spectraq.models.anomaly.score_table import Score
from spectraq.models.anomaly.second_object import Companions
from spectraq.models.anomaly.smooth_shapes import Smooth, smooth
from spectraq.models.anomaly.unexplained_lines import Lines, Search, damped
from spectraq.models.grid.axis import pixel_of

USUAL_RUN = 4
USUAL_SHARE = 0.1
"""Runs of one value, and shares of pixels with their neighbour's, up to these say nothing: text files with
few digits have some."""
CREDIBLE_RUN = 8
"""Pixels of one value that no noise gives: a line that is measured beside them is theirs."""
USUAL_SIGMA = 1.0
"""As far below zero the mean of some stretch is by chance."""
MARGIN_PIXELS = 2
"""A narrow feature is shown this far on either side."""
COSMIC_RAY_EVIDENCE = 3.0
"""Sigma that a line is none, beyond which it is told as a cosmic ray."""
NEAR_LINE = (-1, 0, 1)
"""Pixels around a line's, at which a cosmic ray may have its strongest."""
SMOOTH_SHARE = 1.2
"""Of what a companion gains: where a smooth error gains so much, it is told in the companion's place."""
EXPLAINED_BY_SMOOTH = ("poor_fit", "broad_misfit", "ensemble_disagreement", "latent_distance")


@dataclass(frozen=True, slots=True)
class Instrument:
    """What of B spectra is the instrument's.

    Attributes
    ----------
    scores
        By kind.
    instead
        By kind of the sky's scores: whether it is told as another, (B,) bool, which, and its score.
    """

    scores: dict[str, Score]
    instead: tuple[tuple[str, str, torch.Tensor, Score], ...]


def instrument_scores(
    residual: Residual, left: Leftover, search: Search, line: Lines, companions: Companions
) -> Instrument:
    """Score a batch.

    Parameters
    ----------
    line
        As of `unexplained_lines.confirmed`.
    """
    unit = damped(search.scatter[:, :1], search.damping)[:, 0]
    up = narrowest(residual, torch.where(search.emitted[:, 0] != 0, unit, torch.inf), 1)
    down = narrowest(residual, torch.where(search.counted > 0, unit, torch.inf), -1)
    near = line.pixel[:, None] + torch.tensor(NEAR_LINE, device=line.pixel.device)
    at_line = narrowest_at(residual, unit, near, 1)
    ray = Score(at_line.evidence, line.strength, at_line.pixel - MARGIN_PIXELS, at_line.last + MARGIN_PIXELS)
    wave, errors = waves(residual), smooth(left)
    numbers = reduced(residual)
    red = torch.full_like(line.pixel, round(float(pixel_of(BEGIN))))
    scores = {
        "cosmic_ray": Score(up.evidence, up.sigma, up.pixel - MARGIN_PIXELS, up.last + MARGIN_PIXELS),
        "dead_column": Score(down.evidence, down.size, down.pixel, down.last),
        "fringing": Score(wave.strength, wave.amplitude, red, None),
        **_of_smooth(errors),
        **_of_numbers(numbers),
    }
    first, last = numbers.run_last - numbers.run, numbers.run_last
    in_run = (line.pixel > first - HIGH_PASS_PIXELS) & (line.pixel < last + HIGH_PASS_PIXELS)
    instead = [
        ("unmodelled_emission", "cosmic_ray", at_line.evidence > COSMIC_RAY_EVIDENCE, ray),
        (
            "unmodelled_emission",
            "constant_run",
            in_run & (numbers.run >= CREDIBLE_RUN),
            scores["constant_run"],
        ),
    ]
    instead += _smooth_instead(errors, companions, scores)
    return Instrument(scores, tuple(instead))


def _of_smooth(errors: Smooth) -> dict[str, Score]:
    gains = {"flux_calibration": errors.factor, "scattered_light": errors.light}
    place = (errors.fraction, errors.low, errors.high)
    return {kind: Score(gain.sqrt(), *place) for kind, gain in gains.items()}


def _of_numbers(numbers: Reduced) -> dict[str, Score]:
    begin, end = numbers.negative_pixel, numbers.negative_pixel + BLOCK_PIXELS - 1
    run = numbers.run.float()
    return {
        "constant_run": Score(
            run.clamp_min(USUAL_RUN).log(), run, numbers.run_last - numbers.run + 1, numbers.run_last
        ),
        "negative_flux": Score(numbers.negative.clamp_min(USUAL_SIGMA), numbers.negative_flux, begin, end),
        "repeated_values": Score(numbers.same_share.clamp_min(USUAL_SHARE).log(), numbers.same_share),
        "wrong_noise": Score(numbers.scatter.clamp_min(0.05).log(), numbers.scatter),
    }


def _smooth_instead(
    errors: Smooth, companions: Companions, scores: dict[str, Score]
) -> list[tuple[str, str, torch.Tensor, Score]]:
    """Return which companions a smooth error explains as well."""
    gain = torch.maximum(errors.factor, errors.light)
    added = errors.light >= errors.factor
    kinds = ("second_star", "second_galaxy", "second_quasar", "supernova")
    of_kind = {kind: companions.gain[:, k] for k, kind in enumerate(kinds)}
    best = companions.gain.amax(1)
    of_kind.update(dict.fromkeys(EXPLAINED_BY_SMOOTH, best))
    return [
        (kind, told, (gain > SMOOTH_SHARE * other) & mine, scores[told])
        for kind, other in of_kind.items()
        for told, mine in (("flux_calibration", ~added), ("scattered_light", added))
    ]
