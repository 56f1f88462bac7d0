"""What the detector sees of a spectrum: a picture of what the fit leaves, and the other scores beside it."""

from __future__ import annotations

import torch
from torch.nn.functional import one_hot, pad

from spectraq.models.anomaly.kinds import SHOWN
from spectraq.models.anomaly.residual import Residual
from spectraq.models.anomaly.scores import Scores
from spectraq.models.anomaly.unexplained_lines import near_known_lines
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_COARSE, REBIN, coarse, z_of
from spectraq.models.grid.model_error import LEAST_LEVEL
from spectraq.models.grid.prepare import asinh

N_PLANES = 8
N_EVIDENCE = len(SHOWN) + len(CLASSES) + 3
EDGE_PIXELS = 2
"""Filters that reach over masked pixels so near show gaps, not lines."""


def picture(residual: Residual, filtered: torch.Tensor) -> torch.Tensor:
    """Draw what the fit leaves on coarse pixels.

    Parameters
    ----------
    filtered
        From `unexplained_lines.filtered`, shape (B, widths, N_PIXELS).

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
    near = pad((residual.ivar > 0).to(left.dtype), (EDGE_PIXELS, EDGE_PIXELS), value=1.0)
    whole = near.unfold(1, 2 * EDGE_PIXELS + 1, 1).amin(2)
    lines = (filtered * whole[:, None]).view(n, -1, N_COARSE, REBIN)
    emission, absorption = lines.amax(3).clamp_min(0), (-lines.amin(3)).clamp_min(0)
    line_share = near_known_lines(residual).to(left.dtype).view(n, N_COARSE, REBIN).mean(2)
    return torch.stack(
        [
            asinh(left * precision / 2) * used,
            asinh(4 * left / level) * used,
            asinh(model) * used,
            0.3 * torch.log1p((precision * level).clamp(0, 3e3)) * used,
            asinh(emission[:, 0] / 2),
            asinh(emission[:, 1:].amax(1) / 2),
            asinh(absorption.amax(1) / 2),
            line_share,
        ],
        dim=1,
    )


def evidence(scores: Scores, residual: Residual) -> torch.Tensor:
    """Put the measured scores, class, S/N and redshift side by side, each of order one: (B, N_EVIDENCE)."""
    value = scores.value
    numbers = [
        *(shown_as(value[:, column, None]) for column, shown_as in SHOWN),
        one_hot(scores.spectype, len(CLASSES)).to(value.dtype),
        scores.log_snr[:, None],
        scores.noise_estimated.to(value.dtype)[:, None],
        z_of(residual.lag).to(value.dtype)[:, None],
    ]
    return torch.cat(numbers, 1).nan_to_num(0.0)
