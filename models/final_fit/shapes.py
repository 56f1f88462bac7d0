"""What may be added to a spectrum's best fit: response, details, and lines of several widths and offsets.

A line's true profile is a sum of few Gaussians; the dictionary holds neighbours in width and offset from
which such sums are made, so that one linear solve finds fluxes, widths, wings and shifts at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import torch
from torch import Tensor

from spectraq.models.classes import CLASSES
from spectraq.models.final_fit.details import Details
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.grid.prepare import box_mean
from spectraq.models.lines import IRON_BLENDS, wavelength
from spectraq.models.redshift.continuum import chebyshev_at

RESPONSE_TERMS = 20
"""Chebyshev polynomials times the model: over an SDSS spectrum, shapes of 300 angstrom and wider."""
LEVEL_HALF_WIDTH = 120
"""Grid pixels of the running mean that details are fractions of."""
LEAST_LEVEL = 0.1
"""Of the median flux, which is one."""
INSTRUMENT_PIXELS = 0.9
"""Standard deviation of an unresolved line, in grid pixels: SDSS's, 62 km/s."""
REACH_SIGMA = 2.0
"""A line whose centre lies this far outside the grid adds nothing."""

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


class Part(IntEnum):
    """What a shape stands for; shapes of one part share a prior strength."""

    LEVEL = 0
    RESPONSE = 1
    DETAIL = 2
    NARROW = 3
    BROAD = 4
    IRON = 5


@dataclass(frozen=True, slots=True)
class Shapes:
    """The n shapes of one spectrum, each of typical size one in units of its median flux."""

    flux: Tensor  # (n, N_PIXELS), the first one the best fit itself
    part: tuple[Part, ...]  # (n,)
    factors: Tensor  # (RESPONSE_TERMS, N_PIXELS): by these the best fit is multiplied in the first of them


def shapes_of(spectype: str, model: Tensor, used: Tensor, lag: float, details: Tensor | None) -> Shapes:
    """Return what may be added to the best fit of one spectrum.

    Parameters
    ----------
    spectype
        Of the answer.
    model
        The best fit, in units of the median flux, shape (N_PIXELS,).
    used
        Which pixels count, shape (N_PIXELS,) bool.
    lag
        Of the redshift, in grid pixels.
    details
        Shapes of `details.py` at that lag, (K, N_PIXELS), or None.
    """
    factors = _polynomials(used)
    rows = [model * factors]
    part = [Part.LEVEL] + [Part.RESPONSE] * (RESPONSE_TERMS - 1)
    if details is not None:
        rows.append(details * level_of(model[None], used[None])[0])
        part += [Part.DETAIL] * len(details)
    if (lines := line_shapes(spectype)) is not None:
        flux, kinds = lines.at(lag)
        rows.append(flux)
        part += kinds
    return Shapes(torch.cat(rows), tuple(part), factors)


def level_of(flux: Tensor, used: Tensor) -> Tensor:
    """Return the local level of spectra of unit median, (B, n): their running mean, at least LEAST_LEVEL."""
    return running_mean(flux, used).abs().clamp_min(LEAST_LEVEL)


def running_mean(values: Tensor, used: Tensor) -> Tensor:
    """Return the mean of the used pixels within LEVEL_HALF_WIDTH, (B, n); zero where there is none."""
    weight = used.to(values.dtype)
    sums = box_mean(torch.stack([values * weight, weight]), LEVEL_HALF_WIDTH)
    return sums[0] / sums[1].clamp_min(0.5 / (2 * LEVEL_HALF_WIDTH + 1))


def details_at(details: Details, lag: float) -> Tensor:
    """Return details moved to a redshift of so many grid pixels, (K, N_PIXELS), by linear interpolation."""
    start = math.floor(details.first + lag)
    fraction = details.first + lag - start
    moved = torch.zeros(len(details.shapes), 1 + N_PIXELS)  # from one pixel before the grid on
    low, high = max(-1, start), min(N_PIXELS, start + details.shapes.shape[1])
    if low < high:
        moved[:, low + 1 : high + 1] = details.shapes[:, low - start : high - start]
    return (1 - fraction) * moved[:, 1:] + fraction * moved[:, :-1]


