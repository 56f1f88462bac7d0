"""What a family's objects have in common whatever their class: drawing at rest, blurring, shifting to z."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.classes import SUBCLASSES
from spectraq.models.grid.axis import N_PIXELS, lag_of
from spectraq.models.training.material import Family

SUBCLASS_INDEX = {name: index for index, name in enumerate(SUBCLASSES)}


@dataclass
class Objects:
    """Noiseless objects of one family on the observed grid, before the telescope."""

    flux: torch.Tensor  # (n, N_PIXELS)
    covered: torch.Tensor  # (n, N_PIXELS) bool: where the templates reach
    z: NDArray[np.float64]  # (n,)
    allowed: NDArray[np.bool_]  # (n, 18) subclasses that count as right
    family: str
    spectype: str


def mixed(family: Family, rows: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
    """Draw rest-frame spectra of the family's objects `rows`, a little varied from a basis, (n, L)."""
    n, objects = rows.size, len(family.labels)
    coefficients: NDArray[np.floating] = family.coefficients[rows]
    if family.name == "galaxy_population":
        coefficients = np.zeros((n, objects), np.float32)
        for part in range(3):
            chosen = rng.integers(0, objects, n)
            coefficients[np.arange(n), chosen] += rng.exponential(1.0, n) * 0.5**part
    elif family.name == "galaxy_emission":
        other = family.coefficients[rng.integers(0, objects, n)]
        coefficients = coefficients + rng.exponential(0.5, n)[:, None].astype(np.float32) * other
    elif coefficients.shape[1] <= 10:
        coefficients = coefficients * (1 + 0.05 * rng.standard_normal(coefficients.shape))
        if family.spectype == "GALAXY" and rng.random() < 0.5:
            share = rng.beta(1, 3, n)[:, None]
            coefficients = (1 - share) * coefficients + share * family.coefficients[
                rng.integers(0, objects, n)
            ]
    return torch.from_numpy(coefficients.astype(np.float32)) @ torch.from_numpy(family.basis)


def blurred(flux: torch.Tensor, sigma_pixels: NDArray[np.float64]) -> torch.Tensor:
    """Convolve each spectrum with a Gaussian of its own width, in pixels; shape (n, L) as given."""
    length = flux.shape[1]
    size = 1 << int(np.ceil(np.log2(length + 64)))
    frequency = 2 * torch.pi * torch.fft.rfftfreq(size)
    sigma = torch.from_numpy(np.asarray(sigma_pixels, np.float32))[:, None]
    transfer = torch.exp(-0.5 * (frequency[None] * sigma).square())
    smooth: torch.Tensor = torch.fft.irfft(torch.fft.rfft(flux, size) * transfer, size)
    return smooth[:, :length]


def redshifted(
    flux: torch.Tensor, first_pixel: int, z: NDArray[np.float64]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Move rest-frame spectra to their redshifts on the observed grid, linearly between pixels.

    Returns
    -------
    flux, covered
        Shape (n, N_PIXELS).
    """
    length = flux.shape[1]
    shift = lag_of(z)
    whole = np.floor(shift).astype(int)
    part = torch.from_numpy(shift - whole).float()[:, None]
    columns = torch.arange(-1, N_PIXELS)[None] - torch.from_numpy(whole + first_pixel)[:, None]
    inside = (columns >= 0) & (columns < length)
    values = torch.gather(flux, 1, columns.clamp(0, length - 1))
    covered = inside[:, 1:] & inside[:, :-1]
    observed = values[:, 1:] * (1 - part) + values[:, :-1] * part
    covered &= observed != 0  # libraries mark what they did not observe with zeros
    return observed * covered, covered
