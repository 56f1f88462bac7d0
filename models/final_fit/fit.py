"""The final fit of a batch: model, its error, its parts, and how many parameters the data paid for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES, STAR_TYPES
from spectraq.models.final_fit.details import Details, details_of
from spectraq.models.final_fit.prior_strengths import prior_strengths
from spectraq.models.final_fit.shapes import Part, Shapes, details_at, shapes_of
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.tiles import on_lines

MIN_FREEDOM = 10
"""Degrees of freedom that chi2 is divided by at least."""
LARGEST_RCHI2 = 1e30
"""What is published where noise and misfit of a spectrum are so far apart that their ratio is no number."""
SPIKE_SIGMA, SPIKE_NEIGHBOURS = 8.0, 0.3
"""A pixel that is so far from the best fit, and its neighbours less than this part of that, is no light that
came through the instrument: an unresolved line has 0.54 there."""


@dataclass(frozen=True, slots=True)
class FinalFit:
    """Final fits of B spectra, in units of their median flux."""

    model: Tensor  # (B, N_PIXELS)
    sigma: Tensor  # (B, N_PIXELS) one standard deviation of the model
    parts: Tensor  # (B, len(Part), N_PIXELS) what each part adds to the best fit
    response: Tensor  # (B, N_PIXELS) what the best fit is multiplied by: one, level and response
    parameters: Tensor  # (B,) effective number, those of the best fit included
    noise_rchi2: Tensor  # (B,) chi2 with the survey's noise alone, over pixels less all parameters


def final_fit(analysis: BatchAnalysis, details: Mapping[str, Details]) -> FinalFit:
    """Return the final fits of a batch that was analysed with everything.

    Spectra are fitted one by one, each with the shapes that its class, redshift and range call for.

    Parameters
    ----------
    analysis
        With the error of its best fits.
    details
        Of every class and star type that has some, by name (`details.load`).
    """
    assert analysis.fit.sigma is not None
    flux = analysis.prepared.flux.cpu()
    ivar = analysis.prepared.noise_ivar.cpu()
    best, error = analysis.fit.model.cpu(), (analysis.fit.sigma * analysis.kappa[:, None].sqrt()).cpu()
    fits = []
    for i, spectype in enumerate(analysis.decision.spectype.tolist()):
        subtype = STAR_TYPES[int(analysis.candidates[0].basis[i, 0])]
        own, lag = details_of(details, CLASSES[spectype], subtype), float(analysis.lag[i])
        used = (analysis.gridded.ivar[i] > 0).cpu()
        fine = None if own is None else details_at(own, lag)
        shapes = shapes_of(CLASSES[spectype], best[i], used, lag, fine)
        spent = int((analysis.fit.design[i] != 0).any(1).sum())
        fits.append(_fit(flux[i], ivar[i], used, best[i], error[i], shapes, spent))
    columns = zip(*fits, strict=True)
    return FinalFit(*(torch.stack(column) for column in columns))


def _fit(
    flux: Tensor, ivar: Tensor, used: Tensor, best: Tensor, error: Tensor, shapes: Shapes, spent: int
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Return model, sigma, parts, response, number of parameters and noise_rchi2 of one spectrum."""
    pull = ((flux - best) * ivar.sqrt()).double()
    weight = torch.where(_spikes(pull), 0.0, ivar.double().sqrt())
    # Neighbouring lines are nearly alike: sums in single precision can't tell them apart at S/N 500.
    weighted = on_lines(shapes.flux.double() * weight)
    normal, vector = weighted @ weighted.T, weighted @ (pull * (weight > 0))
    strength = prior_strengths(normal, vector, shapes.part)
    kept = torch.nonzero(strength > 0)[:, 0]
    scale = strength[kept]
    system = scale[:, None] * normal[kept][:, kept] * scale + torch.eye(len(kept), dtype=torch.float64)
    lower = torch.linalg.cholesky(system)
    root = torch.linalg.solve_triangular(lower, torch.diag(scale), upper=False)
    amplitude = torch.zeros(len(strength), dtype=torch.float64)
    amplitude[kept] = root.T @ (root @ vector[kept])
    parameters = spent + len(kept) - (root / scale).square().sum()
    added = amplitude.float()[:, None] * shapes.flux
    parts = torch.zeros(len(Part), N_PIXELS)
    parts.index_add_(0, torch.tensor([int(part) for part in shapes.part]), added)
    model = best + parts.sum(0)
    spread = (root.float() @ shapes.flux[kept]).square().sum(0)
    freedom = (int(used.sum()) - parameters).clamp_min(MIN_FREEDOM)
    # Where nothing was observed a model may be of any size, and its square no number.
    left = torch.where(used, flux.double() - model.double(), 0.0)
    rchi2 = (
        ((ivar.double() * left.square()).sum() / freedom).nan_to_num(LARGEST_RCHI2).clamp_max(LARGEST_RCHI2)
    )
    response = 1 + (amplitude[: len(shapes.factors)] @ shapes.factors.double()).float()
    return model, (spread + error.square()).sqrt(), parts, response, parameters, rchi2


def _spikes(pull: Tensor) -> Tensor:
    """Mark pixels that stand alone, (N_PIXELS,) bool, by residuals in units of their noise."""
    size = pull.abs()
    beside = torch.zeros_like(size)
    beside[1:] = size[:-1]
    beside[:-1] = torch.maximum(beside[:-1], size[1:])
    return (size > SPIKE_SIGMA) & (beside < SPIKE_NEIGHBOURS * size)
