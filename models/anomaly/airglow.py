"""Night-sky lines that were subtracted too little or too much."""

from __future__ import annotations

import torch

from spectraq.models.anomaly.residual import Residual, pixel_of
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.tiles import dot

AIRGLOW = (
    (5578.9, 100), (5891.6, 20), (6302.0, 100), (6365.5, 33), (6555.4, 40), (6865.9, 76), (7318.1, 64),
    (7394.3, 30), (7714.4, 61), (7752.8, 50), (7796.5, 39), (7823.5, 99), (7843.3, 49), (7892.2, 59),
    (7915.9, 100), (7923.2, 87), (7967.1, 45), (7995.6, 60), (8027.9, 90), (8290.9, 100), (8298.5, 68),
    (8346.9, 80), (8384.9, 31), (8401.8, 90), (8432.5, 80), (8454.7, 77), (8495.7, 76), (8507.5, 72),
    (8631.8, 36), (8653.7, 55), (8661.6, 46), (8671.6, 51), (8764.0, 100), (8780.8, 60), (8793.8, 40),
    (8829.5, 60), (8838.9, 100), (8869.9, 60), (8888.0, 90), (8922.1, 100), (8960.6, 100), (8990.8, 100),
    (9040.7, 47), (9051.9, 40), (9315.4, 46), (9326.1, 100), (9378.5, 90), (9399.4, 30), (9422.0, 100),
    (9442.3, 90), (9479.8, 100), (9505.2, 50), (9522.8, 60), (9554.9, 100), (9569.7, 100), (9685.0, 93),
    (9722.8, 80), (9740.9, 79), (9793.8, 70), (9802.5, 60), (9875.0, 100), (9917.4, 100), (9949.5, 100),
)  # fmt: skip
"""Vacuum wavelength in angstrom and rough strength of [OI], Na and the stronger OH lines (Rousselot et al.
2000); strengths change by the hour and are capped at 100."""
LINE_SIGMA_PIXELS = 1.3


def airglow(device: torch.device) -> torch.Tensor:
    """The lines as a spectrum, the strongest of height one; shape (N_PIXELS,)."""
    pixel = torch.arange(N_PIXELS, device=device)
    centre = torch.tensor([pixel_of(wavelength) for wavelength, _ in AIRGLOW], device=device)[:, None]
    height = torch.tensor([strength / 100 for _, strength in AIRGLOW], device=device)[:, None]
    return (height * torch.exp(-0.5 * ((pixel - centre) / LINE_SIGMA_PIXELS).square())).sum(0)


def sky_residual(residual: Residual, lines: torch.Tensor) -> torch.Tensor:
    """Significance of the sky's lines in the residual, positive if too little was subtracted; shape (B,).

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
