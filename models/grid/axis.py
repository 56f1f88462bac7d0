"""The common grid: every spectrum, whatever its survey, is brought to the same log-wavelength pixels.

Pixel i has log10(wavelength / vacuum angstrom) = LOGLAM0 + DLOGLAM * i, which is the native sampling of SDSS,
BOSS and LAMOST: there a shift by whole pixels is a redshift, and their spectra need no interpolation.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

LOGLAM0 = 3.5563  # 3600 angstrom
DLOGLAM = 1e-4  # 69 km/s a pixel
N_PIXELS = 4608  # to 10399 angstrom; 4608 = 2**9 * 9 splits evenly into blocks of 4, 16 and 64
REBIN = 4
N_COARSE = N_PIXELS // REBIN

LOGLAM = LOGLAM0 + DLOGLAM * np.arange(N_PIXELS)
WAVELENGTH = 10**LOGLAM
EDGES = 10 ** (LOGLAM0 + DLOGLAM * (np.arange(N_PIXELS + 1) - 0.5))

Floats = NDArray[np.float64]


def rebinned(values: torch.Tensor) -> torch.Tensor:
    """Sum blocks of REBIN pixels: (..., n) to (..., n / REBIN)."""
    # Whole strided arrays add several times faster than a reduction over so short an axis.
    total = values[..., 0::REBIN] + values[..., 1::REBIN]
    for step in range(2, REBIN):
        total += values[..., step::REBIN]
    return total


def coarse(flux: torch.Tensor, ivar: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Average blocks of REBIN pixels, weighted by ivar.

    Parameters
    ----------
    flux, ivar
        Shape (B, N_PIXELS).

    Returns
    -------
    flux, ivar
        Shape (B, N_COARSE).
    """
    weight = rebinned(ivar)
    mean = rebinned(flux * ivar) / weight.clamp_min(1e-20)
    return mean * (weight > 0), weight
