"""What the lines of a galaxy say: dust by the Balmer decrement, and what ionises the gas."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import Quantity
from spectraq.models.measurement.ground import root_of
from spectraq.models.measurement.line_records import SEEN_SIGMA, MeasuredLines
from spectraq.models.measurement.stellar_continuum import LEAST_SNR_OF_DISPERSION, StellarContinuum

CASE_B = 2.86
"""H alpha over H beta without dust, at 10^4 K and 100 cm^-3 (Osterbrock and Ferland 2006)."""
CURVE = 3.609 - 2.535
"""k(H beta) - k(H alpha) of Cardelli, Clayton and Mathis 1989 (ApJ 345, 245), R_V = 3.1."""
BPT_LINES = ("Hbeta", "OIII_5008", "Halpha", "NII_6585")
BPT_CLASSES = ("star_forming", "composite", "seyfert", "liner")
DRAWS = 1000


@cache
def _normal() -> NDArray[np.float64]:
    """Return independent draws, each with its mirror image, (DRAWS, lines)."""
    drawn = np.random.default_rng(0).standard_normal((DRAWS // 2, len(BPT_LINES)))
    return np.concatenate([drawn, -drawn])


def reddening(lines: MeasuredLines) -> Quantity:
    """Return E(B-V) of the gas from H alpha over H beta."""
    known = lines.flux(("Halpha", "Hbeta"))
    if known is None:
        return Quantity(None, None, "mag", "H alpha or H beta is outside the spectrum, or masked")
    flux, covariance = known
    if (flux < SEEN_SIGMA * np.sqrt(covariance.diagonal())).any():
        return Quantity(None, None, "mag", "H alpha or H beta is not seen")
    scale = 2.5 / CURVE
    gradient = np.array([1, -1]) / flux / math.log(10)
    error = math.sqrt(float(gradient @ covariance @ gradient))
    return Quantity(scale * math.log10(flux[0] / flux[1] / CASE_B), scale * error, "mag")


def bpt(lines: MeasuredLines) -> tuple[str | None, dict[str, Quantity]]:
    """Return the most probable class by [N II] and [O III], and each one's probability.

    The diagram is Baldwin, Phillips and Terlevich's (1981). Star-forming below Kauffmann et al. 2003 (MNRAS
    346, 1055, eq. 1), composite from there to Kewley et al. 2001 (ApJ 556, 121, eq. 5), above it Seyferts and
    LINERs divided as in Schawinski et al. 2007 (MNRAS 382, 1415).
    """
    known = lines.flux(BPT_LINES)
    if known is None:
        return _no_class("one of its four lines is outside the spectrum, or masked")
    flux, covariance = known
    if (flux < SEEN_SIGMA * np.sqrt(covariance.diagonal())).any():
        return _no_class("one of its four lines is not seen")
    drawn = flux + _normal() @ root_of(covariance)
    drawn = drawn[(drawn > 0).all(1)]
    kind = bpt_class(np.log10(drawn[:, 3] / drawn[:, 2]), np.log10(drawn[:, 1] / drawn[:, 0]))
    share = np.bincount(kind, minlength=len(BPT_CLASSES)) / kind.size
    quantities = {
        f"p_{name}": Quantity(float(p), None, "") for name, p in zip(BPT_CLASSES, share, strict=True)
    }
    return BPT_CLASSES[int(share.argmax())], quantities


def _no_class(reason: str) -> tuple[None, dict[str, Quantity]]:
    return None, {f"p_{name}": Quantity(None, None, "", reason) for name in BPT_CLASSES}


def bpt_class(nii: NDArray[np.float64], oiii: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the index in BPT_CLASSES from log [N II]/H alpha and log [O III]/H beta, shape as given."""
    kauffmann = np.where(nii < 0.05, 0.61 / np.minimum(nii - 0.05, -1e-9) + 1.3, -np.inf)
    kewley = np.where(nii < 0.47, 0.61 / np.minimum(nii - 0.47, -1e-9) + 1.19, -np.inf)
    active = np.where(oiii > 1.05 * nii + 0.45, 2, 3)
    return np.asarray(np.where(oiii < kauffmann, 0, np.where(oiii < kewley, 1, active)))


def velocity_dispersion(continuum: StellarContinuum, snr: float) -> Quantity:
    """Return the stars' velocity dispersion, the instrument's share taken out."""
    if snr < LEAST_SNR_OF_DISPERSION:
        return Quantity(None, None, "km/s", f"median S/N below {LEAST_SNR_OF_DISPERSION:g}")
    if continuum.at_limit or not math.isfinite(continuum.dispersion_error):
        return Quantity(None, None, "km/s", "not between the least and the largest that are tried")
    if continuum.dispersion < 3 * continuum.dispersion_error:
        return Quantity(None, None, "km/s", "not measured to a third of itself")
    return Quantity(continuum.dispersion, continuum.dispersion_error, "km/s")