def _polynomials(used: Tensor) -> Tensor:
    """Return Chebyshev polynomials over the used range, (RESPONSE_TERMS, N_PIXELS); constant outside."""
    pixels = torch.nonzero(used)[:, 0]
    first, last = int(pixels[0]), int(pixels[-1])
    position = (torch.arange(N_PIXELS, dtype=torch.float64) - first) / max(last - first, 1)
    return chebyshev_at((2 * position - 1).clamp(-1, 1), RESPONSE_TERMS)


@dataclass(frozen=True, slots=True)
class LineShapes:
    """Every line shape of a class: one or two Gaussians of one width each."""

    part: tuple[Part, ...]  # (n,)
    position: Tensor  # (n, 2) float64, grid pixels at redshift zero
    peak: Tensor  # (n, 2); the second is zero where there is one line
    sigma: Tensor  # (n,) grid pixels, the instrument's share included

    def at(self, lag: float) -> tuple[Tensor, tuple[Part, ...]]:
        """Return those that the grid holds at a redshift, (m, N_PIXELS), and the part of each."""
        centre = self.position + lag
        reach = REACH_SIGMA * self.sigma
        kept = torch.nonzero((centre[:, 0] > -reach) & (centre[:, 0] < N_PIXELS + reach))[:, 0]
        flux = _gaussians(centre[kept, 0], self.sigma[kept])
        second = torch.nonzero(self.peak[kept, 1] > 0)[:, 0]
        pair = kept[second]
        flux[second] += self.peak[pair, 1:].float() * _gaussians(centre[pair, 1], self.sigma[pair])
        return flux, tuple(self.part[row] for row in kept.tolist())


def _gaussians(centre: Tensor, sigma: Tensor) -> Tensor:
    """Gaussians of unit peak, (n, N_PIXELS)."""
    distance = torch.arange(N_PIXELS, dtype=torch.float64) - centre[:, None]
    return torch.exp(-0.5 * (distance / sigma[:, None]).float().square())


@lru_cache(maxsize=len(CLASSES))
def line_shapes(spectype: str) -> LineShapes | None:
    """Return the line shapes of a class, None for stars."""
    shapes = list(_described(spectype))
    if not shapes:
        return None
    part, lines, width = zip(*shapes, strict=True)
    pairs = [(*components, (components[0][0], 0.0))[:2] for components in lines]
    table = torch.tensor(pairs, dtype=torch.float64)  # (n, 2, 2)
    km_s = torch.tensor(width, dtype=torch.float64)
    sigma = torch.hypot(km_s / KM_S_PER_PIXEL, torch.tensor(INSTRUMENT_PIXELS, dtype=torch.float64))
    return LineShapes(part, pixel_of(table[:, :, 0]), table[:, :, 1], sigma)


Components = Sequence[tuple[float, float]]
"""Vacuum wavelengths in angstrom with relative strengths."""


def _described(spectype: str) -> Iterator[tuple[Part, Components, float]]:
    """Yield the part, components and width (km/s) of every line shape of a class."""
    narrow = [((wavelength(name), 1.0),) for name in NARROW]
    if spectype == "GALAXY":
        yield from ((Part.NARROW, line, width) for line in narrow for width in GALAXY_WIDTHS)
    elif spectype == "QSO":
        yield from ((Part.NARROW, line, width) for line in narrow for width in QSO_WIDTHS)
        doublet = tuple((wavelength(name), strength) for name, strength in OIII)
        yield from _moved(Part.NARROW, (doublet,), OIII_PROFILE)
        yield from _moved(Part.BROAD, [((wavelength(name), 1.0),) for name in BROAD], BROAD_WIDTHS)
        yield from _moved(Part.IRON, [((blend, 1.0),) for blend in IRON_BLENDS], IRON_WIDTHS)


def _moved(
    part: Part, lines: Sequence[Components], widths: Sequence[tuple[float, Sequence[float]]]
) -> Iterator[tuple[Part, Components, float]]:
    """Yield lines of several widths, each at several offsets."""
    for components in lines:
        for width, offsets in widths:
            for offset in offsets:
                moved = tuple((rest * (1 + offset), strength) for rest, strength in components)
                yield part, moved, width
