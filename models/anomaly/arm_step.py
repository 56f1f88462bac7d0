"""Steps where two arms of a spectrograph were joined badly: the flux redward of a pixel is off by a factor.

The step is fitted jointly with all shapes of the first object, at every pixel where arms may meet: a smooth
slope is no step, and what an eigenspectrum can follow is none either.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.anomaly.joint_fit import Leftover
from spectraq.models.grid.axis import REBIN, pixel_of

STEP_RANGE = (5000.0, 8000.0)
"""Angstrom: where the arms of the spectrographs meet."""
FAR_COARSE_PIXELS = 50
"""A step's own shape reaches so far: what is beyond is what the fit leaves of everything."""
END_COARSE_PIXELS = 20
LEAST_FREEDOM = 0.003
"""Steps less independent of the fit than this fraction are ignored."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The most significant step of each of B spectra."""

    strength: torch.Tensor  # (B,) sigma, chi2 a pixel of the fit taken as the noise's
    fraction: torch.Tensor  # (B,) of the model's level
    pixel: torch.Tensor  # (B,) int64, on the fine grid
    elsewhere: torch.Tensor  # (B,) root mean square of the same sigma at pixels far from it


def sharpest(left: Leftover) -> Jump:
    """Find the step that makes chi2 least.

    With residual r, level m and orthonormal shapes q_j, a step redward of pixel p has the amplitude
    a = sum m w r / (sum m^2 w - sum_j (sum m w q_j)^2), all sums from p on, and a variance of one over the
    same denominator.
    """
    first, low, high = left.first, *(int(pixel_of(edge)) // REBIN for edge in STEP_RANGE)
    fitted = (first.amplitudes[:, :, None] * first.weighted).sum(1)
    signal = _redward(left.level * (left.ivar * left.flux - fitted))
    whole = _redward(left.level.square() * left.ivar)
    followed = _cumulated(left.level[:, None] * first.weighted).square_().sum(1).flip(-1)
    freedom = whole - followed
    told = freedom > LEAST_FREEDOM * whole[:, :1]
    inverse = torch.where(told, 1 / freedom.clamp_min(1e-9), 0.0)
    sigma = signal.abs() * inverse.sqrt() / left.kappa.double().sqrt()[:, None]
    best = sigma[:, low:high].max(1)
    column = best.indices + low
    fraction = (signal * inverse).gather(1, column[:, None])[:, 0]
    elsewhere = _far_from(sigma, column, left.ivar > 0)
    return Jump(best.values.float(), fraction.float(), column * REBIN, elsewhere.float())


def _far_from(sigma: torch.Tensor, column: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Return the root mean square of B rows far from a column and from the ends of what is used, (B,)."""
    n = sigma.shape[1]
    place = torch.arange(n, device=sigma.device)
    first = used.int().argmax(1)
    last = n - 1 - used.int().flip(1).argmax(1)
    inside = (place > first[:, None] + END_COARSE_PIXELS) & (place < last[:, None] - END_COARSE_PIXELS)
    counted = inside & ((place - column[:, None]).abs() > FAR_COARSE_PIXELS)
    return ((sigma.square() * counted).sum(1) / counted.sum(1).clamp_min(1)).sqrt()


def _redward(values: torch.Tensor) -> torch.Tensor:
    """Sum from each pixel on, along the last axis."""
    return _cumulated(values).flip(-1)


def _cumulated(values: torch.Tensor) -> torch.Tensor:
    """Sum the same, the last pixel first."""
    return values.flip(-1).cumsum(-1, dtype=torch.float64)
