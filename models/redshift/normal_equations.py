"""What K eigenspectra explain beyond the continuum, at many lags at once: a Cholesky factor over arrays.

chi2(z) = chi2(continuum alone) - gain(z), gain = b^T A^-1 b, where A (K x K) and b (K) are the normal
equations of the eigenspectra after the continuum is eliminated. A library's batched K x K solver spends most
of its time on bookkeeping for K = 5; here every step is one operation over an array of all spectra and lags.
"""

from __future__ import annotations

import torch

from spectraq.models.tiles import dot, inverse

RIDGE = 1e-5
"""Fraction added to A's diagonal: eigenspectra that a short spectrum can't tell apart must not cancel."""
LEAST_SQUARE = 1e-20
"""Weighted square of a shape below which it is not seen."""
SINGULAR = 1e-7
"""A pivot below this fraction of its diagonal element is rounding: that eigenspectrum adds nothing."""


def pairs(k: int) -> list[tuple[int, int]]:
    """Return the index pairs (i, j), i <= j, in the order that products of eigenspectra are kept."""
    return [(i, j) for i in range(k) for j in range(i, k)]


def eliminate(
    products: torch.Tensor, overlap: torch.Tensor, projection: torch.Tensor, continuum: torch.Tensor
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Take the continuum out of the normal equations.

    Parameters
    ----------
    products
        Sum of ivar * t_i * t_j for the `pairs`, shape (K(K+1)/2, ...).
    overlap
        Sum of ivar * p * t_i for the orthonormal polynomials p, shape (K, P, ...).
    projection
        Sum of ivar * flux * t_i, shape (K, ...).
    continuum
        The continuum's own amplitudes, shape (P, ...) or broadcastable.

    Returns
    -------
    matrix, vector
        A (by `pairs`) and b (by eigenspectrum) as lists of arrays.
    """
    terms = [of_template.unbind() for of_template in overlap.unbind()]
    matrix = []
    for product, (i, j) in zip(products.unbind(), pairs(len(terms)), strict=True):
        element = product * (1 + RIDGE) if i == j else product.clone()
        for one, other in zip(terms[i], terms[j], strict=True):
            element.addcmul_(one, other, value=-1)
        matrix.append(element)
    vector = []
    for projected, of_template in zip(projection.unbind(), terms, strict=True):
        element = projected.clone()
        for term, amplitude in zip(of_template, continuum.unbind(), strict=True):
            element.addcmul_(term, amplitude.expand_as(element), value=-1)
        vector.append(element)
    return matrix, vector


def gain(matrix: list[torch.Tensor], vector: list[torch.Tensor]) -> torch.Tensor:
    """Return b^T A^-1 b for every element of the arrays.

    Parameters
    ----------
    matrix, vector
        As from `eliminate`.

    Returns
    -------
    gain
        Of the arrays' own shape; never negative.
    """
    k = len(vector)
    place = {pair: index for index, pair in enumerate(pairs(k))}
    lower: dict[tuple[int, int], torch.Tensor] = {}
    solved: list[torch.Tensor] = []
    total = torch.zeros_like(vector[0])
    for j in range(k):
        diagonal = matrix[place[j, j]]
        pivot = diagonal.clone()
        value = vector[j].clone()
        for m in range(j):
            pivot.addcmul_(lower[j, m], lower[j, m], value=-1)
            value.addcmul_(lower[j, m], solved[m], value=-1)
        usable = pivot > SINGULAR * diagonal.abs()
        inverse = torch.where(usable, pivot.clamp_min(1e-20).rsqrt(), 0.0)
        solved.append(value.mul_(inverse))
        total.addcmul_(solved[j], solved[j])
        for i in range(j + 1, k):
            element = matrix[place[j, i]].clone()
            for m in range(j):
                element.addcmul_(lower[i, m], lower[j, m], value=-1)
            lower[i, j] = element.mul_(inverse)
    return total


def sizes(normal: torch.Tensor, least: float = LEAST_SQUARE) -> torch.Tensor:
    """Return the weighted norm of each of n shapes from their normal equations, (B, n, n) to (B, n).

    Parameters
    ----------
    least
        Square of the norm of a shape that is not seen.
    """
    return normal.diagonal(dim1=1, dim2=2).clamp_min(least).sqrt()


def with_mean_ridge(matrix: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return normal equations with a fraction of their mean diagonal added to it; (B, n, n) as given."""
    size = ridge * matrix.diagonal(dim1=1, dim2=2).mean(1) + LEAST_SQUARE
    return matrix + size[:, None, None] * torch.eye(matrix.shape[1], device=matrix.device)


def with_unit_diagonal(matrix: torch.Tensor, size: torch.Tensor, ridge: float) -> torch.Tensor:
    """Return normal equations of shapes of norm one, with a ridge on the diagonal; (B, n, n) as given.

    Parameters
    ----------
    size
        From `sizes`.
    ridge
        What two shapes that a spectrum can't tell apart are kept from cancelling by.
    """
    eye = torch.eye(matrix.shape[1], dtype=matrix.dtype, device=matrix.device)
    return matrix / (size[:, :, None] * size[:, None]) + ridge * eye


def solved(normal: torch.Tensor, vector: torch.Tensor, ridge: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return amplitudes (B, n) of n shapes and their covariance (B, n, n).

    Parameters
    ----------
    normal, vector
        Normal equations, shape (B, n, n) and (B, n), double precision.
    ridge
        As of `with_unit_diagonal`.
    """
    size = sizes(normal)
    covariance = inverse(with_unit_diagonal(normal, size, ridge)) / (size[:, :, None] * size[:, None])
    return dot(covariance, vector[:, None]), covariance
