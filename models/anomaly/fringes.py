"""Fringes: waves of one period in the red, where a thin detector is an interferometer of its own light.

A layer of constant thickness gives waves that are even in 1 / wavelength; where its thickness changes along
the detector they may as well be even in pixels. Both are tried at every period of a band; what the best gains
in chi2 is compared with the median of all periods, which residuals of sky and telluric bands have, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from spectraq.models.anomaly.residual import Residual
from spectraq.models.grid.axis import LN_PER_PIXEL, N_PIXELS, pixel_of, wavelength_of
from spectraq.models.lines import BANDS
from spectraq.models.tiles import in_tiles

BEGIN = 7000.0
"""Angstrom: blueward of it detectors are opaque."""
AT = 8500.0
PERIODS = (20.0, 120.0)
"""Angstrom at AT: as layers of 8 to 50 micrometres of silicon have."""
FREQUENCIES = 4096
"""Of the transform, negative ones too: more than twice the pixels, so that no period falls between two."""
CLIP_SIGMA = 4.0
USUAL_GAIN = 5.0
LEAST_AMPLITUDE = 0.01
"""Of the flux, below which waves count for no more than one sigma: no calibration is better than that."""


@dataclass(frozen=True, slots=True)
class Waves:
    """The waves of one period that B spectra have most of."""

    strength: torch.Tensor  # (B,) sigma, over what waves of the usual period gain
    amplitude: torch.Tensor  # (B,) of the model's level


def waves(residual: Residual) -> Waves:
    """Find the period at which what the fit leaves has most power.

    Waves of an amplitude a gain a^2 p / 2, where p is the sum of ivar times the level squared, and what is
    transformed has the absolute value a p / 2 at their frequency.
    """
    first = _first()
    root = residual.ivar[:, first:].sqrt() * _seen(residual.flux.device)
    level = residual.model[:, first:].abs()
    chi = (residual.narrow[:, first:] * root).clamp(-CLIP_SIGMA, CLIP_SIGMA)
    signal, power = chi * root * level, (root * level).square()
    even = _even_in_wavenumber(signal.device)
    kinds = torch.stack([signal, signal[:, even]], 1)
    total = torch.stack([power.sum(1), power[:, even].sum(1)], 1).clamp_min(1e-9)
    gain = 2 * in_tiles(_power, kinds) / total[..., None]
    usual = gain.median(2).values
    sigma, best = ((gain.amax(2) / (USUAL_GAIN + usual)).sqrt()).max(1)
    amplitude = (2 * gain.amax(2) / total).sqrt().gather(1, best[:, None])[:, 0]
    limited = sigma / (1 + (LEAST_AMPLITUDE * sigma / amplitude.clamp_min(1e-6)).square()).sqrt()
    return Waves(limited, amplitude)


def _power(signal: torch.Tensor) -> torch.Tensor:
    """Return the power of rows (B, 2, pixels) at the periods of the band, (B, 2, n)."""
    at: torch.Tensor = torch.fft.rfft(signal, FREQUENCIES)
    power: torch.Tensor = at.real.square() + at.imag.square()
    pixel = LN_PER_PIXEL * AT  # angstrom
    shortest, longest = (FREQUENCIES * pixel / period for period in PERIODS)
    return power[..., round(longest) : round(shortest)]


def _first() -> int:
    return round(float(pixel_of(BEGIN)))


@cache
def _seen(device: torch.device) -> torch.Tensor:
    """Return one where the atmosphere absorbs little, shape (pixels,)."""
    wavelength = wavelength_of(torch.arange(_first(), N_PIXELS, dtype=torch.float64))
    with torch.inference_mode(False):  # kept for callers of every kind
        seen = torch.ones(len(wavelength))
        for band in BANDS:
            seen[(wavelength > band.low) & (wavelength < band.high)] = 0.0
        return seen.to(device)


@cache
def _even_in_wavenumber(device: torch.device) -> torch.Tensor:
    """Return the pixels nearest to as many places that are even in 1 / wavelength, shape (pixels,) int64."""
    count = N_PIXELS - _first()
    ends = [1 / float(wavelength_of(float(pixel))) for pixel in (_first(), N_PIXELS - 1)]
    with torch.inference_mode(False):
        wavenumber = torch.linspace(ends[0], ends[1], count, dtype=torch.float64)
        return (pixel_of(1 / wavenumber).round().long() - _first()).clamp(0, count - 1).to(device)
