"""Stellar populations without emission lines: a mean, and the few shapes by which they differ from it.

Smooth differences (dust, metallicity's and age's colours, flux calibration) are left to a response that
multiplies them: these shapes hold absorption lines and breaks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS

FILE = "populations.safetensors"
TEMPLATE_KM_S = 60.0
"""Standard deviation of the libraries' own line spread (MaStar R = 1800, BC03 3 angstrom)."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Populations:
    """A mean and K shapes of typical size, at rest.

    Attributes
    ----------
    mean
        Of order one, shape (L,).
    shapes
        Shape (K, L); amplitudes among stellar populations have unit variance.
    first
        Grid pixel of element 0 at redshift zero.
    """

    mean: Floats
    shapes: Floats
    first: int

    def at(self, lag: float, blur_pixels: float) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the same as `Moved.blurred` at the lag of a redshift, in grid pixels."""
        return self.moved(lag).blurred(blur_pixels)

    def moved(self, lag: float) -> Moved:
        """Return the populations at the lag of a redshift, in grid pixels."""
        transform, size = self._transform
        whole = int(np.floor(self.first + lag))
        frequency = np.asarray(2 * np.pi * np.fft.rfftfreq(size), np.float64)
        shift = self.first + lag - whole
        return Moved(transform * np.exp(-1j * frequency * shift), frequency, whole, self.mean.size)

    @cached_property
    def _transform(self) -> tuple[NDArray[np.complex128], int]:
        """Return the Fourier transform of mean and shapes, and of how many pixels."""
        rest = np.vstack([self.mean, self.shapes])
        size = 1 << (rest.shape[1] + 128).bit_length()
        return np.fft.rfft(np.pad(rest, ((0, 0), (0, size - rest.shape[1])), mode="edge")), size


@dataclass(frozen=True, slots=True)
class Moved:
    """Populations at a redshift.

    Attributes
    ----------
    transform
        Fourier transform of mean and shapes, shifted by the fraction of a pixel, (1 + K, F).
    frequency
        Radians a pixel, (F,).
    first, length
        Grid pixel of element 0, and how many elements there are.
    """

    transform: NDArray[np.complex128]
    frequency: Floats
    first: int
    length: int

    def blurred(self, blur_pixels: float) -> tuple[Floats, NDArray[np.bool_]]:
        """Return mean and shapes, blurred, (1 + K, N_PIXELS), and which pixels they reach.

        Parameters
        ----------
        blur_pixels
            Standard deviation of the Gaussian that they are convolved with, in grid pixels.
        """
        size = 2 * (self.frequency.size - 1)
        rest = np.fft.irfft(self.transform * np.exp(-0.5 * (self.frequency * blur_pixels) ** 2), size)
        out, reached = np.zeros((len(rest), N_PIXELS)), np.zeros(N_PIXELS, bool)
        margin = 8 + int(4 * blur_pixels)  # the transform is periodic: what is near an end is not used
        low, high = max(0, self.first + margin), min(N_PIXELS, self.first + self.length - margin)
        if low < high:
            out[:, low:high] = rest[:, low - self.first : high - self.first]
            reached[low:high] = True
        return out, reached


def blur_of(sigma_km_s: float, instrument_pixels: float) -> float:
    """Return the blur, in grid pixels, that gives the templates a velocity dispersion as it is observed."""
    square = (sigma_km_s**2 - TEMPLATE_KM_S**2) / KM_S_PER_PIXEL**2 + instrument_pixels**2
    return float(np.sqrt(max(square, 0.0)))


def load(folder: Path = shipped.FOLDER) -> Populations:
    """Return the shipped populations.

    Raises
    ------
    spectraq.models.shipped.MissingWeightsError
        Where the file is not there.
    """
    from safetensors import safe_open

    with safe_open(shipped.required(folder, FILE)[0], framework="numpy") as file:
        mean, shapes = (file.get_tensor(name).astype(np.float64) for name in ("mean", "shapes"))
        first = json.loads(file.metadata()["first"])
    return Populations(mean, shapes, int(first))
