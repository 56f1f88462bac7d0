"""Emission lines of galaxies at the answer's redshift: equivalent widths, and ratios that tell AGN.

Each group of lines is fitted in a window around it: a Gaussian of one width for each line, and a level with a
slope. Ratios fixed by atomic physics are kept ([OIII] 2.98, [NII] 3).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from spectraq.models.grid.axis import DLOGLAM, N_PIXELS, pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.redshift.normal_equations import solved
from spectraq.models.tiles import dot

HALF_WINDOW = 70
"""Grid pixels on either side of a group's middle: 4800 km/s."""
WIDTHS = (1.4, 2.2, 3.6)
"""Standard deviations of lines that are tried, in grid pixels: 97, 152 and 250 km/s."""
Components = tuple[tuple[tuple[str, float], ...], ...]
"""Of each component its lines, by name, with relative strengths."""
GROUPS = {
    "Hbeta": (4940.0, ((("Hbeta", 1.0),), (("OIII_5008", 1.0), ("OIII_4960", 1 / 2.98)))),
    "Halpha": (wavelength("Halpha"), ((("Halpha", 1.0),), (("NII_6585", 1.0), ("NII_6550", 1 / 3)))),
}
"""Middle of each window in vacuum angstrom, and its components."""
NAMES = ("Hbeta", "OIII", "Halpha", "NII")
"""The components in the order of GROUPS."""
RIDGE = 1e-4
"""A window half masked may not tell a line from the level."""
MIN_PIXELS = 40
"""Fewer good pixels in a window measure nothing."""


@dataclass(frozen=True, slots=True)
class GalaxyLines:
    """Equivalent widths of B galaxies, in the order of NAMES."""

    width: torch.Tensor  # (B, 4) rest-frame angstrom, positive in emission
    error: torch.Tensor  # (B, 4) one standard deviation; infinite where a line is not seen


def measure(flux: torch.Tensor, ivar: torch.Tensor, lag: torch.Tensor) -> GalaxyLines:
    """Measure all groups.

    Parameters
    ----------
    flux, ivar
        Shape (B, N_PIXELS).
    lag
        Of the redshift, in grid pixels, shape (B,).
    """
    parts = [_group(flux, ivar, lag, middle, components) for middle, components in GROUPS.values()]
    return GalaxyLines(
        torch.cat([part.width for part in parts], 1), torch.cat([part.error for part in parts], 1)
    )


def _group(
    flux: torch.Tensor,
    ivar: torch.Tensor,
    lag: torch.Tensor,
    middle: float,
    components: Components,
) -> GalaxyLines:
    """Fit one group with the width that suits it best."""
    centre = (lag + pixel_of(middle)).round().long()
    steps = torch.arange(-HALF_WINDOW, HALF_WINDOW + 1, device=flux.device)
    pixel = centre[:, None] + steps
    inside = (pixel >= 0) & (pixel < N_PIXELS)
    index = pixel.clamp(0, N_PIXELS - 1)
    data, weight = flux.gather(1, index), ivar.gather(1, index) * inside
    distance = pixel - lag[:, None]  # rest-frame position of each pixel
    level = torch.stack([torch.ones_like(data), (steps / HALF_WINDOW).expand_as(data)], 1)
    solutions = [
        _solve(data, weight, torch.cat([_shapes(distance, components, sigma), level], 1)) for sigma in WIDTHS
    ]
    best = torch.stack([solution.chi2 for solution in solutions]).argmin(0)  # (B,)
    rows = torch.arange(len(best), device=best.device)
    amplitude = torch.stack([solution.amplitude for solution in solutions])[best, rows]
    variance = torch.stack([solution.variance for solution in solutions])[best, rows]
    n = len(components)
    continuum = amplitude[:, n]
    # A profile of unit sum holds amplitude x pixels; a pixel is lambda ln(10) dloglam wide at rest.
    rest = torch.tensor([wavelength(lines[0][0]) for lines in components], device=flux.device)
    pixel_width = rest * DLOGLAM * math.log(10)
    scale = pixel_width / continuum.clamp_min(1e-3)[:, None]
    measured = ((weight > 0).sum(1) >= MIN_PIXELS) & (continuum > 1e-3)
    width = torch.where(measured[:, None], amplitude[:, :n] * scale, 0.0)
    error = torch.where(measured[:, None], variance[:, :n].clamp_min(0).sqrt() * scale, math.inf)
    return GalaxyLines(width, error)


def _shapes(distance: torch.Tensor, components: Components, sigma: float) -> torch.Tensor:
    """Return the Gaussians of each component, its first line's of unit sum, shape (B, components, window)."""
    out = []
    for lines in components:
        norm = lines[0][1] * sigma * math.sqrt(2 * math.pi)
        profile = torch.zeros_like(distance)
        for name, share in lines:
            pull = (distance - pixel_of(wavelength(name))) / sigma
            profile = profile + share / norm * torch.exp(-0.5 * pull.square())
        out.append(profile)
    return torch.stack(out, 1).float()


@dataclass(frozen=True, slots=True)
class _Solution:
    """Weighted least squares of B windows with K shapes."""

    amplitude: torch.Tensor  # (B, K)
    variance: torch.Tensor  # (B, K)
    chi2: torch.Tensor  # (B,) less that of no fit at all


def _solve(data: torch.Tensor, weight: torch.Tensor, design: torch.Tensor) -> _Solution:
    weighted = design * weight[:, None]
    normal = dot(weighted[:, :, None], design[:, None]).double()
    vector = dot(weighted, data[:, None]).double()
    amplitude, covariance = solved(normal, vector, RIDGE)
    variance = covariance.diagonal(dim1=1, dim2=2)
    return _Solution(amplitude.float(), variance.float(), -dot(amplitude, vector))
