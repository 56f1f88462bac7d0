"""Night-sky lines that were subtracted too little or too much."""

from __future__ import annotations

import torch

from spectraq.models.anomaly.residual import Residual
from spectraq.models.grid.axis import N_PIXELS, pixel_of
from spectraq.models.lines import AIRGLOW_LINES
from spectraq.models.tiles import dot

LINE_SIGMA_PIXELS = 1.3


def airglow(device: torch.device) -> torch.Tensor:
    """Return the lines as a spectrum, the strongest of height one; shape (N_PIXELS,)."""
    pixel = torch.arange(N_PIXELS, device=device)
    centre = torch.tensor([pixel_of(wavelength) for wavelength, _ in AIRGLOW_LINES], device=device)[:, None]
    height = torch.tensor([strength / 100 for _, strength in AIRGLOW_LINES], device=device)[:, None]
    return (height * torch.exp(-0.5 * ((pixel - centre) / LINE_SIGMA_PIXELS).square())).sum(0)


def sky_residual(residual: Residual, lines: torch.Tensor) -> torch.Tensor:
    """Return the significance of the sky's lines, positive if too little was subtracted; shape (B,).

    Parameters
    ----------
    lines
        From `airglow`.
    """
    signal = dot(residual.narrow * residual.ivar, lines)
    sigma = dot(residual.ivar, lines.square()).clamp_min(1e-9).sqrt()
    quiet = (lines < 0.05) & (residual.ivar > 0)
    chi = (residual.narrow * residual.ivar.sqrt()).clamp(-6, 6).square()
    scatter = ((chi * quiet).sum(1) / quiet.sum(1).clamp_min(50)).sqrt().clamp_min(1.0)
    return signal / sigma / scatter
