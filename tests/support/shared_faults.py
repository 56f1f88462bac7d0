"""Answers to spectra of a plate that has a step where its arms meet, or none."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.coarse_residual import (
    ALPHABET,
    FRACTIONS,
    LEVELS_A_SIGMA,
    MOST_LEVELS,
    N_STRETCHES,
    STRETCH_PIXELS,
)
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.answer import Answer, Evidence, Reason
from spectraq.models.grid.axis import wavelength_of
from spectraq.models.observation import Observation
from tests.support.plumbing import answer_of, spectrum_flux

N_PLATE = 40
STEP = 160
"""A stretch between the arms."""
_PLACES = np.arange(N_STRETCHES)
LEFT_BY_STEP = np.where(_PLACES < STEP, -1.0, 1.0) * np.exp(-np.abs(_PLACES - STEP) / 25)
"""What a fit leaves of a step, in sigma."""
_PLAIN = answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(1)))


def line_of(levels: NDArray[np.integer]) -> str:
    """Write stretches, with errors of 2 % of the flux and no scatter of their own."""
    return "".join(ALPHABET[level + MOST_LEVELS] for level in levels) + "6" * FRACTIONS + "0"


def flagged_by_step(sigma: float, seed: int) -> Answer:
    """An answer to a spectrum of noise and a step; where there is one, it is flagged for it."""
    noise = np.random.default_rng(seed).normal(size=N_STRETCHES)
    levels = ((noise + sigma * LEFT_BY_STEP) * LEVELS_A_SIGMA).round().clip(-MOST_LEVELS, MOST_LEVELS)
    at = float(wavelength_of(STEP * STRETCH_PIXELS))
    reason = Reason("arm_step", "instrument", 4.0, at - 8, at + 8, "The flux jumps.")
    strange = [25.0 if kind == "arm_step" and sigma else 0.0 for kind in KINDS]
    causes = (reason,) if sigma else ()
    evidence = Evidence(tuple(strange), "arm_step", causes, line_of(levels.astype(np.int64)))
    return dataclasses.replace(
        _PLAIN, anomaly_flagged=bool(sigma), anomaly_reasons=causes, anomaly_evidence=evidence
    )


def plate_of(sigma: float, seed: int) -> list[Answer]:
    """Answers to N_PLATE spectra, each with noise of its own."""
    return [flagged_by_step(sigma, 1000 * seed + i) for i in range(N_PLATE)]
