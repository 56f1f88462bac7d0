"""From chi2 curves to redshifts: distinct minima, their place within a pixel, and their error bar."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import max_pool1d

from spectraq.models.grid.axis import LN_PER_PIXEL

DISTINCT_COARSE_PIXELS = 6
"""Two minima closer than this many coarse pixels (1650 km/s) are one."""
FLAT = 1e-4
"""Curvature below which chi2 says nothing of the redshift; keeps the error bar finite."""
NEWTON_STEPS = 4
"""From the parabola's top to the quartic's, to less than a thousandth of a pixel."""
NOTHING = -1e30
"""Score of a candidate that does not exist."""


@dataclass(frozen=True, slots=True)
class Peak:
    """The top of a gain curve, between its points."""

    index: torch.Tensor  # (...) position in pixels of the curve, fractional
    height: torch.Tensor  # (...)
    curvature: torch.Tensor  # (...) minus the second derivative, per pixel squared; not positive at an edge


def parabola(curve: torch.Tensor, column: torch.Tensor) -> Peak:
    """Return peaks of curves, refined by a parabola through three points.

    Parameters
    ----------
    curve
        Shape (B, S).
    column
        Column of each peak, int64, shape (B, n); those at an end are moved one inwards.
    """
    column = column.clamp(1, curve.shape[1] - 2)
    left, middle, right = (curve.gather(1, column + step) for step in (-1, 0, 1))
    second = left - 2 * middle + right
    convex = second < 0
    shift = torch.where(convex, 0.5 * (left - right) / torch.where(convex, second, -1.0), 0.0).clamp(-1, 1)
    return Peak(column + shift.double(), middle - 0.25 * (left - right) * shift, -second)


def quartic(curve: torch.Tensor, column: torch.Tensor) -> Peak:
    """Return peaks of finely sampled curves, refined by the quartic through five points.

    A narrow line's peak is not a parabola over three pixels: its top is then pulled towards the middle of
    the nearest pixel by up to 9e-6 in ln(1 + z), and its width is a little off. Where the quartic has no top
    near the parabola's, the parabola's is kept.

    Parameters
    ----------
    curve, column
        As of `parabola`; columns within two of an end are moved inwards.
    """
    column = column.clamp(2, curve.shape[1] - 3)
    rough = parabola(curve, column)
    points = torch.stack([curve.gather(1, column + step) for step in (-2, -1, 0, 1, 2)]).double()
    outer_left, left, middle, right, outer_right = points
    first = (right - left) * 2 / 3 - (outer_right - outer_left) / 12
    second = (left + right) * 4 / 3 - (outer_left + outer_right) / 12 - 2.5 * middle
    third = (outer_right - outer_left) / 2 - (right - left)
    fourth = outer_left + outer_right - 4 * (left + right) + 6 * middle
    start = rough.index - column
    x = start
    for _ in range(NEWTON_STEPS):
        slope = first + x * (second + x * (third / 2 + x * fourth / 6))
        bend = second + x * (third + x * fourth / 2)
        x = torch.where(bend < 0, x - slope / torch.where(bend < 0, bend, -1.0), x).clamp(-1, 1)
    bend = second + x * (third + x * fourth / 2)
    height = middle + x * (first + x * (second / 2 + x * (third / 6 + x * fourth / 24)))
    near = (bend < 0) & ((x - start).abs() < 0.5)
    return Peak(
        torch.where(near, column + x, rough.index),
        torch.where(near, height.to(curve.dtype), rough.height),
        torch.where(near, -bend.to(curve.dtype), rough.curvature),
    )


def distinct(
    score: torch.Tensor, n: int, width: int = DISTINCT_COARSE_PIXELS
) -> tuple[torch.Tensor, torch.Tensor]:
    """Find the n highest local maxima at least `width` columns apart.

    Parameters
    ----------
    score
        Shape (B, S).

    Returns
    -------
    height, column
        Shape (B, n), highest first; height is NOTHING where there are fewer.
    """
    top = max_pool1d(score[:, None], 2 * width + 1, 1, width)[:, 0]
    best = torch.where(score >= top, score, NOTHING).topk(n, 1)
    return best.values, best.indices


def sigma_lnz(curvature: torch.Tensor, kappa: torch.Tensor, pixels: float) -> torch.Tensor:
    """Return one standard deviation of ln(1 + z) from the curvature of chi2.

    chi2 rises by kappa at one sigma: where the fit is worse than the noise (kappa = chi2/dof > 1), the noise
    is taken to be that much larger.

    Parameters
    ----------
    curvature
        Of the gain, per curve pixel squared.
    kappa
        max(1, chi2/dof).
    pixels
        Grid pixels in a curve pixel.
    """
    return pixels * LN_PER_PIXEL * torch.sqrt(2 * kappa / curvature.clamp_min(FLAT))
