"""The smooth part no eigenspectrum follows (flux calibration, dust): a low polynomial, solved with it all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from spectraq.models.redshift.normal_equations import with_mean_ridge
from spectraq.models.tiles import cholesky_inverse, sums

RIDGE = 1e-6
"""Fraction of the polynomials' mean weight that is added to each."""


@lru_cache(maxsize=16)
def chebyshev(n: int, terms: int, device: torch.device) -> torch.Tensor:
    """Return the Chebyshev polynomials T_0 .. T_{terms-1} over n pixels, shape (terms, n)."""
    return chebyshev_at(torch.linspace(-1, 1, n, dtype=torch.float64), terms).to(device)


def chebyshev_at(place: torch.Tensor, terms: int) -> torch.Tensor:
    """Return the same at places from -1 to 1, in double precision; (n,) to (terms, n)."""
    angle = torch.acos(place)
    return torch.stack([torch.cos(k * angle) for k in range(terms)]).float()


def combined(lower: torch.Tensor, shapes: torch.Tensor) -> torch.Tensor:
    """Return shapes (B, P, n) combined by a lower triangular matrix of each spectrum, (B, P, P).

    Term by term: a library's product of small matrices rounds by where they lie in memory.
    """
    total = lower[:, :, 0, None] * shapes[:, None, 0]
    for j in range(1, shapes.shape[1]):
        total[:, j:].addcmul_(lower[:, j:, j, None], shapes[:, None, j])
    return total


@dataclass(frozen=True, slots=True)
class Continuum:
    """Polynomials made orthonormal under each spectrum's own weights.

    Being orthonormal they are eliminated from the normal equations by plain subtraction, at every lag at
    once: only the eigenspectra's own K x K system is left to solve.
    """

    weighted: torch.Tensor  # (B, P, n) ivar times the orthonormal polynomials
    amplitudes: torch.Tensor  # (B, P) of the continuum alone
    chi2: torch.Tensor  # (B,) of the continuum alone

    @classmethod
    def fit(cls, flux: torch.Tensor, ivar: torch.Tensor, terms: int) -> Continuum:
        """Fit the continuum alone.

        Parameters
        ----------
        flux, ivar
            Shape (B, n).
        terms
            Number P of polynomial terms.
        """
        polynomials = chebyshev(flux.shape[1], terms, flux.device)  # (P, n)
        weighted = ivar[:, None] * polynomials  # (B, P, n)
        gram = sums(weighted, polynomials.expand(len(flux), -1, -1))  # (B, P, P)
        # A spectrum of few pixels can't tell the terms apart: a tiny ridge keeps the factor finite.
        lower = cholesky_inverse(with_mean_ridge(gram, RIDGE))
        weighted = combined(lower, weighted)
        amplitudes = (weighted * flux[:, None]).sum(2)
        chi2 = (ivar * flux.square()).sum(1) - amplitudes.square().sum(1)
        return cls(weighted, amplitudes, chi2)

    def of(self, rows: torch.Tensor) -> Continuum:
        """Return the continua of some rows."""
        return Continuum(self.weighted[rows], self.amplitudes[rows], self.chi2[rows])
