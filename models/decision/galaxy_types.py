"""Which kind of galaxy: what the networks believe, and what the measured lines say.

SDSS's rules: a galaxy with lines is AGN above log [OIII]/Hb = 0.7 - 1.2 (log [NII]/Ha + 0.4), else
star-forming, and a starburst where Ha is wider than 50 angstrom. Each rule counts by the probability that the
measured value is on its side, given its error; a line that is not seen says nothing.
"""

from __future__ import annotations

import math

import torch

from spectraq.models.classes import GALAXY_TYPES, SUBCLASSES
from spectraq.models.decision.galaxy_lines import NAMES, GalaxyLines

FIRST = SUBCLASSES.index(GALAXY_TYPES[0])
STARBURST_WIDTH = 50.0
"""Angstrom of Ha at rest (SDSS's pipeline)."""
PASSIVE_WIDTH = 2.5
"""Galaxies with less Ha than this, in angstrom, count as passive: the mocks' passive ones have 0.3."""
SEEN_SIGMA = 3.0
"""Ha below this is not a line but noise."""
RATIO_SIGMA = 1.5
"""Lines of a ratio must be seen by this at least: fainter ones have no logarithm."""
INTRINSIC_DEX = 0.1
"""Scatter of the rules' borders: stellar absorption under the Balmer lines, and calibration."""
LEAST_NATS = -3.0
"""No line rules out what the networks are sure of."""


def _side(
    distance: torch.Tensor, error: torch.Tensor, measured: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the nats for being above a border and for being below it; zero where nothing is known."""
    pull = distance / error
    above, below = (torch.special.log_ndtr(sign * pull).clamp_min(LEAST_NATS) for sign in (1, -1))
    return torch.where(measured, above, 0.0), torch.where(measured, below, 0.0)


def evidence(lines: GalaxyLines) -> torch.Tensor:
    """Return the nats that the lines give to each of GALAXY_TYPES, shape (B, 4)."""
    width, relative = lines.width.clamp_min(1e-2), lines.error / lines.width.clamp_min(1e-2)
    hbeta, oiii, halpha, nii = (NAMES.index(name) for name in ("Hbeta", "OIII", "Halpha", "NII"))
    logarithm, dex = width.log10(), relative / math.log(10)
    strong = lines.width[:, halpha] > SEEN_SIGMA * lines.error[:, halpha]
    with_ratios = (lines.width > RATIO_SIGMA * lines.error)[:, [hbeta, oiii, halpha, nii]].all(1) & strong
    nii_ha, oiii_hb = logarithm[:, nii] - logarithm[:, halpha], logarithm[:, oiii] - logarithm[:, hbeta]
    above = oiii_hb - (0.7 - 1.2 * (nii_ha + 0.4))
    error = torch.sqrt(
        dex[:, oiii] ** 2
        + dex[:, hbeta] ** 2
        + 1.44 * (dex[:, nii] ** 2 + dex[:, halpha] ** 2)
        + INTRINSIC_DEX**2
    )
    agn, formers = _side(above, error, with_ratios)
    border = logarithm[:, halpha] - math.log10(STARBURST_WIDTH)
    burst, quiet = _side(border, torch.sqrt(dex[:, halpha] ** 2 + INTRINSIC_DEX**2), strong)
    measured = torch.isfinite(lines.error[:, halpha])
    active, passive = _side(lines.width[:, halpha] - PASSIVE_WIDTH, lines.error[:, halpha] + 1.0, measured)
    return torch.stack([passive, active + formers + quiet, active + formers + burst, active + agn], 1)


def typed(subclass: torch.Tensor, lines: GalaxyLines) -> torch.Tensor:
    """Let the lines shift probability between the kinds of galaxy; shape (B, 18) as given.

    Parameters
    ----------
    subclass
        Probabilities of B galaxies' subclasses.
    """
    last = FIRST + len(GALAXY_TYPES)
    before = subclass[:, FIRST:last]
    after = before * evidence(lines).exp()
    after = after * before.sum(1, keepdim=True) / after.sum(1, keepdim=True).clamp_min(1e-30)
    return torch.cat([subclass[:, :FIRST], after, subclass[:, last:]], 1)
