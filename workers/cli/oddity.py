"""How odd a spectrum is, in the words that the page has for it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spectraq.schemas.results import Anomaly

RAREST = 1e-4
"""Below this a rate is an extrapolation of the reference, and only said to be below it."""
OFTEN = 0.1


def oddity(anomaly: Anomaly) -> str:
    """Return the one number that says how odd a spectrum is, -log10 of its false-positive rate."""
    return f"score {anomaly.score:.1f}"


def rarity(rate: float) -> str:
    """Return what a score means, as of its false-positive rate.

    >>> rarity(0.00093)
    '1 in 1100 ordinary spectra scores as high'
    """
    if rate < RAREST:
        return f"fewer than 1 in {1 / RAREST:.0f} ordinary spectra score as high"
    if rate > OFTEN:
        return f"{rate:.0%} of ordinary spectra score as high"
    return f"1 in {float(f'{1 / rate:.1e}'):.0f} ordinary spectra scores as high"
