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


def is_native(wavelength: Floats) -> bool:
    """Tell whether a spectrum is sampled at the grid's own step, up to a shift."""
    loglam = np.log10(wavelength)
    pixel = (loglam - loglam[0]) / DLOGLAM
    # Single-precision loglam, as SDSS stores it, scatters by 0.003 pixel.
    return bool(np.abs(pixel - np.round(pixel)).max() < 0.05 and np.diff(pixel).min() > 0.5)


def place(wavelength: Floats, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
    """Put natively sampled pixels at their nearest grid pixel, without interpolation.

    Parameters
    ----------
    wavelength, flux, ivar
        Shape (n,); wavelength in vacuum angstrom.

    Returns
    -------
    flux, ivar
        Shape (N_PIXELS,); zero where there is no pixel.
    offset
        What the nearest pixel left over, in pixels: the true pixel is the grid's plus `offset`, so that a
        redshift measured on the grid is to be multiplied, as 1 + z, by 10**(offset * DLOGLAM).
    """
    position = (np.log10(wavelength) - LOGLAM0) / DLOGLAM
    pixel = np.round(position).astype(int)
    offset = float(np.median(position - pixel))
    inside = (pixel >= 0) & (pixel < N_PIXELS)
    placed, weight = np.zeros(N_PIXELS), np.zeros(N_PIXELS)
    placed[pixel[inside]] = flux[inside]
    weight[pixel[inside]] = ivar[inside]
    return placed, weight, offset


def pixel_edges(wavelength: Floats) -> Floats:
    """Edges of pixels halfway between their centres, shape (n + 1,), in angstrom."""
    middle = 0.5 * (wavelength[1:] + wavelength[:-1])
    first = wavelength[0] - (middle[0] - wavelength[0])
    last = wavelength[-1] + (wavelength[-1] - middle[-1])
    return np.concatenate([[first], middle, [last]])


def rebin(wavelength: Floats, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
    """Average any sampling onto the grid, weighted by ivar, so that no information is lost or counted twice.

    The cumulative sums of ivar and of ivar * flux are interpolated at the grid's edges: a grid pixel gets the
    share of each input pixel that lies in it.

    Parameters
    ----------
    wavelength, flux, ivar
        Shape (n,), ascending wavelength in vacuum angstrom.

    Returns
    -------
    flux, ivar, offset
        As of `place`; offset is 0.
    """
    edges = pixel_edges(wavelength)
    weight = np.diff(np.interp(EDGES, edges, np.concatenate([[0.0], np.cumsum(ivar)])))
    total = np.diff(np.interp(EDGES, edges, np.concatenate([[0.0], np.cumsum(ivar * flux)])))
    # A pixel is as wide as its neighbours let it be: a gap in the sampling is not bridged.
    step = np.diff(wavelength)
    nearest = np.clip(np.searchsorted(wavelength, WAVELENGTH), 1, wavelength.size - 1)
    gap = step[nearest - 1] > 8 * np.median(step)
    inside = (EDGES[:-1] >= edges[0]) & (EDGES[1:] <= edges[-1]) & ~gap
    positive = ivar[ivar > 0]
    floor = 1e-9 * float(np.median(positive)) if positive.size else np.inf
    used = inside & (weight > floor)
    return np.where(used, total / np.where(used, weight, 1.0), 0.0), np.where(used, weight, 0.0), 0.0


def to_grid(wavelength: Floats, flux: Floats, ivar: Floats) -> tuple[Floats, Floats, float]:
    """Bring one spectrum to the grid: `place` where it is native, else `rebin`."""
    if wavelength.size > 1 and is_native(wavelength):
        return place(wavelength, flux, ivar)
    return rebin(wavelength, flux, ivar)


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
