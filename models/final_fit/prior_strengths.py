"""How far the shapes of each part may move the fit: the strengths that make the data most probable.

The amplitudes c of a part have a Gaussian prior of zero mean and one common standard deviation, its strength.
With the amplitudes integrated out, the logarithm of the evidence is, up to a constant,

    (b' D S^-1 D b - ln det S) / 2,    S = 1 + D G D,    D = diag(strength of each shape),

where G and b are the normal equations of what is left over by the best fit (MacKay 1992, Neural Computation
4, 415). At its maximum the square of a strength is that of the amplitudes over their effective number, which
is a step from any strengths to better ones. A part that the data don't pay for is left out; what it gains is
the ratio of prior and posterior density at amplitudes zero (Dickey 1971, Ann. Math. Stat. 42, 204).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.final_fit.shapes import Part

Doubles = NDArray[np.float64]

START = {Part.LEVEL: 0.1, Part.RESPONSE: 0.03, Part.DETAIL: 0.3, Part.NARROW: 0.1, Part.BROAD: 0.1,
         Part.IRON: 0.03}  # fmt: skip
"""Where the search begins: typical of S/N 10."""
LIMITS = (0.001, 3.0)
"""Of a strength, in units of the median flux."""
LEAST_KNOWN = 1e-3
"""Effective number of amplitudes over all, at least, in a step."""
STEPS = 3
"""Towards the most probable strengths before parts are judged, at most."""
CLOSE = 0.2
"""Steps end where the logarithms of all strengths change by less: the evidence is flat there."""
HURDLE_NATS = 2.0
"""What shapes of a part must gain: without it, chance lets some of six parts in at a low S/N."""
TRIED = np.array([0.003, 0.01, 0.03, 0.1, 0.3, 1.0])[:, None] ** 2
"""Squares of strengths at which a part alone is tried."""
LEAST_NATS = 0.0
"""A part that gains less than this alone, its shapes taken as independent, is not looked at further."""


def may_pay(score: NDArray[np.float32], weight: NDArray[np.float32]) -> bool:
    """Return whether shapes alone may gain enough, by their own elements of the normal equations only."""
    if not score.size:
        return False
    b, g = score.ravel().astype(np.float64), weight.ravel().astype(np.float64)
    gained = (TRIED * b**2 / (1 + TRIED * g) - np.log1p(TRIED * g)).sum(1) / 2
    return bool(gained.max() > LEAST_NATS)


@dataclass(frozen=True, slots=True)
class Posterior:
    """The amplitudes of the m shapes that were let in."""

    kept: NDArray[np.int64]  # (m,) which
    strength: Doubles  # (m,)
    mean: Doubles  # (m,) in units of the strengths
    covariance: Doubles  # (m, m) likewise

    @classmethod
    def of(cls, normal: Doubles, vector: Doubles, kept: NDArray[np.int64], strength: Doubles) -> Posterior:
        """Solve for the amplitudes of some shapes with given strengths."""
        own = normal if len(kept) == len(vector) else normal[np.ix_(kept, kept)]
        system = own * (strength[:, None] * strength)
        system.flat[:: len(kept) + 1] += 1.0
        covariance = torch.cholesky_inverse(torch.linalg.cholesky(torch.from_numpy(system)))
        scaled = torch.from_numpy(strength * vector[kept])
        # The library of PyTorch has the threads that the pipeline gives it, numpy's takes every core.
        return cls(kept, strength, (covariance @ scaled.clone()).numpy(), covariance.numpy())

    def amplitudes(self, n: int) -> NDArray[np.float32]:
        """Return the amplitudes of all n shapes, zero of those that were not let in."""
        amplitude = np.zeros(n, np.float32)
        amplitude[self.kept] = self.mean * self.strength
        return amplitude

    def scaled_covariance(self) -> NDArray[np.float32]:
        """Return the covariance of the amplitudes themselves, (m, m)."""
        return (self.covariance * (self.strength[:, None] * self.strength)).astype(np.float32)

    def parameters(self) -> float:
        """Return the effective number of amplitudes."""
        return len(self.kept) - float(self.covariance.trace())

    def better(self, count: NDArray[np.int64]) -> Doubles:
        """Return the next strengths; of each part stand so many shapes together."""
        start = count.cumsum() - count
        unknown = np.add.reduceat(self.covariance.diagonal(), start)
        square = np.add.reduceat(self.mean**2, start) / np.maximum(count - unknown, LEAST_KNOWN * count)
        strength = self.strength * np.sqrt(square).repeat(count)
        return np.asarray(np.minimum(np.maximum(strength, LIMITS[0]), LIMITS[1]))

    def gained(self, count: NDArray[np.int64]) -> Doubles:
        """Return the logarithm of the evidence with each part, less that without it."""
        stop = count.cumsum()
        spans = zip((stop - count).tolist(), stop.tolist(), strict=True)
        return np.array([self._gained(slice(*span)) for span in spans])

    def _gained(self, own: slice) -> float:
        lower, failed = torch.linalg.cholesky_ex(torch.from_numpy(self.covariance[own, own]))
        if int(failed):
            return math.inf  # known so well that its variance is lost in rounding
        mean = torch.from_numpy(self.mean[own, None])
        solved = torch.linalg.solve_triangular(lower, mean, upper=False).numpy()
        return float(np.square(solved).sum() / 2 + np.log(lower.numpy().diagonal()).sum())


def most_probable(
    normal: Doubles, vector: Doubles, part: Sequence[Part], start: Mapping[Part, float] = START
) -> Posterior:
    """Return the amplitudes with the strengths that make the data most probable.

    Parameters
    ----------
    normal, vector
        Weighted sums of products of shapes (n, n), and of shapes and flux less the best fit (n,).
    part
        Of each shape; those of one part stand together.
    start
        Strength of each part at which the search begins.

    Returns
    -------
    posterior
        Of nothing where the sums overflow.
    """
    nothing = np.zeros(0)
    none = Posterior(np.zeros(0, np.int64), nothing, nothing, np.zeros((0, 0)))
    if not (part and np.isfinite(normal).all() and np.isfinite(vector).all()):
        return none
    try:
        return _let_in(normal, vector, part, start) or none
    except RuntimeError:  # the library knows no factors of such sums
        return none


def _let_in(
    normal: Doubles, vector: Doubles, part: Sequence[Part], start: Mapping[Part, float]
) -> Posterior | None:
    """Return the amplitudes of the parts that pay, None where none does."""
    count = np.array([len(list(own)) for _, own in groupby(part)])
    kept = np.arange(len(part))
    strength = np.array([start[kind] for kind in part])
    steps = STEPS
    while len(count):
        posterior = Posterior.of(normal, vector, kept, strength)
        for _ in range(steps):
            strength = posterior.better(count)
            if (np.abs(np.log(strength / posterior.strength)) < CLOSE).all():
                break
            posterior = Posterior.of(normal, vector, kept, strength)
        gained = posterior.gained(count)
        if gained.min() > HURDLE_NATS:
            return posterior
        # What gains little may be needed once its rival is gone, what loses is not.
        stay = gained > max(gained.min(), 0.0)
        shapes = np.repeat(stay, count)
        kept, strength, count = kept[shapes], strength[shapes], count[stay]
        steps = 0
    return None
