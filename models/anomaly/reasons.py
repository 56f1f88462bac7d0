"""One sentence a person can read for every kind of strangeness.

A sentence says what was measured, by the name of that quantity and in its own unit. How unlikely that is
among normal spectra it does not say: the score does, of all kinds together.
"""

from __future__ import annotations

from spectraq.models.answer import Reason
from spectraq.models.grid.axis import DLOGLAM, LOGLAM0, N_PIXELS

SKY, INSTRUMENT = "sky", "instrument"
"""Whose doing: the object's own light, or how it was recorded and reduced."""
ORIGIN = {
    "poor_fit": SKY,
    "unmodelled_emission": SKY,
    "unmodelled_absorption": SKY,
    "broad_misfit": SKY,
    "arm_step": INSTRUMENT,
    "sky_residual": INSTRUMENT,
    "second_star": SKY,
    "second_galaxy": SKY,
    "second_quasar": SKY,
    "supernova": SKY,
    "ensemble_disagreement": SKY,
    "latent_distance": SKY,
}


def reason(kind: str, size: float, sigma: float, low: int, high: int, z: float) -> Reason:
    """Tell why a spectrum is strange.

    Parameters
    ----------
    kind
        One of `scores.KINDS`.
    size
        As of `Scores.size`.
    sigma
        How unlikely it is by chance among normal spectra, as a Gaussian's sigma.
    low, high
        First and last grid pixel concerned.
    z
        Redshift of the fit.
    """
    begin, end = (10 ** (LOGLAM0 + DLOGLAM * min(max(pixel, 0), N_PIXELS - 1)) for pixel in (low, high))
    middle = 0.5 * (begin + end)
    sentences = {
        "poor_fit": f"The fit leaves a chi2 of {size:.1f} a pixel, "
        "more than spectra of this class and S/N have.",
        "unmodelled_emission": f"An emission line at {middle:.0f} Å, {size:.1f} times the local scatter, "
        f"is none that an object at z = {z:.4f} should have.",
        "unmodelled_absorption": f"An absorption line at {middle:.0f} Å, {size:.1f} times the local scatter, "
        f"is none that an object at z = {z:.4f} should have.",
        "broad_misfit": f"From {begin:.0f} to {end:.0f} Å the flux is {abs(size):.0%} "
        f"{'above' if size > 0 else 'below'} the best fit.",
        "arm_step": f"The flux jumps {'up' if size > 0 else 'down'} by {abs(size):.0%} at {middle:.0f} Å, "
        "as where two arms of a spectrograph were joined badly.",
        "sky_residual": f"The night sky's lines were subtracted too {'little' if size > 0 else 'much'}: "
        f"they stand out by {abs(size):.1f} times their error.",
        "second_star": f"A star in the same spectrum would explain {abs(size):.0%} of its light.",
        "second_galaxy": f"A second galaxy, at z = {size:.4f}, would explain what the fit leaves.",
        "second_quasar": f"A quasar in the same spectrum, at z = {size:.4f}, "
        "would explain what the fit leaves.",
        "supernova": f"A supernova at the galaxy's redshift of {z:.4f} would explain {abs(size):.0%} "
        "of its light.",
        "ensemble_disagreement": "The networks disagree about its class: "
        f"their probabilities scatter by {size:.2f}.",
        "latent_distance": f"The encoder has seen none like it: {size:.1f} standard deviations "
        "from the middle of normal spectra of this class.",
    }
    return Reason(
        kind=kind,
        origin=ORIGIN[kind],
        strength=sigma,
        wavelength_min=begin,
        wavelength_max=end,
        message=sentences[kind],
    )
