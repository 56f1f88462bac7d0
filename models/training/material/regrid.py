"""Bring template libraries, each with a sampling of its own, to the common pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from spectraq.models.grid.axis import DLOGLAM, pixel_of, pixel_of_loglam, wavelength_of

Floats = NDArray[np.floating]
Array = NDArray[np.float32]


def nearest_pixel(loglam: float) -> int:
    """Return the nearest pixel of the continued common grid to log10(vacuum angstrom)."""
    return round(pixel_of_loglam(loglam))


def resample(wavelength: Floats, flux: Floats, low: float = 0.0, high: float = np.inf) -> tuple[Array, int]:
    """Average finely sampled spectra over grid pixels, or interpolate coarse ones.

    Parameters
    ----------
    wavelength
        Shape (n,), vacuum angstrom, ascending.
    flux
        Shape (n,) or (K, n).
    low, high
        Keep only pixels within, in angstrom.

    Returns
    -------
    flux
        Shape (K, L).
    first_pixel
        Pixel of its first column.
    """
    spectra = np.atleast_2d(flux).astype(np.float64)
    first = int(np.ceil(pixel_of(max(float(wavelength[0]), low)))) + 1
    last = int(np.floor(pixel_of(min(float(wavelength[-1]), high)))) - 1
    pixels = np.arange(first, last + 1)
    if np.median(np.diff(np.log10(wavelength))) >= 0.6 * DLOGLAM:
        centres = wavelength_of(pixels.astype(np.float64))
        return np.stack([np.interp(centres, wavelength, row) for row in spectra]).astype(np.float32), first
    edges = wavelength_of(np.append(pixels, last + 1) - 0.5)
    middle = 0.5 * (wavelength[1:] + wavelength[:-1])
    borders = np.concatenate([wavelength[:1], middle, wavelength[-1:]])
    width = np.diff(borders)
    sums = [np.concatenate([[0.0], np.cumsum(row * width)]) for row in spectra]
    mean = [np.diff(np.interp(edges, borders, total)) / np.diff(edges) for total in sums]
    return np.stack(mean).astype(np.float32), first


def log_image(path: Path, extension: int = 0, shift_pixels: float = 0.0) -> tuple[Array, int, fits.Header]:
    """Read eigenspectra stored as an image with COEFF0 and a step of 1e-4.

    Parameters
    ----------
    shift_pixels
        Move the spectra redwards by this fraction of a pixel: mends a zero point.

    Returns
    -------
    flux, first_pixel, header
        flux of shape (K, L).
    """
    with fits.open(path) as hdus:
        flux = np.atleast_2d(np.asarray(hdus[extension].data, np.float32))
        header = hdus[extension].header
    start = pixel_of_loglam(float(header["COEFF0"]))
    flux, first = on_whole_pixels(flux, start + shift_pixels)
    return flux, first, header


def on_whole_pixels(flux: Array, start: float) -> tuple[Array, int]:
    """Bring spectra (K, L) of the grid's own step, whose element 0 lies at pixel `start`, to whole pixels."""
    first = round(start)
    moved = start - first
    if abs(moved) > 1e-3:
        pixels = np.arange(flux.shape[1])
        flux = np.stack([np.interp(pixels - moved, pixels, row) for row in flux])
    return flux.astype(np.float32), first


def unit_median(flux: Array) -> Array:
    """Scale each spectrum to a median |flux| of one."""
    return (flux / np.maximum(np.median(np.abs(flux), axis=1, keepdims=True), 1e-30)).astype(np.float32)


def unit_mean(coefficients: Floats, basis: Array) -> Array:
    """Scale coefficients so that each spectrum has a mean |flux| of one."""
    mean = np.abs(coefficients @ basis[:, ::20]).mean(1, keepdims=True)
    return np.asarray(coefficients / np.maximum(mean, 1e-20), np.float32)
