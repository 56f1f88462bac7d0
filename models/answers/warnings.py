"""Warnings that come with a redshift: the names of `schemas.ZWarn`'s bits in lower case."""

from __future__ import annotations

import torch

from spectraq.models.batch import BatchAnalysis
from spectraq.models.decision.decide import same_z

UNCERTAIN_CLASS_NATS = 2.2
"""A class that leads by less is in doubt: of such answers to hard mocks, half are wrong."""
UNCERTAIN_Z_NATS = 2.0
"""A redshift that leads by less is in doubt: of such answers to hard mocks, two in three are wrong."""
WIDE_SIGMA = 3.0
"""Where so many standard deviations reach a redshift that counts as different, the minimum holds more than
one: whatever is said of a spectrum without a feature fits."""
OVERRULED_NATS = 2.0
OVERRULED_GAP_NATS = 4.0
"""Where the networks prefer a redshift that fits worse by this much, and it leads by little, one in two is
wrong. Where it leads by more, the networks are hardly ever wrong: it is the fit that is."""
FEW_PIXELS = 500
"""The networks have seen no spectrum with fewer usable pixels."""
LOW_SNR = 0.3
"""Median S/N a pixel below which answers are mostly the networks' expectation."""
POOR_FIT_KAPPA = 60.0
"""chi2/dof, model error included, that no honest noise gives: wrong ivar, a blend, or no object of ours.
Lower limits cost bright stars whose answers are right, and find nothing that is wrong."""


def warnings(analysis: BatchAnalysis, n_good: torch.Tensor, negative: torch.Tensor) -> list[tuple[str, ...]]:
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
    different = same_z(decision.spectype, analysis.sigma.dtype)
    # A minimum at an edge has no width to speak of, and has a warning of its own.
    wide = (WIDE_SIGMA * analysis.sigma > different) & ~analysis.at_limit
    bits = {
        "small_delta_chi2": wide
        | (decision.gap < UNCERTAIN_Z_NATS)
        | ((decision.overruled > OVERRULED_NATS) & (decision.gap < OVERRULED_GAP_NATS)),
        "class_uncertain": decision.margin < UNCERTAIN_CLASS_NATS,
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
