"""Make the ensemble's probabilities mean what they say: one temperature for all members."""

from __future__ import annotations

import numpy as np
import torch

from spectraq.models.training.measure.accuracy import Beliefs
from spectraq.models.training.mocks.coarse_files import Truth

TEMPERATURES = np.exp(np.linspace(np.log(0.5), np.log(2.5), 81))


def negative_log_likelihood(beliefs: Beliefs, truth: Truth, temperature: float) -> float:
    """Return the mean of -ln p(true class), for members' logits divided by a temperature."""
    probability = beliefs.class_probability(temperature)
    chosen = probability[torch.arange(len(probability)), truth.spectype]
    return float(-chosen.clamp_min(1e-9).log().mean())


def temperature(samples: list[tuple[Beliefs, Truth]]) -> float:
    """Find the temperature of the smallest mean negative log-likelihood (Guo et al. 2017, section 4.2).

    Parameters
    ----------
    samples
        Each counts the same however many spectra it has: mocks with faults, and real spectra with trusted
        labels, because each of them flatters in its own way.
    """
    if not samples:
        raise ValueError("no sample to calibrate on")
    total = [sum(negative_log_likelihood(b, t, x) for b, t in samples) for x in TEMPERATURES]
    return round(float(TEMPERATURES[int(np.argmin(total))]), 3)
