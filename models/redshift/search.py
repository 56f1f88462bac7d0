"""Where the minima are sought: galaxies and quasars over all lags, stars with the likeliest types' bases.

Stars hardly move, so the bases of the two types that the networks find likeliest are tried over a few lags.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from spectraq.models.classes import STAR_TYPES, Z_RANGES
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, REBIN, lag_of
from spectraq.models.redshift.candidates import N_BEST, PRIOR_FLOOR, Candidates, log_prior, ordered
from spectraq.models.redshift.chi2_evidence import between_classes, between_redshifts, kappa_of
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.minima import NOTHING, distinct, parabola, sigma_lnz
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS, Scan
from spectraq.models.redshift.scan_near_lag import ExactScan

STAR_TYPES_TRIED = 2
STAR_RADIUS_COARSE = 5
"""Stars are searched to 20 grid pixels, 1400 km/s: beyond the Galaxy's escape velocity."""
TYPICAL_VELOCITY = 200.0
"""km/s. Radial velocities have wide tails: speed v costs VELOCITY_NATS ln(1 + (v / this)^2). Of hard mocks
of stars, half as many are more than 300 km/s off with it."""
VELOCITY_NATS = 1.5
FAR_PIXELS = 100
"""Minima at least this far apart are compared for the robustness (GaSNet-III, arXiv:2412.21130)."""
RARE_Z = 5.0
"""Quasars beyond are one in a thousand of a survey's, one in thirty of the mocks that the networks know."""
RARITY = -3.5
RARITY_OF_BRIGHT = -1.5
BRIGHT_SNR = 3.0
"""Nats that this costs, and what each factor e in S/N above BRIGHT_SNR costs more: the few that are real are
faint. Four bright SDSS quasars with pipeline redshifts of 5.5 to 6.6 were all something else."""


def rarity(lag: torch.Tensor, snr: torch.Tensor) -> torch.Tensor:
    """Return the log of how much rarer a redshift is in real spectra of an S/N than in mocks, (B, S).

    Parameters
    ----------
    lag
        In grid pixels, shape (S,).
    snr
        Shape (B,).
    """
    bright = (snr / BRIGHT_SNR).clamp_min(1).log()
    return (lag > lag_of(RARE_Z)) * (RARITY + RARITY_OF_BRIGHT * bright)[:, None]


@dataclass(frozen=True, slots=True)
class NearPeak:
    """The best lag near a given one, of B spectra."""

    lag: torch.Tensor  # (B,) float64, in grid pixels
    sigma: torch.Tensor  # (B,) one standard deviation of ln(1 + z)
    gain: torch.Tensor  # (B,) how much less chi2 is than at the given lag, over kappa


