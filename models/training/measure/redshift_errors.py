"""Measure how large error bars of redshifts must be: on real spectra with trusted labels, shown on mocks too.

Labels are no truth: a survey's pipeline saw the same photons, so part of the noise is common to label and
answer and does not show. Mocks show all of it, and also what their templates lack of reality. The labels
decide, because that is what surveys compare with; the card says what the mocks say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.answers.redshift_errors import FILE, ClassErrors, survey_key
from spectraq.models.batch import BatchAnalysis, BatchAnalyst
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.observation import Observation
from spectraq.models.redshift import eigenspectra

Floats = NDArray[np.float64]

SCALES = np.geomspace(0.3, 4, 40)
FLOORS = np.geomspace(2e-6, 4e-4, 40)
FREEDOM = 4.0
"""Degrees of freedom of the t distribution of pulls: their tails are longer than a normal one's."""
MIN_SPECTRA = 30
MIN_OF_SURVEY = 5
SHRINK = 3
"""A survey's own factor counts as n / (n + SHRINK) for n spectra."""
ZERO_POINTS = {"QSO": {"desi": 3e-4}}
"""Known differences of redshift systems: quasars of DESI and of SDSS differ by 4.5e-4 in the median."""
MOCK_SEED = 77


@dataclass(frozen=True)
class Sample:
    """Answers to spectra of known redshift, those that are right."""

    kind: NDArray[np.int64]  # (n,) index into CLASSES
    offset: Floats  # (n,) (z - truth) / (1 + truth)
    sigma: Floats  # (n,) the curvature's
    survey: NDArray[np.str_]  # (n,) keys

    @classmethod
    def of(
        cls, analysis: BatchAnalysis, spectype: Sequence[str], z: Floats, surveys: Sequence[str | None]
    ) -> Sample:
        """Compare an analysis with the truth."""
        answered = z_of(analysis.lag, analysis.gridded.offset).numpy()
        offset = (answered - z) / (1 + z)
        kind = analysis.decision.spectype.numpy()
        right = np.array(CLASSES)[kind] == np.asarray(spectype)
        right &= np.abs(offset) < np.array(tuple(SAME_Z.values()))[kind]
        estimated = analysis.gridded.noise_estimated.tolist()
        keys = np.array([survey_key(*pair) for pair in zip(surveys, estimated, strict=True)])
        return cls(kind[right], offset[right], analysis.sigma.double().numpy()[right], keys[right])

    def rows(self, mask: NDArray[np.bool_]) -> Sample:
        """Return some of them."""
        return Sample(self.kind[mask], self.offset[mask], self.sigma[mask], self.survey[mask])


