"""The redshifts worth considering: for each class the distinct minima of chi2(z), weighed with the networks.

Galaxies and quasars are scanned over all lags; stars, which hardly move, with the bases of the two types the
networks find likeliest, over a few lags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from models.classifier import STAR_TYPES, Z_BIN, Z_BIN_START
from models.continuum import Continuum
from models.eigenspectra import Basis
from models.evidence import between_classes, between_redshifts
from models.exact import Templates
from models.grid import DLOGLAM, N_PIXELS, REBIN
from models.refine import NOTHING, distinct, parabola
from models.scan import Scan

N_BEST = 5
"""Candidates kept of each class. The truth is hardly ever beyond the second."""
Z_RANGES = {"GALAXY": (-0.004, 1.69), "QSO": (0.02, 7.0)}
STAR_TYPES_TRIED = 2
STAR_RADIUS_COARSE = 5
"""Stars are searched to 20 grid pixels, 1400 km/s: beyond the Galaxy's escape velocity."""
FAR_PIXELS = 100
"""Minima at least this far apart are compared for the robustness (GaSNet-III, arXiv:2412.21130)."""
PRIOR_FLOOR = 1e-7
"""No redshift is ruled out by the networks alone."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """The best minima of one class for B spectra, best score first."""

    lag: torch.Tensor  # (B, n) float64, in grid pixels
    score: torch.Tensor  # (B, n) in nats, prior included; NOTHING where there are fewer
    evidence: torch.Tensor  # (B, n) the part of `score` that is chi2's
    chi2: torch.Tensor  # (B, n) on coarse pixels
    curvature: torch.Tensor  # (B, n) of chi2's gain, per coarse pixel squared
    basis: torch.Tensor  # (B, n) int64: which star type; 0 for the other classes
    at_limit: torch.Tensor  # (B, n) bool: at an end of the range searched
    far_chi2: torch.Tensor  # (B,) deepest other minimum at least FAR_PIXELS from the first, or
    # that of the continuum alone
    curve: torch.Tensor  # (B, S) chi2(z) at the scan's lags

    @classmethod
    def empty(cls, n: int, columns: int, device: torch.device) -> Candidates:
        """Nothing yet for n spectra; `put` fills it."""
        far = torch.full((n,), math.inf, device=device)

        def full(value: float) -> torch.Tensor:
            return torch.full((n, N_BEST), value, device=device)

        return cls(
            lag=full(0.0).double(),
            score=full(NOTHING),
            evidence=full(NOTHING),
            chi2=full(math.inf),
            curvature=full(0.0),
            basis=full(0).long(),
            at_limit=full(0).bool(),
            far_chi2=far,
            curve=torch.full((n, columns), math.nan, device=device),
        )

    def put(self, rows: torch.Tensor, found: Candidates) -> None:
        """Write what was found for some rows in place."""
        for name in self.__dataclass_fields__:
            mine, theirs = getattr(self, name), getattr(found, name)[: len(rows)]
            if mine.ndim == 2:
                mine[rows, : theirs.shape[1]] = theirs
            else:
                mine[rows] = theirs


def log_prior(posterior: torch.Tensor, lag: torch.Tensor) -> torch.Tensor:
    """Log of the networks' probability per coarse lag.

    Parameters
    ----------
    posterior
        Over bins of log10(1 + z), shape (..., B, bins).
    lag
        In grid pixels, shape (B, n).

    Returns
    -------
    log_prior
        Shape (..., B, n).
    """
    position = (lag * DLOGLAM - Z_BIN_START) / Z_BIN
    low = position.floor()
    part = (position - low).float()
    bins = posterior.shape[-1]
    inside = (low >= 0) & (low < bins)
    shape = (*posterior.shape[:-1], lag.shape[-1])
    left = posterior.gather(-1, low.long().clamp(0, bins - 1).expand(shape))
    right = posterior.gather(-1, (low.long() + 1).clamp(0, bins - 1).expand(shape))
    lags_a_bin = Z_BIN / DLOGLAM / REBIN
    return torch.log((left * (1 - part) + right * part) * inside / lags_a_bin + PRIOR_FLOOR)


class ScannedClass:
    """Galaxies or quasars: every lag is tried."""

    def __init__(self, basis: Basis, device: torch.device) -> None:
        self._scan = Scan(basis, Z_RANGES[basis.spectype], device)
        self.lags = self._scan.lags

    def search(
        self, flux: torch.Tensor, ivar: torch.Tensor, continuum: Continuum, posterior: torch.Tensor
    ) -> Candidates:
        """Find the candidates of a batch.

        Parameters
        ----------
        flux, ivar
            On coarse pixels, shape (B, N_COARSE).
        continuum
            Of the same.
        posterior
            The ensemble's, over redshift bins, shape (B, bins).
        """
        gain = self._scan.gain(flux, ivar, continuum)  # (B, S)
        best = gain.max(1, keepdim=True).values
        freedom = (ivar > 0).sum(1, keepdim=True).clamp_min(10)
        kappa = ((continuum.chi2[:, None] - best) / freedom).clamp_min(1)
        evidence = between_redshifts((best - gain) / (2 * kappa))
        prior = log_prior(posterior, self.lags.expand(len(gain), -1))
        height, column = distinct(evidence + prior, N_BEST)
        peak = parabola(gain, column)
        # Between columns the prior does not change; chi2 does.
        refined = between_redshifts((best - peak.height) / (2 * kappa))
        exists = height > NOTHING / 2
        refined = torch.where(exists, refined, NOTHING)
        score = torch.where(exists, refined + prior.gather(1, column), NOTHING)
        order = score.argsort(1, descending=True)
        first = column.gather(1, order[:, :1])
        n = len(self.lags)
        edge = (column <= 1) | (column >= n - 2)
        unrefined = Candidates(
            lag=self.lags[0] + REBIN * peak.index,
            score=score,
            evidence=refined,
            chi2=continuum.chi2[:, None] - peak.height,
            curvature=peak.curvature,
            basis=torch.zeros_like(column),
            at_limit=edge,
            far_chi2=continuum.chi2 - _far_gain(gain, first).clamp_min(0),
            curve=continuum.chi2[:, None] - gain,
        )
        return _ordered(unrefined, order)


def _far_gain(gain: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """Highest local maximum at least FAR_PIXELS from column `first` (B, 1); -inf if none; shape (B,)."""
    column = torch.arange(gain.shape[1], device=gain.device)
    far = (column - first).abs() * REBIN >= FAR_PIXELS
    inner = gain[:, 1:-1]
    top = torch.zeros_like(far)
    top[:, 1:-1] = (inner >= gain[:, :-2]) & (inner >= gain[:, 2:])
    return torch.where(far & top, gain, -math.inf).max(1).values


def _ordered(candidates: Candidates, order: torch.Tensor) -> Candidates:
    fields = {name: getattr(candidates, name) for name in candidates.__dataclass_fields__}
    for name in ("lag", "score", "evidence", "chi2", "curvature", "basis", "at_limit"):
        fields[name] = fields[name].gather(1, order)
    return Candidates(**fields)


class Stars:
    """Stars: the bases of a few types, a few lags around zero."""

    def __init__(self, bases: dict[str, Basis], device: torch.device) -> None:
        reach = REBIN * (STAR_RADIUS_COARSE + 4)  # room for the fine search
        k = max(len(basis.flux) for basis in bases.values())
        flux = torch.zeros(len(STAR_TYPES), k, N_PIXELS + 2 * reach)
        for index, subtype in enumerate(STAR_TYPES):
            basis = bases.get(subtype, bases["B"])  # O stars are few, and B stars' basis holds them too
            flux[index, : len(basis.flux)] = basis.window(-reach, flux.shape[2])
        self.flux, self.first = flux.to(device), -reach
        coarse = flux.view(len(flux), k, -1, REBIN).mean(3).to(device)
        self._templates = Templates(coarse, -reach // REBIN, STAR_RADIUS_COARSE)
        steps = torch.arange(-STAR_RADIUS_COARSE, STAR_RADIUS_COARSE + 1, device=device)
        self.lags = REBIN * steps.double()

    def search(
        self, flux: torch.Tensor, ivar: torch.Tensor, continuum: Continuum, type_probability: torch.Tensor
    ) -> Candidates:
        """Find the candidates of a batch: one a type.

        Parameters
        ----------
        flux, ivar, continuum
            As of `ScannedClass.search`.
        type_probability
            The ensemble's for each star type, shape (B, 11).
        """
        likeliest = type_probability.topk(STAR_TYPES_TRIED, 1)
        zero = torch.zeros(len(flux), dtype=torch.int64, device=flux.device)
        gains = [
            self._templates.gain(flux, ivar, continuum, likeliest.indices[:, i], zero)
            for i in range(STAR_TYPES_TRIED)
        ]
        peaks = [parabola(gain, gain.argmax(1, keepdim=True)) for gain in gains]
        height = torch.cat([peak.height for peak in peaks], 1)  # (B, types)
        chi2 = continuum.chi2[:, None] - height
        freedom = (ivar > 0).sum(1, keepdim=True).clamp_min(10)
        kappa = (chi2.min(1, keepdim=True).values / freedom).clamp_min(1)
        evidence = between_classes((height.max(1, keepdim=True).values - height) / (2 * kappa))
        index = torch.cat([peak.index for peak in peaks], 1)
        share = likeliest.values / type_probability.sum(1, keepdim=True).clamp_min(1e-12)
        score = evidence + torch.log(share + PRIOR_FLOOR)
        unordered = Candidates(
            lag=REBIN * (index - STAR_RADIUS_COARSE),
            score=score,
            evidence=evidence,
            chi2=chi2,
            curvature=torch.cat([peak.curvature for peak in peaks], 1),
            basis=likeliest.indices,
            at_limit=(index < 0.5) | (index > 2 * STAR_RADIUS_COARSE - 0.5),
            far_chi2=continuum.chi2,  # no second star is that far: the continuum alone takes its place
            curve=(continuum.chi2[:, None] - torch.stack(gains).max(0).values),
        )
        return _ordered(unordered, score.argsort(1, descending=True))