class ScannedClass:
    """Galaxies or quasars: every lag is tried."""

    def __init__(self, basis: Basis, device: torch.device) -> None:
        self._spectype = basis.spectype
        self._scan = Scan(basis, Z_RANGES[basis.spectype], device)
        self.lags = self._scan.lags

    def search(
        self,
        flux: torch.Tensor,
        ivar: torch.Tensor,
        continuum: Continuum,
        posterior: torch.Tensor,
        snr: torch.Tensor,
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
        snr
            Median S/N a pixel, shape (B,).
        """
        gain = self._scan.gain(flux, ivar, continuum)  # (B, S)
        best = gain.max(1, keepdim=True).values
        kappa = kappa_of(continuum.chi2[:, None] - best, (ivar > 0).sum(1, keepdim=True))
        evidence = between_redshifts((best - gain) / (2 * kappa))
        prior = log_prior(posterior, self.lags.expand(len(gain), -1), self._spectype)
        rare = rarity(self.lags, snr)
        height, column = distinct(evidence + prior + rare, N_BEST)
        peak = parabola(gain, column)
        # Between columns the prior does not change; chi2 does.
        refined = between_redshifts((best - peak.height) / (2 * kappa)) + rare.gather(1, column)
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
            rarity=rare.gather(1, column),
            chi2=continuum.chi2[:, None] - peak.height,
            curvature=peak.curvature,
            basis=torch.zeros_like(column),
            at_limit=edge,
            far_chi2=continuum.chi2 - _far_gain(gain, first).clamp_min(0),
            curve=continuum.chi2[:, None] - gain,
        )
        return ordered(unrefined, order)

    def near(self, flux: torch.Tensor, ivar: torch.Tensor, lag: torch.Tensor, radius: float) -> NearPeak:
        """Find the best lag at most `radius` grid pixels from a given one, by chi2 alone.

        Parameters
        ----------
        flux, ivar
            On coarse pixels, shape (B, N_COARSE).
        lag
            In grid pixels, shape (B,).
        """
        continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
        gain = self._scan.gain(flux, ivar, continuum)
        off = (self.lags - lag[:, None]).abs()
        peak = parabola(gain, torch.where(off < radius, gain, -math.inf).argmax(1, keepdim=True))
        height, curvature = peak.height[:, 0], peak.curvature[:, 0]
        kappa = kappa_of(continuum.chi2 - height, (ivar > 0).sum(1))
        gained = (height - gain.gather(1, off.argmin(1, keepdim=True))[:, 0]) / kappa
        refined = self.lags[0] + REBIN * peak.index[:, 0]
        return NearPeak(refined, sigma_lnz(curvature, kappa, REBIN), gained)


def _far_gain(gain: torch.Tensor, first: torch.Tensor) -> torch.Tensor:
    """Return the highest local maximum FAR_PIXELS and more from column `first` (B, 1), or -inf; (B,)."""
    column = torch.arange(gain.shape[1], device=gain.device)
    far = (column - first).abs() * REBIN >= FAR_PIXELS
    inner = gain[:, 1:-1]
    top = torch.zeros_like(far)
    top[:, 1:-1] = (inner >= gain[:, :-2]) & (inner >= gain[:, 2:])
    return torch.where(far & top, gain, -math.inf).max(1).values


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
        self._scan = ExactScan(coarse, -reach // REBIN, STAR_RADIUS_COARSE)
        steps = torch.arange(-STAR_RADIUS_COARSE, STAR_RADIUS_COARSE + 1, device=device)
        self.lags = REBIN * steps.double()
        velocity = self.lags.float() * KM_S_PER_PIXEL
        self._rarity = VELOCITY_NATS * torch.log1p((velocity / TYPICAL_VELOCITY).square())

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
            self._scan.gain(flux, ivar, continuum, likeliest.indices[:, i], zero)
            for i in range(STAR_TYPES_TRIED)
        ]
        likely = [gain - 2 * self._rarity for gain in gains]
        columns = [curve.argmax(1, keepdim=True) for curve in likely]
        peaks = [parabola(curve, column) for curve, column in zip(likely, columns, strict=True)]
        height = torch.cat([peak.height for peak in peaks], 1)  # (B, types)
        height = height + 2 * self._rarity[torch.cat(columns, 1)]  # chi2 alone
        chi2 = continuum.chi2[:, None] - height
        kappa = kappa_of(chi2.min(1, keepdim=True).values, (ivar > 0).sum(1, keepdim=True))
        evidence = between_classes((height.max(1, keepdim=True).values - height) / (2 * kappa))
        index = torch.cat([peak.index for peak in peaks], 1)
        share = likeliest.values / type_probability.sum(1, keepdim=True).clamp_min(1e-12)
        score = evidence + torch.log(share + PRIOR_FLOOR)
        unordered = Candidates(
            lag=REBIN * (index - STAR_RADIUS_COARSE),
            score=score,
            evidence=evidence,
            rarity=torch.zeros_like(score),
            chi2=chi2,
            curvature=torch.cat([peak.curvature for peak in peaks], 1),
            basis=likeliest.indices,
            at_limit=(index < 0.5) | (index > 2 * STAR_RADIUS_COARSE - 0.5),
            far_chi2=continuum.chi2,  # no second star is that far: the continuum alone takes its place
            curve=(continuum.chi2[:, None] - torch.stack(gains).max(0).values),
        )
        return ordered(unordered, score.argsort(1, descending=True))