def spread(pulls: Floats) -> float:
    """Return the standard deviation that outliers do not move: 1.4826 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(pulls - np.median(pulls))))


def measured(sample: Sample, zero_points: Mapping[str, float]) -> ClassErrors:
    """Find scale, floor and survey factors of one class.

    Scale and floor maximise the likelihood of offsets under a t distribution; then they, and each survey's
    factor, are multiplied until the spread of the pulls is near one.

    Raises
    ------
    ValueError
        Where there are too few spectra.
    """
    if len(sample.offset) < MIN_SPECTRA:
        raise ValueError(f"{len(sample.offset)} right answers; {MIN_SPECTRA} are needed")
    zero_point = np.array([zero_points.get(key.split()[0], 0.0) for key in sample.survey])
    centred = sample.offset - np.median(sample.offset)
    best, scale, floor = -np.inf, 1.0, 0.0
    for factor in SCALES:
        for least in FLOORS:
            sigma = np.sqrt((factor * sample.sigma) ** 2 + least**2 + zero_point**2)
            tails = np.log1p((centred / sigma) ** 2 / FREEDOM)
            likelihood = float(-np.log(sigma).sum() - 0.5 * (FREEDOM + 1) * tails.sum())
            if likelihood > best:
                best, scale, floor = likelihood, float(factor), float(least)
    pull = sample.offset / np.sqrt((scale * sample.sigma) ** 2 + floor**2 + zero_point**2)
    width = spread(pull)
    factors = {}
    for key in sorted(set(sample.survey)):
        of_survey = sample.survey == key
        if (n := int(of_survey.sum())) >= MIN_OF_SURVEY:
            factors[str(key)] = round((spread(pull[of_survey]) / width) ** (n / (n + SHRINK)), 3)
            pull[of_survey] /= factors[str(key)]
    # Surveys' own biases widen the class as a whole: half of that, in the logarithm, is allowed for.
    width = math.sqrt(width * spread(pull))
    return ClassErrors(round(scale * width, 4), float(f"{floor * width:.3g}"), factors, zero_points)


def pulls(sample: Sample, errors: Sequence[ClassErrors]) -> Floats:
    """Return the offsets in units of the calibrated error, shape (n,)."""
    sigma = []
    for kind, key, curvature_sigma in zip(sample.kind, sample.survey, sample.sigma, strict=True):
        name, _, rest = str(key).partition(" ")
        scale, floor = errors[kind].of_survey(name, bool(rest))
        sigma.append(np.hypot(scale * curvature_sigma, floor))
    return np.asarray(sample.offset / np.array(sigma))


def spreads(sample: Sample, errors: Sequence[ClassErrors]) -> dict[str, dict[str, float]]:
    """Return the spread of the pulls by class and survey, where there are enough."""
    pull = pulls(sample, errors)
    table: dict[str, dict[str, float]] = {}
    for c, name in enumerate(CLASSES):
        of_class = sample.kind == c
        table[name] = {"every survey": round(spread(pull[of_class]), 2)} if of_class.any() else {}
        for key in sorted(set(sample.survey[of_class])):
            rows = of_class & (sample.survey == key)
            if rows.sum() >= MIN_OF_SURVEY:
                table[name][str(key)] = round(spread(pull[rows]), 2)
    return table


def make(
    folder: Path,
    spectra: Sequence[Observation],
    spectype: Sequence[str],
    z: Floats,
    mocks: tuple[Gridded, Sequence[str], Floats, Sequence[str]],
) -> dict[str, Any]:
    """Measure the error bars of a folder's weights and write their card.

    Parameters
    ----------
    folder
        Of networks and eigenspectra.
    spectra, spectype, z
        Real spectra with trusted labels.
    mocks
        Mocks on the grid, their classes, redshifts and surveys.

    Returns
    -------
    card
        As written.
    """
    analyst = BatchAnalyst(Ensemble.load(folder), eigenspectra.load(folder), torch.device("cpu"))
    surveys = [observation.survey for observation in spectra]
    real = Sample.of(analyst.analyze(grid_batch(spectra)), spectype, z, surveys)
    simulated = Sample.of(analyst.analyze(mocks[0]), mocks[1], mocks[2], mocks[3])
    errors = [measured(real.rows(real.kind == c), ZERO_POINTS.get(n, {})) for c, n in enumerate(CLASSES)]
    card = _card(errors, real, simulated)
    (folder / FILE).write_text(json.dumps(card, indent=1) + "\n")
    return card


def _card(errors: Sequence[ClassErrors], real: Sample, simulated: Sample) -> dict[str, Any]:
    """Return what is written of the classes' error bars and of the pulls that they leave."""
    return {
        "what": "Error bars of redshifts: sigma^2 of ln(1 + z) = factor^2 ((scale c)^2 + floor^2) "
        "+ zero_point^2, c from the curvature of chi2.",
        "classes": {
            name: {
                "scale": of_class.scale,
                "floor": of_class.floor,
                "factors": dict(of_class.factors),
                "zero_points": dict(of_class.zero_points),
            }
            for name, of_class in zip(CLASSES, errors, strict=True)
        },
        "pulls": {"labelled": spreads(real, errors), "mocks": spreads(simulated, errors)},
        "spectra": {"labelled": len(real.offset), "mocks": len(simulated.offset)},
        "again": "spectraq train --only errors --data DATA --out OUT",
    }
