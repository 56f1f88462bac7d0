"""What the first object leaves on coarse pixels, for whatever is sought jointly with it.

All shapes that were fitted (eigenspectra, continuum, the encoder's expectation) stay free: they are made
orthonormal once, so that adding a companion or a jump costs a projection each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from spectraq.models.batch import BatchAnalysis
from spectraq.models.grid.axis import coarse
from spectraq.models.grid.model_error import JUDGED, LEAST_LEVEL, with_error
from spectraq.models.redshift.continuum import Continuum, combined
from spectraq.models.redshift.normal_equations import sizes, with_unit_diagonal
from spectraq.models.tiles import cholesky_inverse, sums

SHARED_ERROR = 0.04
"""Part of the model error that the pixels of a coarse one share: it does not average out. Of 0.01 to 0.06,
this leaves most blends and jumps above what normal spectra show."""
OUTLIER_SIGMA = 25.0
"""Coarse pixels this far from the fit are cosmic rays, not companions."""
RIDGE = 1e-5
LEAST_SQUARE = 1e-12
"""As of `normal_equations.sizes`."""
LEAST_KAPPA = 1.0
"""A fit better than its noise does not make a gain more of a surprise."""
MIN_FREEDOM = 50


@dataclass(frozen=True, slots=True)
class FirstObject:
    """What is known of the first objects of B spectra."""

    flux: torch.Tensor  # (B, N_PIXELS)
    ivar: torch.Tensor  # (B, N_PIXELS) without model error
    model: torch.Tensor  # (B, N_PIXELS)
    design: torch.Tensor  # (B, n, N_COARSE) the shapes that were fitted
    lag: torch.Tensor  # (B,)

    @classmethod
    def of(cls, analysis: BatchAnalysis) -> FirstObject:
        """Return what is built from an analysis."""
        prepared, fit = analysis.prepared, analysis.fit
        return cls(prepared.flux, prepared.noise_ivar, fit.model, fit.design, analysis.lag)


@dataclass(frozen=True, slots=True)
class Leftover:
    """B spectra on coarse pixels with the first object ready to be eliminated."""

    flux: torch.Tensor  # (B, N_COARSE)
    ivar: torch.Tensor  # (B, N_COARSE) with the model's error, zero at outliers
    level: torch.Tensor  # (B, N_COARSE) the model, LEAST_LEVEL or more
    first: Continuum  # the shapes of the first object, orthonormal
    kappa: torch.Tensor  # (B,) chi2 a pixel that it leaves, LEAST_KAPPA or more
    lag: torch.Tensor  # (B,)

    @classmethod
    def of(cls, objects: FirstObject) -> Leftover:
        """Prepare a batch."""
        fine = with_error(objects.ivar, JUDGED * objects.model.abs().clamp_min(LEAST_LEVEL))
        flux, weight = coarse(objects.flux, fine)
        model, _ = coarse(objects.model, fine)
        level = model.abs().clamp_min(LEAST_LEVEL)
        weight = with_error(weight, SHARED_ERROR * level)
        outlier = (flux - model).abs() * weight.sqrt() > OUTLIER_SIGMA
        ivar = torch.where(outlier, 0.0, weight)
        first = _orthonormal(objects.design, flux, ivar)
        kappa = (first.chi2 / (ivar > 0).sum(1).clamp_min(MIN_FREEDOM)).clamp_min(LEAST_KAPPA)
        return cls(flux, ivar, level, first, kappa, objects.lag)


def _orthonormal(design: torch.Tensor, flux: torch.Tensor, ivar: torch.Tensor) -> Continuum:
    """Make the shapes of the first fit (B, n, N_COARSE) orthonormal under the weights, to eliminate them."""
    scaled = design * ivar[:, None]
    gram = sums(scaled, design).double()
    size = sizes(gram, LEAST_SQUARE)
    lower = cholesky_inverse(with_unit_diagonal(gram, size, RIDGE)) / size[:, None]
    weighted = combined(lower.float(), scaled)
    amplitudes = (weighted * flux[:, None]).sum(2)
    chi2 = (ivar * flux.square()).sum(1) - amplitudes.square().sum(1)
    return Continuum(weighted, amplitudes, chi2.clamp_min(0))
