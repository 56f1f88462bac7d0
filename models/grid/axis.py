"""The common grid: every spectrum, whatever its survey, is brought to the same log-wavelength pixels.

Pixel i has log10(wavelength / vacuum angstrom) = LOGLAM0 + DLOGLAM * i, which is the native sampling of SDSS,
BOSS and LAMOST: there a shift by whole pixels is a redshift, and their spectra need no interpolation.
"""

from __future__ import annotations

import math
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.constants import LIGHT_KM_S

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, Floats, torch.Tensor)

LOGLAM0 = 3.5563  # 3600 angstrom
DLOGLAM = 1e-4  # 69 km/s a pixel
N_PIXELS = 4608  # to 10399 angstrom; 4608 = 2**9 * 9 splits evenly into blocks of 4, 16 and 64
REBIN = 4
N_COARSE = N_PIXELS // REBIN
LN_PER_PIXEL = DLOGLAM * math.log(10)
"""Step of ln(wavelength), and of ln(1 + z) a lag of one pixel."""
KM_S_PER_PIXEL = LIGHT_KM_S * LN_PER_PIXEL


def _log10(values: Number) -> Number:
    if isinstance(values, torch.Tensor):
        return torch.log10(values)
    return np.asarray(np.log10(values)) if isinstance(values, np.ndarray) else math.log10(values)


def loglam_of(pixel: Number) -> Number:
    """Return log10(vacuum angstrom) of a pixel; it may be a fraction, and beyond the grid's ends."""
    return LOGLAM0 + DLOGLAM * pixel


def wavelength_of(pixel: Number) -> Number:
    """Return the wavelength of a pixel in vacuum angstrom."""
    return 10 ** loglam_of(pixel)


def pixel_of_loglam(loglam: Number) -> Number:
    """Return the pixel, with its fraction, of log10(vacuum angstrom)."""
    return (loglam - LOGLAM0) / DLOGLAM


def pixel_of(wavelength: Number) -> Number:
    """Return the pixel, with its fraction, of a wavelength in vacuum angstrom; pixels' centres are whole."""
    return pixel_of_loglam(_log10(wavelength))


def lag_of(z: Number) -> Number:
    """Return the lag of a redshift in pixels."""
    return _log10(1 + z) / DLOGLAM


def z_of(lag: torch.Tensor, offset: torch.Tensor | None = None) -> torch.Tensor:
    """Return the redshift of a lag in pixels, float64; shape as given.

    Parameters
    ----------
    offset
        Of the spectrum's own pixels from the grid's, in pixels, as of `resample.Sampling.bring`.
    """
    z = torch.expm1(lag.double() * LN_PER_PIXEL)
    # The library's power rounds by where in an array a number stands; its exponential does not.
    return z if offset is None else (1 + z) * (offset * LN_PER_PIXEL).exp() - 1


LOGLAM = loglam_of(np.arange(N_PIXELS, dtype=np.float64))
WAVELENGTH = 10**LOGLAM
EDGES = wavelength_of(np.asarray(np.arange(N_PIXELS + 1) - 0.5, np.float64))


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
    mean = rebinned(flux * ivar) / torch.where(weight > 0, weight, 1.0)
    return mean * (weight > 0), weight
