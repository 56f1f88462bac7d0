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
LEAST_FREEDOM = 0.003
"""Steps less independent of the fit than this fraction are ignored."""


@dataclass(frozen=True, slots=True)
class Jump:
    """The most significant step of each of B spectra."""

    strength: torch.Tensor  # (B,) sigma, chi2 a pixel of the fit taken as the noise's
    fraction: torch.Tensor  # (B,) of the model's level
    pixel: torch.Tensor  # (B,) int64, on the fine grid


def sharpest(left: Leftover) -> Jump:
    """Find the step that makes chi2 least.

    With residual r, level m and orthonormal shapes q_j, a step redward of pixel p has the amplitude
    a = sum m w r / (sum m^2 w - sum_j (sum m w q_j)^2), all sums from p on, and a variance of one over the
    same denominator.
    """
    first, low, high = left.first, *(int(pixel_of(edge)) // REBIN for edge in STEP_RANGE)
    fitted = (first.amplitudes[:, :, None] * first.weighted).sum(1)
    signal = _redward(left.level * (left.ivar * left.flux - fitted))[:, low:high]
    whole = _redward(left.level.square() * left.ivar)
    followed = _redward(left.level[:, None] * first.weighted)[..., low:high].square().sum(1)
    freedom = whole[:, low:high] - followed
    told = freedom > LEAST_FREEDOM * whole[:, :1]
    inverse = torch.where(told, 1 / freedom.clamp_min(1e-9), 0.0)
    best = (signal.abs() * inverse.sqrt()).max(1)
    column = best.indices[:, None]
    fraction = (signal * inverse).gather(1, column)[:, 0]
    strength = best.values / left.kappa.double().sqrt()
    return Jump(strength.float(), fraction.float(), (best.indices + low) * REBIN)


def _redward(values: torch.Tensor) -> torch.Tensor:
    """Sum from each pixel on, along the last axis."""
    return values.double().flip(-1).cumsum(-1).flip(-1)
