"""Stellar populations without emission lines: a mean, and the few shapes by which they differ from it.

Smooth differences (dust, metallicity's and age's colours, flux calibration) are left to a response that
multiplies them: these shapes hold absorption lines and breaks.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of

FILE = "populations.safetensors"
TEMPLATE_KM_S = 60.0
"""Standard deviation of the libraries' own line spread (MaStar R = 1800, BC03 3 angstrom)."""
ABSORPTION_ANGSTROM = (4000.0, 6800.0)
"""Where dispersions are measured, at rest: SDSS's own range."""
MARGIN = 128
"""Grid pixels beyond an end: more than any blur reaches."""
SIZES = 512
"""Fourier transforms have a multiple of so many elements."""
N_PAIRS = N_PIXELS // 2
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

    def at(
        self, lag: float, blur_pixels: float, shapes: int | None = None
    ) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the same as `Moved.blurred` of the mean and all shapes, or so many, at a lag in pixels."""
        return self.moved(lag, shapes).blurred(blur_pixels)

    def moved(self, lag: float, shapes: int | None = None) -> Moved:
        """Return the mean and all shapes, or so many, at the lag of a redshift, in grid pixels."""
        transform, size = self._transform
        if shapes is not None:
            transform = transform[: 1 + shapes]
        whole = int(np.floor(self.first + lag))
        frequency = np.asarray(2 * np.pi * np.fft.rfftfreq(size), np.float64)
        phase = np.exp(-1j * frequency * (self.first + lag - whole)).astype(np.complex64)
        return Moved(transform * phase, frequency, whole, self.mean.size)

    @cached_property
    def absorbing(self) -> Populations:
        """Return the same where they have absorption lines, and a margin beyond."""
        low, high = (round(pixel_of(rest)) - self.first for rest in ABSORPTION_ANGSTROM)
        first = max(low - MARGIN, 0)
        kept = slice(first, max(high + MARGIN, first))
        return Populations(self.mean[kept], self.shapes[:, kept], self.first + first)

    @cached_property
    def _transform(self) -> tuple[NDArray[np.complex64], int]:
        """Return the Fourier transform of mean and shapes, and of how many pixels."""
        rest = np.vstack([self.mean, self.shapes])
        size = -(-(rest.shape[1] + MARGIN) // SIZES) * SIZES
        padded = np.pad(rest, ((0, 0), (0, size - rest.shape[1])), mode="edge")
        return np.fft.rfft(padded).astype(np.complex64), size


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

    transform: NDArray[np.complex64]
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
        kernel = np.exp(-0.5 * (self.frequency * blur_pixels) ** 2).astype(np.float32)
        rest = np.fft.irfft(self.transform * kernel, size)
        return _placed(rest, self.first, self.length, blur_pixels, N_PIXELS)

    def paired(self) -> Paired:
        """Return the same populations in means of two pixels."""
        odd = self.first % 2
        half = len(self.frequency) // 2
        phase = np.exp(1j * self.frequency * odd) * (1 + np.exp(1j * self.frequency)) / 4
        mean = self.transform * phase.astype(np.complex64)
        # Every other sample: frequencies above the half fold back onto those below.
        low, folded = mean[:, : half + 1], mean[:, : half - 1 : -1].conj()
        first = (self.first + odd) // 2
        return Paired(low, folded, self.frequency[: half + 1], first, (self.length - odd) // 2)


@dataclass(frozen=True, slots=True)
class Paired:
    """Populations at a redshift in means of two pixels, 2 i and 2 i + 1 of the grid.

    Attributes
    ----------
    low, folded
        Fourier transforms of what is below and what is above the highest frequency left, (1 + K, F).
    frequency
        Radians a grid pixel, (F,).
    first, length
        Pair of element 0, and how many elements there are.
    """

    low: NDArray[np.complex64]
    folded: NDArray[np.complex64]
    frequency: Floats
    first: int
    length: int

    def blurred(self, square: float) -> tuple[Floats, NDArray[np.bool_]]:
        """Return mean and shapes, (1 + K, N_PAIRS), blurred by a variance in pixels, and where they reach."""
        below, above = self._kernels(square)
        return self._back(self.low * below + self.folded * above, square)

    def by_square(self, amplitude: Floats, square: float) -> Floats:
        """Return the derivative by the variance of a sum of mean and shapes, (N_PAIRS,)."""
        below, above = self._kernels(square)
        weight = amplitude.astype(np.float32)
        low = (weight @ self.low) * (below * self.frequency**2)
        folded = (weight @ self.folded) * (above * (np.pi - self.frequency) ** 2)
        return np.asarray(self._back(-0.5 * (low + folded)[None], square)[0][0])

    def _kernels(self, square: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        exponent = -0.5 * square * np.stack([self.frequency, np.pi - self.frequency]) ** 2
        below, above = np.exp(exponent).astype(np.float32)
        return below, above

    def _back(self, transform: NDArray[Any], square: float) -> tuple[Floats, NDArray[np.bool_]]:
        rest = np.fft.irfft(transform, 2 * (self.frequency.size - 1))
        return _placed(rest, self.first, self.length, 0.5 * math.sqrt(square), N_PAIRS)


def _placed(
    rest: NDArray[Any], first: int, length: int, blur: float, size: int
) -> tuple[Floats, NDArray[np.bool_]]:
    """Return what falls on an axis of some size, and which of its elements are reached."""
    out, reached = np.zeros((len(rest), size)), np.zeros(size, bool)
    margin = 8 + int(4 * blur)  # the transform is periodic: what is near an end is not used
    low, high = max(0, first + margin), min(size, first + length - margin)
    if low < high:
        out[:, low:high] = rest[:, low - first : high - first]
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
