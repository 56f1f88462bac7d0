"""What the networks themselves find strange: members that disagree, and a latent place of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.batch import BatchAnalysis
from spectraq.models.networks.encoder import N_EIGENSPECTRA

LEAST_SHARE = 1e-3
"""Shares of eigenspectra below this are all nothing."""


@dataclass(frozen=True, slots=True)
class Unfamiliar:
    """What networks say of B spectra."""

    disagreement: torch.Tensor  # (B,) largest standard deviation over members of a class's probability
    latent: torch.Tensor  # (B, N_EIGENSPECTRA) log shares of the class's eigenspectra; zeros without encoder

    @classmethod
    def of(cls, analysis: BatchAnalysis) -> Unfamiliar:
        """Return what is built from an analysis."""
        probability, spectype = analysis.opinion.spectype, analysis.decision.spectype
        disagreement = probability.std(0, correction=0).max(1).values
        if analysis.latent is None:
            return cls(disagreement, probability.new_zeros(len(spectype), N_EIGENSPECTRA))
        rows = torch.arange(len(spectype), device=spectype.device)
        share = analysis.latent.coefficients[rows, spectype]
        return cls(disagreement, (share + LEAST_SHARE).log())
