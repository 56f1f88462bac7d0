"""A spectrum at a glance: its good pixels averaged to as many points as a small picture has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.results import ModelSpectrum
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import good_pixels

Floats = NDArray[np.float64]

LIMITS = (0.5, 99.8)
"""Percentiles of flux between which a picture is drawn, with a margin: single pixels do not set the scale."""
MARGINS = (0.1, 0.15)


def averaged(spectrum: Spectrum, points: int) -> tuple[Floats, Floats]:
    """Return vacuum wavelength (angstrom) and mean flux of stretches of equal width, empty ones left out.

    Parameters
    ----------
    points
        How many stretches; both arrays have at most so many entries. Where no pixel is good, those that have
        a flux are averaged.
    """
    wavelength, flux = spectrum.vacuum_wavelength(), spectrum.flux.astype(np.float64)
    finite = np.isfinite(flux) & np.isfinite(wavelength)
    good = good_pixels(spectrum)
    good = good if good.any() else finite
    if not good.any():
        return np.empty(0), np.empty(0)
    wavelength, flux = wavelength[good], flux[good]
    edges = np.linspace(wavelength[0], wavelength[-1], points + 1)
    place = np.clip(np.digitize(wavelength, edges) - 1, 0, points - 1)
    count = np.bincount(place, minlength=points)
    total = np.bincount(place, flux, minlength=points)
    middle = (edges[:-1] + edges[1:]) / 2
    return middle[count > 0], total[count > 0] / count[count > 0]


def limits(flux: Floats) -> tuple[float, float]:
    """Return the lowest and the highest flux that a picture shows."""
    low, high = np.percentile(flux, LIMITS)
    span = (high - low) or 1.0
    return float(low - MARGINS[0] * span), float(high + MARGINS[1] * span)


def fit_at(model: ModelSpectrum, wavelength: Floats) -> tuple[Floats, Floats]:
    """Return those of the wavelengths (vacuum angstrom) that a best fit reaches, and its flux there."""
    grid = 10 ** (model.loglam0 + model.dloglam * np.arange(model.flux.size))
    inside = wavelength[(wavelength >= grid[0]) & (wavelength <= grid[-1])]
    return inside, np.interp(inside, grid, model.flux)
