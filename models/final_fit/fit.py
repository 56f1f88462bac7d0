"""The final fit of a batch: model, its error, its parts, and how many parameters the data paid for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES, STAR_TYPES
from spectraq.models.final_fit import broad_lines, narrow_lines, smooth
from spectraq.models.final_fit.absorption import Gas
from spectraq.models.final_fit.design import Design
from spectraq.models.final_fit.details import Details, details_of
from spectraq.models.final_fit.pixels import BIN, Floats, Leftover, Pixels
from spectraq.models.final_fit.prior_strengths import START, Posterior, may_pay, most_probable
from spectraq.models.final_fit.products import product
from spectraq.models.final_fit.shapes import Part, Shapes
from spectraq.models.grid.axis import N_PIXELS

MIN_FREEDOM = 10
"""Degrees of freedom that chi2 is divided by at least."""
ROUNDS = 3
"""Of a quasar: shapes that were bent by a trough show more of it once they no longer see all of it."""
LARGEST_RCHI2 = 1e30
"""What is published where noise and misfit of a spectrum are so far apart that their ratio is no number."""


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
    flux = analysis.prepared.flux.cpu().numpy()
    ivar = analysis.prepared.noise_ivar.cpu().numpy()
    best = analysis.fit.model.cpu().numpy()
    error = (analysis.fit.sigma * analysis.kappa[:, None].sqrt()).cpu().numpy()
    spent = (analysis.fit.design != 0).any(2).sum(1).tolist()
    plane = torch.empty(len(flux), N_PIXELS)
    numbers = torch.empty(len(flux), dtype=torch.float64)
    parts = torch.zeros(len(flux), len(Part), N_PIXELS)
    done = FinalFit(plane, plane.clone(), parts, torch.ones_like(plane), numbers, numbers.clone())
    for i, spectype in enumerate(analysis.decision.spectype.tolist()):
        subtype = STAR_TYPES[int(analysis.candidates[0].basis[i, 0])]
        own, lag = details_of(details, CLASSES[spectype], subtype), float(analysis.lag[i])
        table = None if own is None else smooth.table_of(own)
        # A fit of extreme numbers may overflow: what is published is checked where it is made.
        with np.errstate(all="ignore"):
            leftover = Leftover.of(flux[i], ivar[i], best[i])
            if CLASSES[spectype] == "QSO":
                variance, parameters = _fit_quasar(done, i, leftover, flux[i], lag, error[i])
            else:
                design = design_of(CLASSES[spectype], leftover, lag, table)
                posterior = _fit(done, i, design, START)
                variance, parameters = _variance(design, posterior, error[i]), posterior.parameters()
            np.sqrt(variance, out=done.sigma[i].numpy())
            used = ivar[i] > 0
            left = np.where(used, flux[i] - done.model[i].numpy(), 0.0)
            done.parameters[i] = parameters = spent[i] + parameters
            done.noise_rchi2[i] = _rchi2(left, ivar[i], int(used.sum()) - parameters)
    return done


def _fit(done: FinalFit, i: int, design: Design, start: Mapping[Part, float]) -> Posterior:
    """Fit spectrum i with shapes, their strengths sought from a start on."""
    posterior = most_probable(*design.normal_equations(), design.part, start)
    _put(done, i, design, posterior)
    return posterior


def _variance(design: Design, posterior: Posterior, error: Floats) -> Floats:
    """Return the variance of a fit, (N_PIXELS,), with that of the best fit."""
    variance = np.square(error)
    if len(posterior.kept):
        variance += design.variance(posterior.kept, posterior.scaled_covariance())
    return variance


def _fit_quasar(
    done: FinalFit, i: int, leftover: Leftover, flux: Floats, lag: float, error: Floats
) -> tuple[Floats, float]:
    """Fit spectrum i, a quasar, and the gas before it; once more where there are troughs that hid from it."""
    gas, start = Gas.of(lag, leftover, flux), START
    model = done.model[i].numpy()
    for _ in range(ROUNDS):
        design = design_of("QSO", leftover.weighed(gas.weight(leftover.best), flux), lag, None)
        posterior = _fit(done, i, design, start)
        if not gas.find_troughs(flux, model):
            break
        start = START | {
            design.part[k]: float(s) for k, s in zip(posterior.kept, posterior.strength, strict=True)
        }
    variance, plane = _variance(design, posterior, error), done.parts[i, Part.ABSORPTION].numpy()
    return variance, posterior.parameters() + gas.absorb(flux, model, variance, plane)


def design_of(spectype: str, leftover: Leftover, lag: float, table: smooth.DetailTable | None) -> Design:
    """Return all shapes that are tried on a spectrum: those of parts that may gain enough."""
    windows = narrow_lines.windows(spectype, leftover, lag)
    pixels = Pixels.of(leftover, [(line.start, line.stop) for line in windows], BIN[spectype])
    shapes = smooth.response(pixels)
    details = None if table is None else smooth.details(table, lag, pixels)
    if details is not None:
        shapes.append(details)
    shapes = [rows for rows in shapes if _may_pay(rows, pixels)]
    if spectype == "QSO":
        shapes += [lines.shapes(pixels) for lines in broad_lines.placed(pixels, lag)]
    if windows:
        shapes.append(narrow_lines.narrow(windows, pixels))
    return Design.of(shapes, pixels)


def _may_pay(shapes: Shapes, pixels: Pixels) -> bool:
    """Return whether shapes on bins may gain enough alone."""
    assert shapes.binned is not None
    return may_pay(product(shapes.binned, pixels.score), product(shapes.binned**2, pixels.weight))


def _put(done: FinalFit, i: int, design: Design, posterior: Posterior) -> None:
    """Write model, parts and response of spectrum i."""
    best = design.pixels.leftover.best
    model, response = done.model[i].numpy(), done.response[i].numpy()
    model[:], response[:] = best, 1.0
    done.parts[i] = 0.0
    amplitude = posterior.amplitudes(len(design.part))
    for shapes, own in design.rows():
        if amplitude[own].any():
            plane = done.parts[i, shapes.part].numpy()
            plane[:] = shapes.sum(amplitude[own])
            if shapes.times_best:
                response += plane
                plane *= best
            model += plane


def _rchi2(left: Floats, ivar: Floats, freedom: float) -> float:
    """Return chi2 a degree of freedom of what is left, zero where a pixel is not used."""
    # Where nothing was observed a model may be of any size, and its square no number.
    chi2 = float((ivar.astype(np.float64) * np.square(left, dtype=np.float64)).sum())
    rchi2 = chi2 / max(freedom, MIN_FREEDOM)
    return min(rchi2, LARGEST_RCHI2) if math.isfinite(rchi2) else LARGEST_RCHI2
