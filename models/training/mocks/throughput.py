"""What is multiplied onto an object's light: dust, imperfect flux calibration, arms that do not meet."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH

CALIBRATION_TERMS = 5
CALIBRATION_DECAY = np.array([1.0, 1.2, 1.6, 2.2, 3.0])
"""By how much smaller each Chebyshev term of the flux calibration's error is than the first."""
CALIBRATION_ERROR = 0.06
LAMOST_CALIBRATION_ERROR = 0.18
"""LAMOST has no absolute flux calibration."""
ARM_PIXELS = (1760, 2050, 2150, 2290, 2920, 3200)
"""Where spectrographs' arms meet: BOSS and SDSS near 6000 angstrom, DESI at 5800 and 7600, LAMOST at 5900,
4MOST at 5400 and 7050."""


def calibration(survey: NDArray[np.str_], rng: np.random.Generator, clean: bool) -> torch.Tensor:
    """Draw smooth errors of the flux calibration as factors, shape (n, N_PIXELS)."""
    n = survey.size
    angle = np.arccos(np.linspace(-1, 1, N_PIXELS))
    chebyshev = np.cos(np.arange(1, CALIBRATION_TERMS + 1)[:, None] * angle)
    typical = np.where(survey == "lamost", LAMOST_CALIBRATION_ERROR, CALIBRATION_ERROR)
    amplitude = typical * np.exp(0.5 * rng.standard_normal(n)) * (0.3 if clean else 1.0)
    terms = amplitude[:, None] * rng.standard_normal((n, CALIBRATION_TERMS)) / CALIBRATION_DECAY
    return torch.exp(torch.from_numpy(terms).float() @ torch.from_numpy(chebyshev).float())


def arm_steps(survey: NDArray[np.str_], rng: np.random.Generator) -> torch.Tensor:
    """Draw factors that differ between two arms in a third of the spectra, shape (n, N_PIXELS)."""
    n = survey.size
    height = np.where(survey == "lamost", 0.09, 0.03) * rng.standard_normal(n) * (rng.random(n) < 0.35)
    where = rng.choice(ARM_PIXELS, n) + 20 * rng.standard_normal(n)
    distance = torch.arange(N_PIXELS)[None] - torch.from_numpy(where).float()[:, None]
    return 1 + torch.from_numpy(height).float()[:, None] * torch.sigmoid(distance / 30)


def extinction(spectype: NDArray[np.str_], rng: np.random.Generator) -> torch.Tensor:
    """Draw the Milky Way's dust as factors, stars behind more of it; relative to 5500 angstrom."""
    law = torch.from_numpy((WAVELENGTH / 5500) ** -1.3 - 1).float()
    reddening = rng.exponential(0.07, spectype.size) * np.where(spectype == "STAR", 1.5, 1.0)
    return 10 ** (-0.4 * 3.1 * torch.from_numpy(reddening).float()[:, None] * law[None])
