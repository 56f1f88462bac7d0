"""What may be added to a spectrum's best fit: response, details, and lines of several widths and offsets.

A line's true profile is a sum of few Gaussians; the dictionary holds neighbours in width and offset from
which such sums are made, so that one linear solve finds fluxes, widths, wings and shifts at once.
`smooth.py`, `narrow_lines.py` and `broad_lines.py` make them of one spectrum.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectraq.models.grid.axis import KM_S_PER_PIXEL, pixel_of
from spectraq.models.grid.prepare import box_mean

RESPONSE_TERMS = 20
"""Chebyshev polynomials times the model: over an SDSS spectrum, shapes of 300 angstrom and wider."""
LEVEL_HALF_WIDTH = 120
"""Grid pixels of the running mean that details are fractions of."""
LEAST_LEVEL = 0.1
"""Of the median flux, which is one."""
INSTRUMENT_PIXELS = 0.9
"""Standard deviation of an unresolved line, in grid pixels: SDSS's, 62 km/s."""

NARROW = (
    "CIII", "MgII", "NeV_3347", "NeV", "OII_3727", "OII_3730", "NeIII", "H8", "NeIII_3969", "Hdelta",
    "Hgamma", "OIII_4364", "HeII_4687", "Hbeta", "OIII_4960", "OIII_5008", "HeI_5877", "OI_6302", "OI_6366",
    "NII_6550", "Halpha", "NII_6585", "SII_6718", "SII_6733", "ArIII", "OII_7321", "OII_7332",
    "SIII_9071", "SIII_9533",
)  # fmt: skip
"""Lines of the narrow-line region and of star formation."""
BROAD = (
    "Lya", "NV", "SiIV", "CIV", "HeII_1640", "AlIII", "CIII", "CII", "MgII", "NeV", "Hdelta", "Hgamma",
    "HeII_4687", "Hbeta", "HeI_5877", "Halpha", "OI_8449",
)  # fmt: skip
"""Lines of the broad-line region, and blends that look like one."""
GALAXY_WIDTHS = (30.0, 80.0, 200.0, 400.0)
QSO_WIDTHS = (150.0, 400.0)
"""Standard deviations of narrow lines, km/s."""
BROAD_WIDTHS = ((900.0, (-0.006, -0.003, 0.0, 0.003, 0.006)), (1800.0, (-0.006, -0.003, 0.0, 0.003, 0.006)),
                (3500.0, (0.0,)), (7000.0, (0.0,)))  # fmt: skip
"""Standard deviations in km/s, each with offsets as fractions of the wavelength."""
IRON_WIDTHS = ((900.0, (0.0,)), (2500.0, (0.0,)))
OIII = (("OIII_5008", 1.0), ("OIII_4960", 1 / 2.98))
"""The doublet's ratio is fixed by atomic physics."""
OIII_PROFILE = (
    (100.0, (-0.0008, -0.0004, 0.0004, 0.0008)),
    (250.0, (-0.0016, -0.0008, 0.0, 0.0008)),
    (500.0, (-0.003, -0.0015, 0.0015)),
    (900.0, (-0.004, -0.002, 0.0, 0.002)),
)
"""In quasars it has wings, mostly to the blue, and need not lie at the redshift of the broad lines."""

Floats = NDArray[np.float32]


class Part(IntEnum):
    """What a shape stands for; shapes of one part share a prior strength."""

    LEVEL = 0
    RESPONSE = 1
    DETAIL = 2
    NARROW = 3
    BROAD = 4
    IRON = 5
    ABSORPTION = 6


@dataclass(frozen=True, slots=True)
class Shapes:
    """The n shapes of one part, of typical size one in units of the median flux."""

    part: Part
    binned: Floats | None  # (n, M) means over bins; None where they are zero but at single pixels
    single: Floats  # (n, E) at the single pixels
    sum: Callable[[Floats], Floats]  # of all with given amplitudes, (n,) to (N_PIXELS,)
    times_best: bool = False  # `sum` gives what the best fit is multiplied by


def instrumental(km_s: float) -> float:
    """Return the standard deviation in grid pixels of a line so wide, the instrument's share included."""
    return float(np.hypot(km_s / KM_S_PER_PIXEL, INSTRUMENT_PIXELS))


def shift_of(offset: float) -> float:
    """Return the grid pixels that an offset moves a line by, given as a fraction of its wavelength."""
    return float(pixel_of(1 + offset) - pixel_of(1.0))


def level_of(flux: Tensor, used: Tensor) -> Tensor:
    """Return the local level of spectra of unit median, (B, n): their running mean, at least LEAST_LEVEL."""
    return running_mean(flux, used).abs().clamp_min(LEAST_LEVEL)


def running_mean(values: Tensor, used: Tensor) -> Tensor:
    """Return the mean of the used pixels within LEVEL_HALF_WIDTH, (B, n); zero where there is none."""
    weight = used.to(values.dtype)
    sums = box_mean(torch.stack([values * weight, weight]), LEVEL_HALF_WIDTH)
    return sums[0] / sums[1].clamp_min(0.5 / (2 * LEVEL_HALF_WIDTH + 1))
