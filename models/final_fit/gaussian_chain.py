"""What a stretch of pixels has beyond a model, by a Gaussian process of exponential covariance.

Such a process is a chain (Ornstein and Uhlenbeck): each pixel knows the others by its two neighbours alone,
and two passes along it, one from each end, give mean, variance and evidence (Rasmussen and Williams 2006,
appendix B). Long stretches are cut into blocks that feel their neighbours, and all blocks pass at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.final_fit.pixels import Floats

BLOCK = 32
"""Pixels that a block gives."""
FELT_LENGTHS = 4
"""Lengths of the correlation that a block feels on either side: 2 % of it is left there."""
Doubles = NDArray[np.float64]


HURDLE_NATS = 6.0
"""What a process must gain: of a quasar some sixty blocks are tried."""


@dataclass(frozen=True, slots=True)
class Process:
    """The process of a stretch of n pixels, as the data say it; zero where it gains nothing."""

    mean: Floats  # (n,)
    variance: Floats  # (n,)
    parameters: float  # effective number
    evidence: float  # logarithm, less that without the process; zero where there is none


def most_probable(
    left: Floats,
    ivar: Floats,
    deviation: Floats,
    length: float,
    strengths: Sequence[float],
    together: bool = True,
) -> Process:
    """Return the process with the strengths that make the data most probable.

    Parameters
    ----------
    left, ivar
        What a model leaves and its inverse variance, shape (n,).
    deviation
        Prior standard deviation for a strength of one, shape (n,).
    length
        Pixels in which the correlation falls to 1/e.
    strengths
        Those that are tried.
    together
        Whether all blocks share one strength; else each has its own, or none.
    """
    n, felt = len(left), round(FELT_LENGTHS * length)
    blocks = -(-n // BLOCK)
    padded = np.zeros((3, blocks * BLOCK + 2 * felt))
    padded[:, felt : felt + n] = deviation, ivar, left
    windows = np.lib.stride_tricks.sliding_window_view(padded, BLOCK + 2 * felt, axis=1)[:, ::BLOCK]
    prior, weight, off = (np.ascontiguousarray(plane.T)[:, None] for plane in windows)  # (size, 1, blocks)
    prior = prior * np.array(strengths)[:, None]
    known, score = prior**2 * weight, prior * weight * off
    precision, mean, pivots = _passed(known, score, length)
    inner = slice(felt, felt + BLOCK)
    gained = ((score * mean)[inner] - np.log(pivots[inner])).sum(0) / 2
    if together:
        gained = np.repeat(gained.sum(1, keepdims=True) / blocks, blocks, 1)
    best, place = gained.argmax(0), np.arange(blocks)
    gain = gained[best, place]
    kept = (gain.sum() if together else gain) > HURDLE_NATS
    chosen = [plane[inner, best, place] * kept for plane in (prior, prior * mean, known / precision)]
    variance = chosen[0] ** 2 / precision[inner, best, place]
    flat = [np.asarray(plane.T.ravel()[:n], np.float32) for plane in (chosen[1], variance)]
    return Process(flat[0], flat[1], float(chosen[2].sum()), float((gain * kept).sum()))


def _passed(known: Doubles, score: Doubles, length: float) -> tuple[Doubles, Doubles, Doubles]:
    """Return precision and mean of each pixel of chains of unit variance, and how each sharpens the next.

    Parameters
    ----------
    known, score
        Inverse variance of each pixel's datum, and that times the datum; shape (pixels, ..., chains).

    Returns
    -------
    precision, mean, pivots
        Of the same shape; the product of all pivots is the ratio of prior and posterior volume, squared.
    """
    rho = np.exp(-1 / length)
    scale = 1 / (1 - rho**2)
    link = rho * scale
    diagonal = known + (1 + rho**2) * scale
    diagonal[[0, -1]] -= rho**2 * scale
    # Both ways at once: the second half runs backwards.
    matrix, vector = (np.stack([plane, plane[::-1]], axis=1) for plane in (diagonal, score))
    ratio = np.empty_like(matrix[0])
    for before, pixel in zip(range(len(matrix) - 1), range(1, len(matrix)), strict=True):
        np.divide(link, matrix[before], out=ratio)
        matrix[pixel] -= link * ratio
        vector[pixel] += np.multiply(ratio, vector[before], out=ratio)
    ahead, behind = matrix[:, 0], matrix[::-1, 1]
    precision = ahead + behind - diagonal
    mean = (vector[:, 0] + vector[::-1, 1] - score) / precision
    return precision, mean, ahead / scale
