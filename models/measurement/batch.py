"""The answers of a batch, each with what is measured on its spectrum."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import Answer
from spectraq.models.batch import BatchAnalysis
from spectraq.models.measurement.measure import measure
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.target import Target
from spectraq.models.observation import Observation

SPIKE_SIGMA, SPIKE_NEIGHBOURS = 8.0, 0.3
"""A pixel so many sigma off the mean of its neighbours, which agree, is no light: as in the final fit."""


def measured(
    analysis: BatchAnalysis,
    observations: Sequence[Observation],
    answers: Sequence[Answer],
    populations: Populations,
) -> list[Answer]:
    """Return the answers with their measurements.

    Parameters
    ----------
    analysis
        Of B spectra.
    observations, answers
        Of the same spectra, length B.
    populations
        Stellar populations without lines.
    """
    flux = analysis.gridded.flux.cpu().double().numpy()
    ivar = analysis.noise_ivar.cpu().double().numpy()
    lag, unit = analysis.lag.cpu().numpy(), analysis.gridded.unit.cpu().numpy()
    done = []
    for i, (observation, answer) in enumerate(zip(observations, answers, strict=True)):
        weight = np.where(_spikes(flux[i], ivar[i]), 0.0, ivar[i])
        target = Target(
            flux[i], weight, answer.spectype, float(lag[i]), answer.z, observation.survey, float(unit[i])
        )
        measurement = measure(target, answer.zerr, observation.flux_cgs, populations)
        done.append(replace(answer, measurement=measurement))
    return done


def _spikes(flux: NDArray[np.float64], ivar: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark pixels that stand alone above neighbours that agree with each other."""
    left, right = np.roll(flux, 1), np.roll(flux, -1)
    off = np.abs(flux - 0.5 * (left + right)) * np.sqrt(ivar)
    apart = np.abs(left - right) * np.sqrt(ivar)
    known = (np.roll(ivar, 1) > 0) & (np.roll(ivar, -1) > 0)
    return np.asarray(known & (off > SPIKE_SIGMA) & (apart < SPIKE_NEIGHBOURS * off))
