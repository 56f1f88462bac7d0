"""Every score of a batch in one table, with what a reason needs to say where and how much."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.anomaly.airglow import sky_residual
from spectraq.models.anomaly.arm_step import Jump
from spectraq.models.anomaly.broad_misfit import BLOCK_PIXELS, broad, misfit
from spectraq.models.anomaly.residual import Residual
from spectraq.models.anomaly.second_object import Companions
from spectraq.models.anomaly.unexplained_lines import sought
from spectraq.models.anomaly.unfamiliar import Unfamiliar

KINDS = (
    "poor_fit",
    "unmodelled_emission",
    "unmodelled_absorption",
    "broad_misfit",
    "arm_step",
    "sky_residual",
    "second_star",
    "second_galaxy",
    "second_quasar",
    "supernova",
    "ensemble_disagreement",
    "detector",
    "latent_distance",
)
"""In the order of the table's columns. The last is measured by the reference, which knows what is near; the
detector's, the odds that it gives, follow from the others."""
DETECTOR = KINDS.index("detector")
NOTHING = "nothing"
SEEN = (
    NOTHING,
    "unmodelled_emission",
    "unmodelled_absorption",
    "arm_step",
    "sky_residual",
    "second_star",
    "second_galaxy",
    "second_quasar",
    "supernova",
)
"""What the detector tells apart, in the order of its outputs."""
COUNTED = tuple(kind for kind in SEEN if kind not in (NOTHING, "sky_residual"))
"""What it is asked for. Real surveys leave more sky in normal spectra than mocks have: the score of the sky
lines alone, which knows normal spectra, finds what is too much."""
STEP_MARGIN_PIXELS = 12
"""A step is shown this far on either side."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Scores of B spectra; the larger, the stranger."""

    value: torch.Tensor  # (B, kinds), of the last kind zero until the reference has measured it
    size: (
        torch.Tensor
    )  # (B, kinds) what a reader wants to know: chi2 a pixel, sigma, a fraction of the flux, or a redshift
    low: torch.Tensor  # (B, kinds) first pixel concerned
    high: torch.Tensor  # (B, kinds) last pixel concerned
    spectype: torch.Tensor  # (B,)
    latent: torch.Tensor  # (B, n) where the encoder puts it, zeros where there is none
    log_snr: torch.Tensor  # (B,)
    noise_estimated: torch.Tensor  # (B,)
    seen: torch.Tensor  # (B, len(SEEN)) the detector's log probabilities


def score(
    residual: Residual,
    filtered: torch.Tensor,
    companions: Companions,
    jump: Jump,
    unfamiliar: Unfamiliar,
    airglow: torch.Tensor,
) -> Scores:
    """Score a batch by all but the detector.

    Parameters
    ----------
    filtered
        From `lines.filtered`.
    """
    used = (residual.ivar > 0).int()
    first = used.argmax(1)
    last = used.shape[1] - 1 - used.flip(1).argmax(1)
    chi2 = misfit(residual)
    emission, absorption = sought(residual, filtered, airglow)
    wide, wide_fraction, wide_pixel = broad(residual)
    sky = sky_residual(residual, airglow)
    nothing = torch.zeros_like(chi2)
    value = [chi2, emission.strength, absorption.strength, wide, jump.strength.sqrt(), sky.abs()]
    value += [*companions.gain.sqrt().unbind(1), unfamiliar.disagreement.clamp_min(1e-4).log()]
    value += [nothing] * (len(KINDS) - len(value))
    size = [chi2.exp(), emission.strength, absorption.strength, wide_fraction, jump.fraction, sky]
    star, galaxy, quasar, supernova = range(companions.z.shape[1])
    size += [companions.share[:, star], companions.z[:, galaxy].float(), companions.z[:, quasar].float()]
    size += [companions.share[:, supernova], unfamiliar.disagreement]
    size += [nothing] * (len(KINDS) - len(size))
    reach = [(3 * line.width).long() for line in (emission, absorption)]
    low = [emission.pixel - reach[0], absorption.pixel - reach[1], wide_pixel]
    high = [emission.pixel + reach[0], absorption.pixel + reach[1], wide_pixel + BLOCK_PIXELS]
    low.append(jump.pixel - STEP_MARGIN_PIXELS)
    high.append(jump.pixel + STEP_MARGIN_PIXELS)
    rest = len(KINDS) - 1 - len(low)
    return Scores(
        value=torch.stack(value, 1),
        size=torch.stack(size, 1),
        low=torch.stack([first, *low, *[first] * rest], 1),
        high=torch.stack([last, *high, *[last] * rest], 1),
        spectype=residual.spectype,
        latent=unfamiliar.latent,
        log_snr=residual.snr.clamp_min(0.1).log10(),
        noise_estimated=residual.noise_estimated,
        seen=nothing[:, None].repeat(1, len(SEEN)),
    )
