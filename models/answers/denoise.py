"""The spectrum without its noise: the best fit, and of what the fit leaves, what is more than noise.

The residual in units of its noise is split into bands of growing width (the "a trous" wavelets of Starck and
Murtagh 1994, B3 spline). Where a band's local power exceeds the noise's, that much of it is kept, as James
and Stein's estimator does: at low S/N the fit stands alone, at high S/N the data speak.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import pad

from spectraq.models.grid.prepare import box_mean

SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
N_BANDS = 7
NOISE = (0.724, 0.286, 0.178, 0.122, 0.086, 0.061, 0.042, 0.061)
"""Standard deviation of each band, and of the smooth rest, for white noise of unit variance."""
CAUTION = 3.0
"""Times the noise's power that a band's local power must exceed: its estimate is noisy itself."""
POWER_WINDOW = 8
"""Width over which power is averaged, in the band's own scale."""
LIMIT_SIGMA = 1e3
UNSEEN_SIGMA, UNSEEN_FRACTION = 0.08, 0.008
"""Misfit that hides in the noise, in units of its standard deviation and of the flux: with these, errors of
mocks are about right from S/N 1 to 100."""


@dataclass(frozen=True, slots=True)
class Denoised:
    """B spectra without noise."""

    flux: torch.Tensor  # (B, N_PIXELS)
    sigma: torch.Tensor  # (B, N_PIXELS) one standard deviation


def bands(values: torch.Tensor) -> list[torch.Tensor]:
    """Split rows into N_BANDS bands, the finest first, and a smooth rest; their sum is the whole."""
    details, smooth = [], values
    for j in range(N_BANDS):
        step = 2**j
        padded = pad(smooth[:, None], (2 * step, 2 * step), mode="reflect")[:, 0]
        n = smooth.shape[1]
        smoother = torch.zeros_like(smooth)
        for i, weight in enumerate(SPLINE):
            smoother.add_(padded[:, i * step : i * step + n], alpha=weight)
        details.append(smooth - smoother)
        smooth = smoother
    return [*details, smooth]


def denoise(flux: torch.Tensor, ivar: torch.Tensor, model: torch.Tensor, error: torch.Tensor) -> Denoised:
    """Add to a fit what of its residual is signal.

    Parameters
    ----------
    flux, ivar
        As observed, without model error, shape (B, N_PIXELS).
    model, error
        The best fit and its standard deviation, in the same unit.
    """
    used = ivar > 0
    sigma = torch.where(used, ivar.clamp_min(1e-30).rsqrt(), 0.0)
    pull = torch.where(used, (flux - model) * ivar.sqrt(), 0.0).clamp(-LIMIT_SIGMA, LIMIT_SIGMA)
    kept, variance = torch.zeros_like(pull), torch.full_like(pull, UNSEEN_SIGMA**2)
    for j, band in enumerate(bands(pull)):
        power = box_mean(band.square(), max(2, POWER_WINDOW * 2**j // 2))
        share = (1 - CAUTION * NOISE[j] ** 2 / power.clamp_min(1e-9)).clamp(0, 1)
        kept.addcmul_(share, band)
        variance.add_(share, alpha=NOISE[j] ** 2)
    hidden = (UNSEEN_FRACTION * model).square() * used
    return Denoised(model + kept * sigma, torch.sqrt(variance * sigma.square() + hidden + error.square()))
