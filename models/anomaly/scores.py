"""Every score of a batch in one table, with what a reason needs to say where and how much."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from models.anomaly.companion import Companions
from models.anomaly.lines import sought
from models.anomaly.residual import Residual
from models.anomaly.shape import BLOCK_PIXELS, STEP_PIXELS, broad, misfit, step
from models.anomaly.sky import sky_residual

KINDS = (
    "poor_fit",
    "unmodelled_emission",
    "unmodelled_absorption",
    "broad_misfit",
    "arm_step",
    "sky_residual",
    "second_star",
    "second_galaxy",
    "supernova",
)
"""In the order of the table's columns."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of B spectra; the larger, the stranger."""

    value: torch.Tensor  # (B, kinds)
    size: (
        torch.Tensor
    )  # (B, kinds) what a reader wants to know: chi2 a pixel, sigma, a fraction of the flux, or a redshift
    low: torch.Tensor  # (B, kinds) first pixel concerned
    high: torch.Tensor  # (B, kinds) last pixel concerned
    spectype: torch.Tensor  # (B,)
    log_snr: torch.Tensor  # (B,)
    noise_estimated: torch.Tensor  # (B,)


def score(residual: Residual, companions: Companions, airglow: torch.Tensor) -> Scores:
    """Score a batch."""
    used = (residual.ivar > 0).int()
    first = used.argmax(1)
    last = used.shape[1] - 1 - used.flip(1).argmax(1)
    chi2 = misfit(residual)
    emission, absorption = sought(residual, airglow)
    wide, wide_fraction, wide_pixel = broad(residual)
    jump, jump_fraction, jump_pixel = step(residual)
    sky = sky_residual(residual, airglow)
    value = [chi2, emission.strength, absorption.strength, wide, jump, sky.abs()]
    size = [chi2.exp(), emission.strength, absorption.strength, wide_fraction, jump_fraction, sky]
    value += list(companions.gain.log1p().unbind(1))
    size += [companions.share[:, 0], companions.z[:, 1].float(), companions.share[:, 2]]
    reach = [(3 * line.width).long() for line in (emission, absorption)]
    near = STEP_PIXELS // 8
    low = [emission.pixel - reach[0], absorption.pixel - reach[1], wide_pixel, jump_pixel - near]
    high = [
        emission.pixel + reach[0],
        absorption.pixel + reach[1],
        wide_pixel + BLOCK_PIXELS,
        jump_pixel + near,
    ]
    return Scores(
        value=torch.stack(value, 1),
        size=torch.stack(size, 1),
        low=torch.stack([first, *low, *[first] * 4], 1),
        high=torch.stack([last, *high, *[last] * 4], 1),
        spectype=residual.spectype,
        log_snr=residual.snr.clamp_min(0.1).log10(),
        noise_estimated=residual.noise_estimated,
    )
