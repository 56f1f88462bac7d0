"""What no light and no detector does: faults of the reduction that numbers alone give away."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.anomaly.residual import Residual

BLOCK_PIXELS = 64
"""Stretches that flux is averaged over, 4400 km/s wide."""
LEAST_ERROR = 0.02
"""Of the median flux, in the mean of a stretch: the zero of the flux is known no better."""
SAME = 1e-6
"""Of the flux: neighbours that differ by less are the same number."""
CLIP_SIGMA = 8.0
"""One pixel counts for no more than this: the scatter is that of all."""
END_PIXELS = 50
"""From either end of a spectrum, where surveys fill up with the last value."""


@dataclass(frozen=True, slots=True)
class Reduced:
    """What the numbers of B spectra show."""

    negative: torch.Tensor  # (B,) sigma that the lowest stretch lies below zero, zero where none does
    negative_flux: torch.Tensor  # (B,) mean flux there, of the spectrum's median
    negative_pixel: torch.Tensor  # (B,) int64 where it begins
    same_share: torch.Tensor  # (B,) of pixels that have the very value of the one before
    run: torch.Tensor  # (B,) int64 pixels of the longest run of one value
    run_last: torch.Tensor  # (B,) int64 its last pixel
    scatter: torch.Tensor  # (B,) differences of neighbours over what the noise gives


def reduced(residual: Residual) -> Reduced:
    """Look at the numbers of a batch."""
    used = residual.ivar > 0
    flux = (residual.flux + residual.model) * used
    negative, low_flux, low_pixel = _negative(flux, residual.ivar)
    both = used[:, 1:] & used[:, :-1]
    step = (flux[:, 1:] - flux[:, :-1]).abs()
    same = both & (step <= SAME * flux[:, 1:].abs())
    run, last = _longest(same & _inside(used))
    return Reduced(
        negative,
        low_flux,
        low_pixel,
        same.sum(1) / both.sum(1).clamp_min(50),
        run,
        last,
        _scatter(residual, both & ~same),
    )


def _negative(flux: torch.Tensor, ivar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    weight = ivar.view(len(ivar), -1, BLOCK_PIXELS).sum(2)
    mean = (flux * ivar).view(len(ivar), -1, BLOCK_PIXELS).sum(2) / weight.clamp_min(1e-12)
    sigma = (1 / weight.clamp_min(1e-12) + LEAST_ERROR**2).sqrt()
    worst = (mean / sigma).min(1)
    there = worst.indices[:, None]
    return (-worst.values).clamp_min(0), mean.gather(1, there)[:, 0], worst.indices * BLOCK_PIXELS


def _inside(used: torch.Tensor) -> torch.Tensor:
    """Return the pixels but the first that are not near an end of what is used, (B, n - 1)."""
    place = torch.arange(used.shape[1], device=used.device)
    first, last = used.int().argmax(1), used.shape[1] - 1 - used.int().flip(1).argmax(1)
    return ((place > first[:, None] + END_PIXELS) & (place < last[:, None] - END_PIXELS))[:, 1:]


def _longest(same: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return pixels and the last pixel of the longest run, of B rows of "as the one before"; (B,) each."""
    place = torch.arange(1, same.shape[1] + 1, device=same.device)
    begun = torch.where(same, 0, place).cummax(1).values  # pixel that the run of each began with
    length = place - begun
    best = length.max(1)
    return best.values + 1, best.indices + 1


def _scatter(residual: Residual, counted: torch.Tensor) -> torch.Tensor:
    """Return the scatter of differences of neighbours over what noise gives, shape (B,)."""
    first, second = residual.ivar[:, 1:], residual.ivar[:, :-1]
    weight = first * second / (first + second).clamp_min(1e-12)
    square = (residual.flux[:, 1:] - residual.flux[:, :-1]).square() * weight
    clipped = square.clamp_max(CLIP_SIGMA**2) * counted
    return (clipped.sum(1) / counted.sum(1).clamp_min(50)).sqrt()
