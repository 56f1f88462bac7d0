"""Misfits wider than lines: the whole fit, stretches of it, and steps where a spectrograph's arms meet."""

from __future__ import annotations

import torch

from models.anomaly.residual import LEAST_LEVEL, MODEL_ERROR, Residual, pixel_of
from models.preprocess import masked_median

BLOCK_PIXELS = 64
"""Stretches of 4400 km/s: wider than any line but a supernova's or a quasar's."""
CLIP_SIGMA = 8.0
"""One pixel counts for no more than this: cosmic rays are not misfits."""
STEP_PIXELS = 96
"""Width of each of the two stretches on either side that a step is measured from."""
STEP_RANGE = (5000.0, 8000.0)
"""Angstrom: where the arms of the spectrographs meet."""


def misfit(residual: Residual) -> torch.Tensor:
    """Log of chi2 a pixel, clipped; shape (B,)."""
    chi = (residual.flux * residual.ivar.sqrt()).clamp(-CLIP_SIGMA, CLIP_SIGMA)
    count = (residual.ivar > 0).sum(1).clamp_min(50)
    return (chi.square().sum(1) / count).clamp_min(0.05).log()


def broad(residual: Residual) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Misfit of whole stretches.

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
    known = weight > 0
    safe = torch.where(known, weight, 1.0)
    mean = (residual.flux * residual.ivar).view(n, -1, BLOCK_PIXELS).sum(2) / safe
    level = (residual.model.abs() * residual.ivar).view(n, -1, BLOCK_PIXELS).sum(2) / safe
    level = level.clamp_min(LEAST_LEVEL)
    sigma = (1 / safe + (MODEL_ERROR * level).square()).sqrt()
    chi = torch.where(known, mean / sigma, 0.0).clamp(-30, 30)
    score = (chi.square().sum(1) / known.sum(1).clamp_min(8) + 0.05).log()
    worst = chi.abs().argmax(1)
    fraction = (mean / level).gather(1, worst[:, None])[:, 0]
    return score, fraction, worst * BLOCK_PIXELS


def step(residual: Residual) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Find the sharpest jump of observed over fitted flux.

    Two stretches on either side of a pixel are extrapolated to it in a straight line, so that a smooth slope
    is no jump; the jump is taken relative to its own scatter over the spectrum.

    Returns
    -------
    strength
        In units of that scatter, shape (B,).
    fraction
        Size of the jump relative to the model, shape (B,).
    pixel
        Where, shape (B,).
    """
    model = residual.model.clamp_min(LEAST_LEVEL)
    ratio, weight = _sums(residual.ivar * model * residual.flux), _sums(residual.ivar * model.square())
    mean = ratio / weight.clamp_min(1e-9)  # (B, n): of the stretch that begins at each pixel
    variance = 1 / weight.clamp_min(1e-9)
    w = STEP_PIXELS
    far_left, left, right, far_right = (mean[:, i * w : mean.shape[1] - (3 - i) * w] for i in range(4))
    noise = [variance[:, i * w : mean.shape[1] - (3 - i) * w] for i in range(4)]
    jump = 1.5 * (right - left) - 0.5 * (far_right - far_left)
    sigma = (2.25 * (noise[1] + noise[2]) + 0.25 * (noise[0] + noise[3]) + MODEL_ERROR**2).sqrt()
    relative = jump / sigma
    pixel = torch.arange(jump.shape[1], device=jump.device) + 2 * w
    low, high = (pixel_of(wavelength) for wavelength in STEP_RANGE)
    seen = torch.stack([weight[:, i * w : mean.shape[1] - (3 - i) * w] for i in range(4)]).min(0).values > 0
    scatter = (masked_median(relative.abs(), seen) / 0.6745).nan_to_num(1.0).clamp_min(1.0)
    strength = torch.where(seen & (pixel > low) & (pixel < high), relative.abs() / scatter, 0.0)
    best = strength.max(1)
    at = best.indices[:, None]
    return best.values, jump.gather(1, at)[:, 0], pixel[best.indices]


def _sums(values: torch.Tensor) -> torch.Tensor:
    """Sums over STEP_PIXELS pixels from each pixel on, shape (B, N_PIXELS - STEP_PIXELS + 1)."""
    total = torch.nn.functional.pad(values.double().cumsum(1), (1, 0))
    return (total[:, STEP_PIXELS:] - total[:, :-STEP_PIXELS]).float()
