"""How one false-positive rate is divided among the kinds of strangeness."""

from __future__ import annotations

import torch

from spectraq.models.anomaly.scores import KINDS

SHARE = {
    "poor_fit": 0.015,
    "unmodelled_emission": 0.3,
    "unmodelled_absorption": 0.005,
    "broad_misfit": 0.005,
    "arm_step": 0.1,
    "sky_residual": 0.06,
    "second_star": 0.03,
    "second_galaxy": 0.045,
    "second_quasar": 0.015,
    "supernova": 0.16,
    "ensemble_disagreement": 0.005,
    "detector": 0.255,
    "latent_distance": 0.005,
}
"""Of the false positives that are allowed: more where a score finds what no other finds, less where it seldom
finds anything first. Found by trying, on normal spectra that lines, steps, sky, supernovae and second objects
were put into. They sum to one."""


def together(rates: torch.Tensor) -> torch.Tensor:
    """Rate at which the most unlikely of independent kinds, for its share, is as unlikely; to (B,)."""
    share = torch.tensor([SHARE[kind] for kind in KINDS], device=rates.device)
    smallest = (rates / share).min(1).values[:, None]
    return -torch.expm1(torch.log1p(-(smallest * share).clamp_max(1 - 1e-6)).sum(1))
