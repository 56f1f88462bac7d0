"""Why a spectrum is strange, in one sentence that a person can read.

A sentence says what was measured, but not how unlikely that is among normal spectra: the score does, of all
kinds together.
"""

from __future__ import annotations

from spectraq.models.anomaly.kinds import BY_NAME
from spectraq.models.answer import Reason
from spectraq.models.grid.axis import N_PIXELS, wavelength_of


def reason(kind: str, size: float, sigma: float, low: int, high: int, z: float) -> Reason:
    """Return why a spectrum is strange.

    Parameters
    ----------
    kind
        One of `kinds.KINDS` that has a sentence.
    size
        As of `Scores.size`.
    sigma
        How unlikely it is by chance among normal spectra, as a Gaussian's sigma.
    low, high
        First and last grid pixel concerned.
    z
        Redshift of the fit.
    """
    begin, end = (wavelength_of(min(max(pixel, 0), N_PIXELS - 1)) for pixel in (low, high))
    about = BY_NAME[kind]
    message = about.sentence.format(
        size=size,
        amount=abs(size),
        sign=about.signs[0 if size > 0 else 1],
        begin=begin,
        end=end,
        middle=0.5 * (begin + end),
        z=z,
    )
    return Reason(
        kind=about.told_as or kind,
        origin=about.origin,
        strength=sigma,
        wavelength_min=begin,
        wavelength_max=end,
        message=message,
    )
