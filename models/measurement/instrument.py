"""How wide an unresolved line is: the spread of each survey's spectrographs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.grid.surveys import SURVEYS, survey_index

Floats = NDArray[np.float64]

SPREAD: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    # Medians of `wdisp` of real spectra of each survey; the dichroics are at 6000 angstrom.
    "sdss": ((3700, 4000, 4500, 5000, 5500, 5900, 6200, 6500, 7000, 7500, 8000, 9000, 9800),
             (1.10, 1.05, 0.94, 0.86, 0.81, 0.87, 0.97, 0.92, 0.85, 0.77, 0.72, 0.69, 0.69)),
    "boss": ((3700, 4000, 4500, 5000, 5500, 5900, 6200, 6500, 7000, 7500, 8000, 9000, 9800),
             (1.31, 1.18, 1.04, 0.96, 0.91, 0.90, 0.97, 0.95, 0.90, 0.87, 0.84, 0.78, 0.81)),
    # R = 2000 to 5000 (DESI Collaboration 2022, AJ 164, 207, figure 33): about 0.75 angstrom.
    "desi": ((3600, 4700, 5760, 5800, 6700, 7600, 7650, 8700, 9800),
             (0.91, 0.70, 0.57, 0.56, 0.50, 0.45, 0.48, 0.43, 0.39)),
    # R = 1800 at all wavelengths (Zhao et al. 2012, RAA 12, 723).
    "lamost": ((3600, 10400), (1.02, 1.02)),
}  # fmt: skip
"""By survey: observed angstrom, and the standard deviation of an unresolved line in grid pixels."""
USUAL = 0.9
"""Of a survey that is not known: SDSS's, 62 km/s."""


def spread_at(survey: str | None, wavelength: float | Floats) -> Floats:
    """Return the standard deviation of an unresolved line in grid pixels, shape as given.

    Parameters
    ----------
    survey
        As of `Observation.survey`.
    wavelength
        Observed, vacuum angstrom.
    """
    known = survey_index(survey)
    if known == len(SURVEYS):
        return np.full(np.shape(wavelength), USUAL)
    return np.asarray(np.interp(wavelength, *SPREAD[SURVEYS[known]]))


def spread_km_s(survey: str | None, wavelength: float) -> float:
    """Return the same in km/s."""
    return float(spread_at(survey, wavelength)) * KM_S_PER_PIXEL
