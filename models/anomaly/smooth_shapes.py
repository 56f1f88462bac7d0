"""Smooth errors of the flux: a wrong calibration, and light that was scattered into one end.

Both are fitted jointly with all shapes of the first object, like its companions, and compared with these: a
second object or a supernova has bands, breaks and lines, which no smooth shape gains anything from.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch

from spectraq.models.anomaly.joint_fit import Leftover
from spectraq.models.grid.axis import N_COARSE, REBIN
from spectraq.models.redshift.continuum import chebyshev_at
from spectraq.models.redshift.normal_equations import sizes, with_unit_diagonal
from spectraq.models.tiles import dot, inverse, sums

TERMS = range(1, 9)
"""Orders of the factor's polynomials."""
FALLS = (25.0, 70.0, 200.0)
"""Coarse pixels within which light at an end falls to 37 %: 140, 390 and 1100 Å at 6000 Å."""
RIDGE = 1e-3
LEAST_SQUARE = 1e-9
HALF = 0.5


@dataclass(frozen=True, slots=True)
class Smooth:
    """The best smooth error of B spectra."""

    factor: torch.Tensor  # (B,) chi2 gained by a smooth factor, over chi2 a pixel
    light: torch.Tensor  # (B,) the same by light added at the ends
    fraction: torch.Tensor  # (B,) of the model's level, where the better of both is strongest
    low: torch.Tensor  # (B,) int64 first pixel where it has half of that
    high: torch.Tensor  # (B,) int64 last pixel


def smooth(left: Leftover) -> Smooth:
    """Fit smooth errors to what the first object leaves."""
    shapes = torch.cat([_chebyshev(left.flux.device) * left.level[:, None], _ends(left)], 1)
    (factor, curve), (light, added) = _fitted(left, shapes)
    better = (light > factor)[:, None]
    relative = torch.where(better, added, curve) / left.level * (left.ivar > 0)
    strongest = relative.abs().max(1)
    at = strongest.indices[:, None]
    fraction = relative.gather(1, at)[:, 0]
    low, high = _around(relative * fraction[:, None] > HALF * fraction.square()[:, None], at)
    return Smooth(factor / left.kappa, light / left.kappa, fraction, low * REBIN, high * REBIN + REBIN - 1)


def _fitted(left: Leftover, shapes: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return what factors, then ends, (B, K, N_COARSE), gain beside the first object, (B,), and their sum."""
    data = torch.cat([left.first.weighted, (left.ivar * left.flux)[:, None]], 1)
    projections = sums(shapes, data).double()
    overlap, vector = projections[..., :-1], projections[..., -1]
    vector = vector - (overlap * left.first.amplitudes[:, None]).sum(2)
    gram = sums(shapes * left.ivar[:, None], shapes).double()
    free = gram - (overlap[:, :, None] * overlap[:, None]).sum(3)
    fitted = []
    for some in (slice(0, len(TERMS)), slice(len(TERMS), None)):
        size = sizes(gram[:, some, some], LEAST_SQUARE)
        scaled = vector[:, some] / size
        matrix = with_unit_diagonal(free[:, some, some], size, RIDGE)
        amplitude = dot(inverse(matrix), scaled[:, None])
        gained = (scaled * amplitude).sum(1).float().clamp_min(0)
        fitted.append((gained, ((amplitude / size).float()[..., None] * shapes[:, some]).sum(1)))
    return fitted


@cache
def _chebyshev(device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # kept for callers of every kind
        place = torch.linspace(-1, 1, N_COARSE, dtype=torch.float64)
        return chebyshev_at(place, TERMS.stop)[TERMS.start :].to(device)


def _ends(left: Leftover) -> torch.Tensor:
    """Return light that falls from either end of what is used, (B, 2 * falls, N_COARSE)."""
    used = (left.ivar > 0).int()
    place = torch.arange(N_COARSE, device=used.device)
    first = used.argmax(1)[:, None]
    last = N_COARSE - 1 - used.flip(1).argmax(1)[:, None]
    away = torch.stack([place - first, last - place], 1).clamp_min(0).float()
    return torch.cat([torch.exp(-away / fall) for fall in FALLS], 1)


def _around(inside: torch.Tensor, at: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first and last pixel of the stretch of `inside` around pixels (B, 1); (B,) each."""
    place = torch.arange(inside.shape[1], device=inside.device)
    outside = ~inside
    low = torch.where(outside & (place < at), place, -1).amax(1) + 1
    high = torch.where(outside & (place > at), place, inside.shape[1]).amin(1) - 1
    return low, high
