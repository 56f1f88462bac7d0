"""Observe noiseless objects: noise of a survey's shape, its faults, and the ivar it would publish."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.prepare import box_mean
from spectraq.models.training.mocks.rest import blurred

MIN_GOOD_PIXELS = 500
SMOOTHING_PIXELS = (2.6, 1.4)
"""DESI's 0.8 angstrom pixels smoothed by three of them, in grid pixels at the blue and at the red end."""


@dataclass(frozen=True)
class Exposure:
    """A batch as a survey would publish it, scaled to a median flux of one before noise."""

    flux: torch.Tensor  # (n, N_PIXELS), zero where there is no pixel
    ivar: torch.Tensor  # (n, N_PIXELS)
    truth: torch.Tensor  # (n, N_PIXELS), the same without noise and faults
    usable: NDArray[np.bool_]  # (n,) enough pixels of a positive median


def _normal(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))


def _uniform(rng: np.random.Generator, *shape: int) -> torch.Tensor:
    return torch.from_numpy(rng.random(shape, dtype=np.float32))


def scaled(flux: torch.Tensor, good: torch.Tensor) -> tuple[torch.Tensor, NDArray[np.bool_]]:
    """Scale to a median |flux| of one over the good pixels; also tell which rows have a median above zero."""
    blank = torch.full_like(flux, float("nan"))
    median = torch.where(good, flux.abs(), blank).nanmedian(1, keepdim=True)[0]
    usable = torch.isfinite(median) & (median > 0)
    return flux / torch.where(usable, median, 1.0), usable[:, 0].numpy()


def with_shot_noise(
    sigma: torch.Tensor, flux: torch.Tensor, snr: NDArray[np.float64], rng: np.random.Generator
) -> torch.Tensor:
    """Scale relative noise to a median S/N; in bright objects part of the variance follows the flux."""
    level = torch.from_numpy(snr).float()[:, None]
    share = _uniform(rng, len(flux), 1) * (level > 4)
    continuum = box_mean(flux.clamp(0, 20), 15).clamp(0.1, 20)
    return sigma / level * torch.sqrt(1 - share + share * continuum)


def smoothed(values: torch.Tensor) -> torch.Tensor:
    """Smooth as a publisher did, wide in the blue and narrow in the red; shape (n, N_PIXELS) as given."""
    blue, red = (blurred(values, np.full(len(values), sigma)) for sigma in SMOOTHING_PIXELS)
    position = torch.linspace(0, 1.2, N_PIXELS).clamp(0, 1)
    return blue * (1 - position) + red * position


def sky_residuals(
    sigma: torch.Tensor, sky: torch.Tensor, rng: np.random.Generator, clean: bool
) -> torch.Tensor:
    """Draw what sky subtraction leaves under sky lines: slowly varying along the spectrum, (n, N_PIXELS)."""
    n = len(sigma)
    pattern = interpolate(_normal(rng, n, 1, 120), N_PIXELS, mode="linear")[:, 0]
    strength = torch.exp(0.8 * _normal(rng, n, 1) - 0.3) * (0.3 if clean else 2.0)
    return sigma * sky[None] * pattern * strength * _uniform(rng, n, 1).square()


def add_faults(
    flux: torch.Tensor, sigma: torch.Tensor, good: torch.Tensor, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add cosmic rays nobody masked, gaps, scattered masked pixels and a wrong sky level."""
    n = len(flux)
    for row in np.flatnonzero(rng.random(n) < 0.3):
        pixels = torch.from_numpy(rng.integers(0, N_PIXELS, rng.integers(1, 4)))
        flux[row, pixels] += sigma[row, pixels] * float(rng.uniform(4, 40))
    for row in np.flatnonzero(rng.random(n) < 0.25):
        for start in rng.integers(0, N_PIXELS, rng.integers(1, 4)):
            good[row, start : start + int(np.exp(rng.uniform(1, 5.3)))] = False
    speckled = torch.from_numpy(rng.random(n) < 0.3)
    good[speckled] &= _uniform(rng, int(speckled.sum()), N_PIXELS) > 0.02
    level = 0.3 * rng.standard_normal(n) * (rng.random(n) < 0.2)
    typical = torch.where(good, sigma, torch.nan).nanmedian(1, keepdim=True)[0].nan_to_num(0.0)
    return flux + torch.from_numpy(level).float()[:, None] * typical, good


def published_sigma(sigma: torch.Tensor, estimated: torch.Tensor) -> torch.Tensor:
    """Average noise over 115 pixels where it would be estimated from the flux, for lack of an ivar."""
    used = (sigma > 0).float()
    total, count = box_mean(sigma * used, 57), box_mean(used, 57)
    return torch.where(estimated[:, None], total / count.clamp_min(1e-6), sigma)


def expose(
    flux: torch.Tensor,
    covered: torch.Tensor,
    relative_sigma: torch.Tensor,
    snr: NDArray[np.float64],
    survey: NDArray[np.str_],
    sky: torch.Tensor,
    rng: np.random.Generator,
    clean: bool,
) -> Exposure:
    """Observe a batch.

    Parameters
    ----------
    flux, covered
        Objects on the observed grid, as the spectrograph would see them without noise, (n, N_PIXELS).
    relative_sigma
        From `surveys.draw_sigma`, (n, N_PIXELS).
    snr
        Median S/N a pixel wanted, (n,).
    sky
        Relative strength of sky lines, (N_PIXELS,).
    clean
        Leave out faults, and make the residuals of the sky small.
    """
    n = len(flux)
    good = (relative_sigma > 0) & covered
    flux, usable = scaled(flux, good)
    sigma = with_shot_noise(relative_sigma, flux, snr, rng)
    noise = _normal(rng, n, N_PIXELS)
    without_ivar = torch.from_numpy(survey == "smoothed")
    if len(rows := without_ivar.nonzero()[:, 0]):
        # Smoothed noise is weaker and correlated; the ivar estimated from it says so, and the S/N stays.
        flux[rows], noise[rows] = smoothed(flux[rows]), smoothed(noise[rows])
    wrong = torch.exp((0.04 if clean else 0.08) * _normal(rng, n, 1))
    observed = flux + sigma * noise * wrong + sky_residuals(sigma, sky, rng, clean)
    if not clean:
        observed, good = add_faults(observed, sigma, good, rng)
        without_ivar |= torch.from_numpy(rng.random(n) < 0.06)
    sigma = published_sigma(sigma, without_ivar)
    ivar = torch.where(good, sigma.clamp_min(1e-6) ** -2, 0.0)
    observed = torch.where(good, observed, 0.0)
    usable &= (good.sum(1) >= MIN_GOOD_PIXELS).numpy() & torch.isfinite(observed).all(1).numpy()
    return Exposure(observed, ivar, flux, usable)
