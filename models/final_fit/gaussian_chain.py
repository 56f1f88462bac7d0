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


@dataclass(frozen=True, slots=True)
class Process:
    """The process of a stretch of n pixels, as the data say it with a prior of given strength."""

    strength: float
    mean: Floats  # (n,)
    variance: Floats  # (n,)
    parameters: float  # effective number
    evidence: float  # logarithm, less that without the process


def most_probable(
    left: Floats, ivar: Floats, deviation: Floats, length: float, strengths: Sequence[float]
) -> Process:
    """Return the process with the strength that makes the data most probable.

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
    gained = (score * mean)[inner].sum((0, 2)) - np.log(pivots[inner]).sum((0, 2))
    best = int(gained.argmax())
    own = prior[inner, best]
    planes = (own * mean[inner, best], own**2 / precision[inner, best])
    flat = [np.asarray(plane.T.ravel()[:n], np.float32) for plane in planes]
    parameters = float((known[inner, best] / precision[inner, best]).sum())
    return Process(strengths[best], flat[0], flat[1], parameters, float(gained[best]) / 2)


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
