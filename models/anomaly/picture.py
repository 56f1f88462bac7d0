"""What the detector sees of a spectrum: a picture of what the fit leaves, and the other scores beside it."""

from __future__ import annotations

import torch
from torch.nn.functional import max_pool1d, one_hot

from models.anomaly.lines import known
from models.anomaly.residual import LEAST_LEVEL, Residual
from models.anomaly.scores import Scores
from models.classifier import CLASSES
from models.grid import N_COARSE, REBIN, coarse
from models.refine import z_of

N_PLANES = 8
N_EVIDENCE = 11 + len(CLASSES) + 3
EDGE_PIXELS = 2
"""Filters that reach over masked pixels so near show gaps, not lines."""
SIGMA = slice(1, 3)
GAINS = slice(4, 10)
"""Scores in units of sigma, from lines to companions; the others are logarithms."""
DISAGREEMENT = 10


def picture(residual: Residual, filtered: torch.Tensor) -> torch.Tensor:
    """Draw what the fit leaves on coarse pixels.

    Parameters
    ----------
    filtered
        From `lines.filtered`, shape (B, widths, N_PIXELS).

    Returns
    -------
    planes
        Shape (B, N_PLANES, N_COARSE), each of order one: residual over noise, residual over the model, the
        model, its S/N, narrow and wide emission, absorption, and where the object has lines of its own.
    """
    n = len(residual.flux)
    left, weight = coarse(residual.flux, residual.ivar)
    model = residual.model.view(n, N_COARSE, REBIN).mean(2)
    used = (weight > 0).to(left.dtype)
    level, precision = model.abs().clamp_min(LEAST_LEVEL), weight.sqrt()
    gap = max_pool1d((residual.ivar == 0).to(left.dtype)[:, None], 2 * EDGE_PIXELS + 1, 1, EDGE_PIXELS) > 0
    lines = torch.where(gap, 0.0, filtered)
    emission, absorption = (max_pool1d(side, REBIN).clamp_min(0) for side in (lines, -lines))
    own = known(residual).to(left.dtype).view(n, N_COARSE, REBIN).mean(2)
    return torch.stack(
        [
            torch.asinh(left * precision / 2) * used,
            torch.asinh(4 * left / level) * used,
            torch.asinh(model) * used,
            0.3 * torch.log1p((precision * level).clamp(0, 3e3)) * used,
            torch.asinh(emission[:, 0] / 2),
            torch.asinh(emission[:, 1:].max(1).values / 2),
            torch.asinh(absorption.max(1).values / 2),
            own,
        ],
        dim=1,
    )


def evidence(scores: Scores, residual: Residual) -> torch.Tensor:
    """Put the measured scores, class, S/N and redshift side by side, each of order one: (B, N_EVIDENCE)."""
    value = scores.value
    numbers = [
        value[:, :1],
        torch.asinh(value[:, SIGMA] / 2),
        value[:, SIGMA.stop : GAINS.start],
        torch.asinh(value[:, GAINS] / 2),
        value[:, DISAGREEMENT, None] / 5,
        one_hot(scores.spectype, len(CLASSES)).to(value.dtype),
        scores.log_snr[:, None],
        scores.noise_estimated.to(value.dtype)[:, None],
        z_of(residual.lag).to(value.dtype)[:, None],
    ]
    return torch.cat(numbers, 1).nan_to_num(0.0)
