"""How far the shapes of each part may move the fit: the strengths that make the data most probable.

The amplitudes c of a part have a Gaussian prior of zero mean and one common standard deviation, its strength.
With the amplitudes integrated out, the logarithm of the evidence is, up to a constant,

    (b' D S^-1 D b - ln det S) / 2,    S = 1 + D G D,    D = diag(strength of each shape),

where G and b are the normal equations of what is left over by the best fit (MacKay 1992, Neural Computation
4, 415). A part that the data don't pay for gets strength zero, and its shapes drop out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spectraq.models.final_fit.shapes import Part

STRENGTHS = (0.01, 0.1, 1.0)
"""Standard deviations that are tried first, beside zero."""
STEPS = (1 / 3, 1.0, 3.0)
"""Factors of the strength that was chosen that are tried then."""
BETWEEN = (0.003, 0.03, 0.3)
"""What is tried then of a part that got none."""
START = {Part.LEVEL: 0.1, Part.RESPONSE: 0.03, Part.DETAIL: 0.3, Part.NARROW: 0.1, Part.BROAD: 0.1,
         Part.IRON: 0.03}  # fmt: skip
"""Where the search begins: typical of S/N 10."""
HURDLE_NATS = 2.0
"""What shapes of a part must gain: without it, chance lets some of six parts in at a low S/N."""


def prior_strengths(normal: Tensor, vector: Tensor, part: Sequence[Part]) -> Tensor:
    """Return the strength of each shape by coordinate ascent of the evidence, shape (n,).

    Parameters
    ----------
    normal, vector
        Weighted sums of products of shapes (n, n), and of shapes and flux less the best fit (n,); double.
    part
        Of each shape.
    """
    rows = {
        kind: torch.tensor([i for i, own in enumerate(part) if own == kind]) for kind in dict.fromkeys(part)
    }
    strength = torch.tensor([START[kind] for kind in part], dtype=torch.float64)
    for own in rows.values():
        strength = _most_probable(normal, vector, strength, own, STRENGTHS)
    for own in rows.values():
        chosen = float(strength[own[0]])
        around = [chosen * step for step in STEPS] if chosen else BETWEEN
        strength = _most_probable(normal, vector, strength, own, around)
    return strength


def _most_probable(
    normal: Tensor, vector: Tensor, strength: Tensor, own: Tensor, values: Sequence[float]
) -> Tensor:
    """Return strengths with those of one part's shapes set to the best of some values, or to zero."""
    without = strength.index_fill(0, own, 0.0)
    trials = [strength.index_fill(0, own, value) for value in values]
    gained = [evidence(normal, vector, trial) for trial in trials]
    best = max(range(len(trials)), key=gained.__getitem__)
    return trials[best] if gained[best] > evidence(normal, vector, without) + HURDLE_NATS else without


def evidence(normal: Tensor, vector: Tensor, strength: Tensor) -> float:
    """Return the logarithm of the evidence of prior strengths, less that of none; -inf where it overflows."""
    kept = torch.nonzero(strength > 0)[:, 0]
    if not len(kept):
        return 0.0
    scale = strength[kept]
    scaled = scale[:, None] * normal[kept][:, kept] * scale
    scaled.diagonal().add_(1.0)
    lower, failed = torch.linalg.cholesky_ex(scaled)
    if int(failed):
        return -math.inf
    explained = torch.linalg.solve_triangular(lower, (scale * vector[kept])[:, None], upper=False)
    logarithm = float(explained.square().sum() / 2 - lower.diagonal().log().sum())
    return logarithm if math.isfinite(logarithm) else -math.inf
