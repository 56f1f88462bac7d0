"""How many nats a gap in chi2 is worth: large gaps come from what no basis can follow, and count for less."""

from __future__ import annotations

import torch

REDSHIFT_SCALE = 2.0
"""Gaps between redshifts of one class count as -2 ln(1 + gap/2): chosen on hard mocks among 2, 4 and 10."""
CLASS_WEIGHT = 0.3
CLASS_FLOOR = -1.5
"""Gaps between classes, or star types, count by this weight, and never more than this many nats. Stars of
high S/N and bad flux calibration are fitted better as something else; networks that are sure know better."""


MIN_FREEDOM = 10
"""Pixels that chi2 is divided by at least."""


def kappa_of(chi2: torch.Tensor, pixels: torch.Tensor) -> torch.Tensor:
    """Return by how much the noise must be larger than stated for the fit to be a good one: max(1, chi2/dof).

    Parameters
    ----------
    chi2
        Of the best fit.
    pixels
        How many it was summed over; shape as `chi2`.
    """
    return (chi2 / pixels.clamp_min(MIN_FREEDOM)).clamp_min(1)


def between_redshifts(gap: torch.Tensor) -> torch.Tensor:
    """Return the nats for a redshift whose chi2 is `gap` = chi2 / (2 kappa) above the best; 0 or less."""
    return -REDSHIFT_SCALE * torch.log1p(gap.clamp_min(0) / REDSHIFT_SCALE)


def between_classes(gap: torch.Tensor) -> torch.Tensor:
    """Return the nats for a class whose chi2 is `gap` nats above the best class's; from CLASS_FLOOR to 0."""
    return (-CLASS_WEIGHT * gap).clamp_min(CLASS_FLOOR)
