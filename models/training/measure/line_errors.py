"""Learn what a fit leaves in lines of normal spectra: the errors that make the heights of its lines likely.

Heights are fractions of the flux. Their likelihood is a Student t's, which a few strange spectra do not move,
with the variance of the noise and the error's square; pixels at the same place at rest have one error, then,
with these in the noise, those that are observed at the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectraq.models.anomaly.line_errors import (
    LEVELS,
    N_OBSERVED,
    N_REST,
    STRETCH,
    LineErrors,
    rest_stretch,
)
from spectraq.models.anomaly.residual import Measured, Residual
from spectraq.models.anomaly.unexplained_lines import WIDTHS, filtered, untrusted
from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES
from spectraq.models.grid.model_error import LEAST_LEVEL
from spectraq.models.grid.prepare import box_mean
from spectraq.models.tensors import rows_of

EVERY = 4
"""Pixels of which one is looked at: heights of lines are smoother than that."""
INDEPENDENT_PIXELS = 24
"""Pixels that tell as much as one would alone: the widest line's, and what is left is smooth."""
FREEDOM = 6.0
"""Of Student's t."""
NEIGHBOURS, PRIOR = (0, 6, 6), (3.0, 10.0, 10.0)
"""By class: stretches on either side that are pooled, and the weight of the mean over all wavelengths in
independent values. Stars are all at one redshift, so that each of their stretches has hundreds of spectra;
what eigenspectra miss of them are narrow lines."""
NEIGHBOURS_OBSERVED, PRIOR_OBSERVED = 1, 10.0
CAUTION_NATS = 0.25
"""The largest error that is less likely than the best by no more than this."""
LEAST_SPECTRA = 8
UNSEEN_QUANTILE = 0.75
"""Of the class's errors, where fewer spectra than LEAST_SPECTRA have a stretch."""
UNSEEN = 0.1
"""Where no stretch of a class has so many."""
BLOCK = 64


@dataclass(frozen=True, slots=True)
class Heights:
    """Heights of lines in one spectrum, at n pixels, as fractions of the flux."""

    spectype: int
    height: Tensor  # (widths, n)
    variance: Tensor  # (widths, n) of the noise
    rest: Tensor  # (n,) stretch at rest
    observed: Tensor  # (n,) stretch as observed


def heights(analysis: BatchAnalysis) -> list[Heights]:
    """Return the heights of each spectrum of a batch where lines are sought."""
    measured, done = Measured.of(analysis), []
    for start in range(0, len(measured.lag), BLOCK):
        residual = Residual.of(rows_of(measured, slice(start, start + BLOCK)))
        ratio, weight = filtered(residual)
        level = residual.model.abs().clamp_min(LEAST_LEVEL)[:, None]
        height, variance = ratio / weight.sqrt() / level, 1 / (weight * level.square())
        trusted, rest = ~untrusted(residual), rest_stretch(residual.lag)
        for i, spectype in enumerate(residual.spectype.tolist()):
            pixel = torch.nonzero(trusted[i])[::EVERY, 0]
            columns = (height[i][:, pixel], variance[i][:, pixel], rest[i][pixel], pixel // STRETCH)
            done.append(Heights(spectype, *columns))
    return done


def learn(spectra: Sequence[Heights]) -> LineErrors:
    """Return the errors that normal spectra have."""
    rest = torch.stack(
        [_at_rest([one for one in spectra if one.spectype == c], c) for c in range(len(CLASSES))]
    )
    beside_rest = ((one, one.observed, rest[one.spectype][:, one.rest].square()) for one in spectra)
    likelihood, count = _likelihood(beside_rest, N_OBSERVED)
    observed = [
        _levels()[_pooled(of_width, count, NEIGHBOURS_OBSERVED, PRIOR_OBSERVED).argmax(0)]
        for of_width in likelihood
    ]
    return LineErrors(rest, torch.stack(observed))


def apart(spectra: Sequence[Heights], sources: Sequence[str]) -> dict[str, LineErrors]:
    """Return for each source the errors that all others have."""
    return {
        source: learn([one for one, own in zip(spectra, sources, strict=True) if own != source])
        for source in sorted(set(sources))
    }


def _at_rest(spectra: Sequence[Heights], spectype: int) -> Tensor:
    """Return the errors of a class by stretch at rest, shape (widths, N_REST)."""
    half, prior = NEIGHBOURS[spectype], PRIOR[spectype]
    likelihood, count = _likelihood(((one, one.rest, torch.zeros(())) for one in spectra), N_REST)
    seen = box_mean(count[None], half)[0] * EVERY / STRETCH >= LEAST_SPECTRA
    errors = []
    for of_width in likelihood:
        pooled = _pooled(of_width, count, half, prior)
        likely = pooled >= pooled.max(0).values - CAUTION_NATS
        chosen = _levels()[(torch.arange(len(LEVELS))[:, None] * likely).max(0).values]
        unseen = torch.quantile(chosen[seen], UNSEEN_QUANTILE) if seen.any() else torch.tensor(UNSEEN)
        errors.append(torch.where(seen, chosen, chosen.maximum(unseen)))
    return torch.stack(errors)


def _likelihood(parts: Iterable[tuple[Heights, Tensor, Tensor]], n: int) -> tuple[Tensor, Tensor]:
    """Return the log likelihood of every level by width and stretch, and how many pixels each stretch has.

    Parameters
    ----------
    parts
        Heights, the stretch of each of their pixels, and variances that are known beside the noise's.
    n
        Number of stretches.

    Returns
    -------
    likelihood, count
        Shapes (widths, levels, n) and (n,), double.
    """
    total = torch.zeros(len(WIDTHS), len(LEVELS), n, dtype=torch.float64)
    count = torch.zeros(n, dtype=torch.float64)
    square = _levels().square()[:, None]
    for spectrum, stretch, known in parts:
        variance = (spectrum.variance + known)[:, None] + square
        off = torch.log1p(spectrum.height.square()[:, None] / variance / FREEDOM)
        logarithm = -0.5 * variance.log() - 0.5 * (FREEDOM + 1) * off
        total.scatter_add_(2, stretch.expand(logarithm.shape), logarithm.double())
        count.scatter_add_(0, stretch, torch.ones(len(stretch), dtype=torch.float64))
    return total, count


def _pooled(likelihood: Tensor, count: Tensor, half: int, prior: float) -> Tensor:
    """Return log likelihoods of levels with those of neighbours and the mean's, (levels, n) both."""
    near = box_mean(likelihood, half) * (2 * half + 1) * EVERY / INDEPENDENT_PIXELS
    return near + prior * (likelihood.sum(1) / count.sum().clamp_min(1))[:, None]


def _levels() -> Tensor:
    return torch.from_numpy(LEVELS)
