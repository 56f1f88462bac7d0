"""Stellar populations without emission lines: a mean, and the few shapes by which they differ from it.

Smooth differences (dust, metallicity's and age's colours, flux calibration) are left to a response that
multiplies them: these shapes hold absorption lines and breaks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS

FILE = "populations.safetensors"
TEMPLATE_KM_S = 60.0
"""Standard deviation of the libraries' own line spread (MaStar R = 1800, BC03 3 angstrom)."""
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
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
        """Return mean and shapes, blurred and at a redshift, (1 + K, N_PIXELS), and which pixels they reach.

        Parameters
        ----------
        lag
            Of the redshift, in grid pixels.
        blur_pixels
            Standard deviation of the Gaussian that they are convolved with, in grid pixels.
        """
        rest = np.vstack([self.mean, self.shapes])
        size = 1 << (rest.shape[1] + 128).bit_length()
        frequency = 2 * np.pi * np.fft.rfftfreq(size)
        whole = int(np.floor(self.first + lag))
        shift = self.first + lag - whole
        transfer = np.exp(-0.5 * (frequency * blur_pixels) ** 2 - 1j * frequency * shift)
        padded = np.pad(rest, ((0, 0), (0, size - rest.shape[1])), mode="edge")
        moved = np.fft.irfft(np.fft.rfft(padded, size) * transfer, size)[:, : rest.shape[1]]
        out, reached = np.zeros((len(rest), N_PIXELS)), np.zeros(N_PIXELS, bool)
        margin = 8 + int(4 * blur_pixels)  # the transform is periodic: what is near an end is not used
        low, high = max(0, whole + margin), min(N_PIXELS, whole + rest.shape[1] - margin)
        if low < high:
            out[:, low:high] = moved[:, low - whole : high - whole]
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
