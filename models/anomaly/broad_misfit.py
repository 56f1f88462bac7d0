"""Misfits wider than lines: of the whole fit, and of stretches of it."""

from __future__ import annotations

import torch

from spectraq.models.anomaly.residual import Residual
from spectraq.models.grid.model_error import JUDGED, LEAST_LEVEL

BLOCK_PIXELS = 64
"""Stretches of 4400 km/s: wider than any line but a supernova's or a quasar's."""
CLIP_SIGMA = 8.0
"""One pixel counts for no more than this: cosmic rays are not misfits."""


def misfit(residual: Residual) -> torch.Tensor:
    """Return the log of chi2 a pixel, clipped; shape (B,)."""
    chi = (residual.flux * residual.ivar.sqrt()).clamp(-CLIP_SIGMA, CLIP_SIGMA)
    count = (residual.ivar > 0).sum(1).clamp_min(50)
    return (chi.square().sum(1) / count).clamp_min(0.05).log()


def broad(residual: Residual) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the misfit of whole stretches.

    Returns
    -------
    score
        Log of the mean square of the stretches' residuals in sigma, shape (B,).
    fraction
        Residual of the worst stretch over the model's level there, shape (B,).
    pixel
        Where the worst stretch begins, shape (B,).
    """
    n = len(residual.flux)
    weight = residual.ivar.view(n, -1, BLOCK_PIXELS).sum(2)
    used = weight > 0
    safe = torch.where(used, weight, 1.0)
    mean = (residual.flux * residual.ivar).view(n, -1, BLOCK_PIXELS).sum(2) / safe
    level = (residual.model.abs() * residual.ivar).view(n, -1, BLOCK_PIXELS).sum(2) / safe
    level = level.clamp_min(LEAST_LEVEL)
    sigma = (1 / safe + (JUDGED * level).square()).sqrt()
    chi = torch.where(used, mean / sigma, 0.0).clamp(-30, 30)
    score = (chi.square().sum(1) / used.sum(1).clamp_min(8) + 0.05).log()
    worst = chi.abs().argmax(1)
    fraction = (mean / level).gather(1, worst[:, None])[:, 0]
    return score, fraction, worst * BLOCK_PIXELS
