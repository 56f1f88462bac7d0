"""Strong emission lines that must not be upside down in a believable fit."""

from __future__ import annotations

import torch

from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS, pixel_of
from spectraq.models.lines import wavelength

STRONG_LINES = {
    "GALAXY": (("OII", "OIII_5008"), 6),
    "QSO": (("CIII", "MgII", "Hbeta", "Halpha"), 20),
}
"""Names of lines, and half the width of the window in pixels. Galaxies show Balmer lines in
absorption too, and quasars CIV and Lyman alpha: those may be negative."""
SIDE_PIXELS = 60
"""The continuum beside a line is taken as far as this on either side of its window."""
SIGNIFICANT = 5.0
"""Sigma by which a line must be negative."""


def negative_emission(analysis: BatchAnalysis) -> torch.Tensor:
    """Find fits with a strong line clearly upside down, bool, shape (B,)."""
    negative = torch.zeros_like(analysis.at_limit)
    for name, (lines, half) in STRONG_LINES.items():
        rows = torch.nonzero(analysis.decision.spectype == CLASSES.index(name))[:, 0]
        if len(rows) == 0:
            continue
        model, ivar = analysis.fit.model[rows], analysis.prepared.ivar[rows]
        for line in lines:
            centre = (analysis.lag[rows] + pixel_of(wavelength(line))).round().long()
            negative[rows] |= _significance(model, ivar, centre, half) < -SIGNIFICANT
    return negative


def _significance(model: torch.Tensor, ivar: torch.Tensor, centre: torch.Tensor, half: int) -> torch.Tensor:
    """Return the model line's flux over its sides in sigma of the observation, (B,); 0 where not seen."""
    reach = half + SIDE_PIXELS
    offset = torch.arange(-reach, reach + 1, device=model.device)
    index = centre[:, None] + offset
    inside = ((index >= 0) & (index < N_PIXELS)).all(1)
    index = index.clamp(0, N_PIXELS - 1)
    flux, weight = model.gather(1, index), ivar.gather(1, index)
    line = offset.abs() <= half
    continuum = flux[:, ~line].mean(1, keepdim=True)
    total = ((flux - continuum) * weight)[:, line].sum(1)
    error = weight[:, line].sum(1).clamp_min(1e-20).sqrt()
    return torch.where(inside & (weight[:, line] > 0).all(1), total / error, 0.0)
