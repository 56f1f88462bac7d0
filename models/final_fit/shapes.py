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
from spectraq.models.grid.axis import DLOGLAM, LOGLAM0, N_PIXELS
from spectraq.models.grid.prepare import box_mean

KM_S_PER_PIXEL = 299792.458 * DLOGLAM * math.log(10)
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
    1908.73, 2799.1, 3346.8, 3426.8, 3727.1, 3729.9, 3869.9, 3889.7, 3968.6, 4102.9, 4341.7, 4364.4, 4687.0,
    4862.7, 4960.3, 5008.2, 5877.3, 6302.0, 6365.5, 6549.9, 6564.6, 6585.3, 6718.3, 6732.7, 7137.8, 7321.0,
    7332.2, 9071.1, 9533.2,
)  # fmt: skip
"""Vacuum wavelengths of lines of the narrow-line region and of star formation, angstrom."""
BROAD = (
    1215.7, 1240.1, 1397.6, 1549.1, 1640.4, 1857.0, 1908.7, 2326.0, 2799.1, 3426.8, 4102.9, 4341.7, 4687.0,
    4862.7, 5877.3, 6564.6, 8448.0,
)  # fmt: skip
"""Of the broad-line region."""
IRON = (
    2500.0, 2586.0, 2627.0, 2750.0, 2945.0, 3190.0, 4178.0, 4233.0, 4303.0, 4352.0, 4385.0, 4418.0, 4492.0,
    4522.0, 4550.0, 4584.0, 4630.0, 4925.0, 5019.8, 5170.5, 5199.0, 5236.0, 5277.5, 5318.0, 5363.0, 5536.0,
    6150.0, 6249.0, 6457.0,
)  # fmt: skip
"""Fe II multiplets of quasars, each a blend."""
GALAXY_WIDTHS = (80.0, 200.0, 400.0)
QSO_WIDTHS = (150.0, 400.0)
"""Standard deviations of narrow lines, km/s."""
BROAD_WIDTHS = ((900.0, (-0.006, -0.003, 0.0, 0.003, 0.006)), (1800.0, (-0.006, -0.003, 0.0, 0.003, 0.006)),
                (3500.0, (0.0,)), (7000.0, (0.0,)))  # fmt: skip
"""Standard deviations in km/s, each with offsets as fractions of the wavelength."""
IRON_WIDTHS = ((900.0, (0.0,)), (2500.0, (0.0,)))
OIII = ((5008.24, 1.0), (4960.30, 1 / 2.98))
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
    rows = [model * _polynomials(used)]
    part = [Part.LEVEL] + [Part.RESPONSE] * (RESPONSE_TERMS - 1)
    if details is not None:
        level = box_mean(model.abs()[None], LEVEL_HALF_WIDTH)[0].clamp_min(LEAST_LEVEL)
        rows.append(details * level)
        part += [Part.DETAIL] * len(details)
    if (lines := line_shapes(spectype)) is not None:
        flux, kinds = lines.at(lag)
        rows.append(flux)
        part += kinds
    return Shapes(torch.cat(rows), tuple(part))


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
    """Chebyshev polynomials over the range that is used, (RESPONSE_TERMS, N_PIXELS); constant outside."""
    pixels = torch.nonzero(used)[:, 0]
    first, last = int(pixels[0]), int(pixels[-1])
    position = (torch.arange(N_PIXELS, dtype=torch.float64) - first) / max(last - first, 1)
    angle = torch.acos((2 * position - 1).clamp(-1, 1))
    return torch.cos(torch.arange(RESPONSE_TERMS, dtype=torch.float64)[:, None] * angle).float()


@dataclass(frozen=True, slots=True)
class LineShapes:
    """Every line shape of a class: one or two Gaussians of one width each."""

    part: tuple[Part, ...]  # (n,)
    position: Tensor  # (n, 2) float64, grid pixels at redshift zero
    strength: Tensor  # (n, 2) peaks; the second is zero where there is one line
    sigma: Tensor  # (n,) grid pixels, the instrument's share included

    def at(self, lag: float) -> tuple[Tensor, tuple[Part, ...]]:
        """Return those that the grid holds at a redshift, (m, N_PIXELS), and the part of each."""
        centre = self.position + lag
        reach = REACH_SIGMA * self.sigma
        kept = torch.nonzero((centre[:, 0] > -reach) & (centre[:, 0] < N_PIXELS + reach))[:, 0]
        flux = _gaussians(centre[kept, 0], self.sigma[kept])
        second = torch.nonzero(self.strength[kept, 1] > 0)[:, 0]
        pair = kept[second]
        flux[second] += self.strength[pair, 1:].float() * _gaussians(centre[pair, 1], self.sigma[pair])
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
    position = (table[:, :, 0].log10() - LOGLAM0) / DLOGLAM
    return LineShapes(part, position, table[:, :, 1], sigma)


Components = Sequence[tuple[float, float]]
"""Vacuum wavelengths in angstrom with relative strengths."""


def _described(spectype: str) -> Iterator[tuple[Part, Components, float]]:
    """Yield the part, components and width (km/s) of every line shape of a class."""
    if spectype == "GALAXY":
        yield from ((Part.NARROW, ((w, 1.0),), width) for w in NARROW for width in GALAXY_WIDTHS)
    elif spectype == "QSO":
        yield from ((Part.NARROW, ((w, 1.0),), width) for w in NARROW for width in QSO_WIDTHS)
        yield from _moved(Part.NARROW, (OIII,), OIII_PROFILE)
        yield from _moved(Part.BROAD, [((w, 1.0),) for w in BROAD], BROAD_WIDTHS)
        yield from _moved(Part.IRON, [((w, 1.0),) for w in IRON], IRON_WIDTHS)


def _moved(
    part: Part, lines: Sequence[Components], widths: Sequence[tuple[float, Sequence[float]]]
) -> Iterator[tuple[Part, Components, float]]:
    """Yield lines of several widths, each at several offsets."""
    for components in lines:
        for width, offsets in widths:
            for offset in offsets:
                yield part, tuple((w * (1 + offset), strength) for w, strength in components), width
