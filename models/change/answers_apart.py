"""Where the two answers disagree on class or redshift, and which of them explains both spectra."""

from __future__ import annotations

from statistics import NormalDist

from spectraq.models.change.epoch import Epoch
from spectraq.models.change.evidence import PairEvidence
from spectraq.models.change.identity import preferred
from spectraq.models.change.record import ChangeReason
from spectraq.models.classes import SAME_Z
from spectraq.models.grid.axis import wavelength_of

SURE = 0.9
"""Probability of a class that is believed."""
LEAST_DELTACHI2 = 16.0
"""By which a redshift that is believed stands before the next one."""
LEAST_PREFERENCE = 25.0
"""Difference of chi2 from which on one of two answers is the likelier."""


def answers_apart(earlier: Epoch, newer: Epoch, evidence: PairEvidence, rate: float) -> list[ChangeReason]:
    """Return class_changed and redshift_changed where both answers seem sure and differ.

    Parameters
    ----------
    rate
        How often that happens to unchanged pairs.
    """
    class_apart = earlier.spectype != newer.spectype
    apart = abs(newer.z - earlier.z) / (1 + earlier.z)
    z_apart = apart > max(SAME_Z[earlier.spectype], SAME_Z[newer.spectype])
    sure = min(earlier.class_probability, newer.class_probability) > SURE
    steady = min(earlier.deltachi2, newer.deltachi2) > LEAST_DELTACHI2
    reasons = []
    if class_apart and sure:
        message = (
            f"Class changed from {earlier.spectype} to {newer.spectype}: {_which(earlier, newer, evidence)}"
        )
        reasons.append(_reason("class_changed", rate, 0.0, newer.spectype, message, evidence))
    if z_apart and steady:
        message = (
            f"Redshift changed from {earlier.z:.4f} to {newer.z:.4f}, as no object's does: "
            f"{_which(earlier, newer, evidence)}"
        )
        reasons.append(_reason("redshift_changed", rate, newer.z - earlier.z, "", message, evidence))
    return reasons


def _which(earlier: Epoch, newer: Epoch, evidence: PairEvidence) -> str:
    """Return which answer is the likelier, and why."""
    better = preferred(evidence.pair)
    if abs(better) < LEAST_PREFERENCE:
        return "neither answer explains both spectra better"
    right, wrong, epoch = ("newer", "earlier", newer) if better > 0 else ("earlier", "newer", earlier)
    return (
        f"the {wrong} answer is the likelier to be wrong, as the {right}'s model ({epoch.spectype}, "
        f"z = {epoch.z:.4f}) explains both spectra better by {abs(better):,.0f} in chi2"
    )


def _reason(
    kind: str, rate: float, size: float, name: str, message: str, evidence: PairEvidence
) -> ChangeReason:
    used = evidence.pair.used.nonzero()[0]
    low, high = (float(wavelength_of(float(pixel))) for pixel in (used[0], used[-1]))
    strength = -NormalDist().inv_cdf(min(rate, 0.5))
    return ChangeReason(kind, strength, rate, size, None, "", low, high, name, message)
