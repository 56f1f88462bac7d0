"""The redshifts worth considering: the distinct minima of one class's chi2(z), weighed with the networks."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from spectraq.models.classes import TAUGHT_Z_RANGES, Z_BIN, Z_BIN_START
from spectraq.models.grid.axis import DLOGLAM, REBIN, lag_of
from spectraq.models.redshift.minima import NOTHING

N_BEST = 5
"""Candidates kept of each class. The truth is hardly ever beyond the second."""
PRIOR_FLOOR = 1e-7
"""No redshift is ruled out by the networks alone."""
UNTAUGHT_PRIOR = 1e-4
"""Of each coarse lag that networks were not taught. Of 120 spectra of real quasars moved to z = 0.004 to 0.03
114 are right with it, 87 with PRIOR_FLOOR, and 115 with ten times as much."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best minima of one class for B spectra, best score first."""

    lag: torch.Tensor  # (B, n) float64, in grid pixels
    score: torch.Tensor  # (B, n) in nats, prior included; NOTHING where there are fewer
    evidence: torch.Tensor  # (B, n) the part of `score` that is not the networks': chi2's and rarity's
    rarity: torch.Tensor  # (B, n) nats that such an object costs for being rare; part of `evidence` too
    chi2: torch.Tensor  # (B, n) on coarse pixels
    curvature: torch.Tensor  # (B, n) of chi2's gain, per coarse pixel squared
    basis: torch.Tensor  # (B, n) int64: which star type; 0 for the other classes
    at_limit: torch.Tensor  # (B, n) bool: at an end of the range searched
    far_chi2: torch.Tensor  # (B,) deepest other minimum at least FAR_PIXELS from the first, or
    # that of the continuum alone
    curve: torch.Tensor  # (B, S) chi2(z) at the scan's lags

    @classmethod
    def empty(cls, n: int, columns: int, device: torch.device) -> Candidates:
        """Return an empty record for n spectra; `put` fills it."""
        far = torch.full((n,), math.inf, device=device)

        def full(value: float) -> torch.Tensor:
            return torch.full((n, N_BEST), value, device=device)

        return cls(
            lag=full(0.0).double(),
            score=full(NOTHING),
            evidence=full(NOTHING),
            rarity=full(0.0),
            chi2=full(math.inf),
            curvature=full(0.0),
            basis=full(0).long(),
            at_limit=full(0).bool(),
            far_chi2=far,
            curve=torch.full((n, columns), math.nan, device=device),
        )

    def put(self, rows: torch.Tensor, candidates: Candidates) -> None:
        """Write what was found for some rows in place."""
        for name in self.__dataclass_fields__:
            stored, given = getattr(self, name), getattr(candidates, name)[: len(rows)]
            if stored.ndim == 2:
                stored[rows, : given.shape[1]] = given
            else:
                stored[rows] = given


def bin_of(lag: torch.Tensor) -> torch.Tensor:
    """Return the fractional redshift bin of a lag in grid pixels; shape as given."""
    return (lag * DLOGLAM - Z_BIN_START) / Z_BIN


def log_prior(posterior: torch.Tensor, lag: torch.Tensor, spectype: str) -> torch.Tensor:
    """Return the log of the networks' probability per coarse lag.

    Parameters
    ----------
    posterior
        Over bins of log10(1 + z), shape (..., B, bins).
    lag
        In grid pixels, shape (B, n).
    spectype
        The class that the bins are of.

    Returns
    -------
    log_prior
        Shape (..., B, n).
    """
    position = bin_of(lag)
    low = position.floor()
    part = (position - low).float()
    bins = posterior.shape[-1]
    inside = (low >= 0) & (low < bins)
    shape = (*posterior.shape[:-1], lag.shape[-1])
    left = posterior.gather(-1, low.long().clamp(0, bins - 1).expand(shape))
    right = posterior.gather(-1, (low.long() + 1).clamp(0, bins - 1).expand(shape))
    lags_a_bin = Z_BIN / DLOGLAM / REBIN
    # a scan begins up to a coarse pixel before the range of its class
    taught = lag > lag_of(TAUGHT_Z_RANGES[spectype][0]) - REBIN
    floor = torch.where(taught, PRIOR_FLOOR, UNTAUGHT_PRIOR)
    return torch.log((left * (1 - part) + right * part) * inside / lags_a_bin + floor)


def ordered(candidates: Candidates, order: torch.Tensor) -> Candidates:
    """Put each spectrum's candidates in another order, shape (B, n)."""
    fields = {name: getattr(candidates, name) for name in candidates.__dataclass_fields__}
    for name in ("lag", "score", "evidence", "rarity", "chi2", "curvature", "basis", "at_limit"):
        fields[name] = fields[name].gather(1, order)
    return Candidates(**fields)
