"""Warnings that come with a redshift: the names of `schemas.ZWarn`'s bits in lower case."""

from __future__ import annotations

import torch

from models.analysis import Analysis

UNCERTAIN_NATS = 1.0
"""A class or a redshift that leads by less is in doubt."""
OVERRULED_NATS = 2.0
"""Where the networks prefer a redshift that fits worse by this much, one in five is wrong."""
FEW_PIXELS = 500
"""The networks have seen no spectrum with fewer usable pixels."""
LOW_SNR = 0.5
"""Median S/N a pixel below which answers are mostly the networks' expectation."""
POOR_FIT_KAPPA = 10.0
"""chi2/dof, model error included, that no honest noise gives: wrong ivar, a blend, or no object of ours."""


def warnings(analysis: Analysis, n_good: torch.Tensor, negative: torch.Tensor) -> list[tuple[str, ...]]:
    """Name what is doubtful about each answer.

    Parameters
    ----------
    analysis
        Of B spectra.
    n_good
        Usable pixels of each, shape (B,).
    negative
        Where the fit has a strong emission line upside down, bool, shape (B,).
    """
    decision = analysis.decision
    bits = {
        "small_delta_chi2": (decision.gap < UNCERTAIN_NATS) | (decision.overruled > OVERRULED_NATS),
        "class_uncertain": decision.margin < UNCERTAIN_NATS,
        "z_fit_limit": analysis.at_limit,
        "few_good_pixels": n_good < FEW_PIXELS,
        "low_snr": analysis.prepared.snr < LOW_SNR,
        "noise_estimated": analysis.gridded.noise_estimated,
        "ensemble_disagrees": ~decision.members_agree,
        "poor_fit": analysis.kappa > POOR_FIT_KAPPA,
        "negative_emission": negative,
    }
    table = torch.stack(list(bits.values()), 1).tolist()
    return [tuple(name for name, raised in zip(bits, row, strict=True) if raised) for row in table]
