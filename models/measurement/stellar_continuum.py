"""What galaxies' lines stand on: stellar populations, blurred by their motions, times a smooth response."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.lines import EMISSION, LINES
from spectraq.models.measurement.ground import Base
from spectraq.models.measurement.paired_fit import PairedFit, PairedProblem, Pairs
from spectraq.models.measurement.populations import (
    ABSORPTION_ANGSTROM,
    TEMPLATE_KM_S,
    Moved,
    Populations,
    blur_of,
)
from spectraq.models.measurement.rest_frame import REST, within_grid
from spectraq.models.measurement.target import Floats, Target

RESPONSE_TERMS = 16
"""Chebyshev polynomials over the range that is used."""
STEPS = 8
MASK_KM_S = 700.0
"""Lines are left out of the continuum's own fit this far on either side."""
SPIKE_SIGMA = 6.0
DISPERSIONS = (70.0, 440.0)
"""Least and largest velocity dispersion, km/s."""
USUAL_DISPERSION = 140.0
LEAST_PAIRS = 50
"""In the range where dispersions are measured."""
LEAST_SNR_OF_DISPERSION = 8.0


@dataclass(frozen=True, slots=True)
class StellarContinuum:
    """The continuum, and the velocity dispersion it was blurred by."""

    base: Base
    reached: NDArray[np.bool_]  # (N_PIXELS,) where the populations reach
    dispersion: float  # km/s
    dispersion_error: float  # km/s; nan where it was not measured
    at_limit: bool


@cache
def _near_lines() -> NDArray[np.bool_]:
    """Mark what lies near emission lines, at rest."""
    half = MASK_KM_S / LIGHT_KM_S
    mask = np.zeros(REST.size, bool)
    for line in LINES:
        if line.kind == EMISSION:
            mask |= np.abs(REST / line.wavelength - 1) < half
    return mask


def line_mask(target: Target) -> NDArray[np.bool_]:
    """Mark the pixels near emission lines, (N_PIXELS,)."""
    return _near_lines()[within_grid(target.lag)]


def polynomials(used: NDArray[np.bool_], terms: int) -> Floats:
    """Return Chebyshev polynomials over the range that is used, (terms, N_PIXELS); constant outside."""
    pixels = np.flatnonzero(used)
    first, last = pixels[0], pixels[-1]
    x = (2 * (np.arange(used.size) - first) / max(last - first, 1) - 1).clip(-1, 1)
    return np.asarray(np.polynomial.chebyshev.chebvander(x, terms - 1).T)


def stellar_continuum(target: Target, populations: Populations, snr: float) -> StellarContinuum:
    """Return the continuum of a galaxy, its lines left out.

    Parameters
    ----------
    snr
        Median S/N a pixel: where it is low the velocity dispersion is taken as usual.
    """
    instrument = target.spread(5000.0)
    response = polynomials(target.used, RESPONSE_TERMS)
    moved = populations.moved(target.lag)
    low, high = (round(0.5 * target.place(rest)) for rest in ABSORPTION_ANGSTROM)
    usual = blur_of(USUAL_DISPERSION, instrument) ** 2
    templates, reached = moved.paired().blurred(usual)
    pairs = Pairs.of(target, line_mask(target), reached, response)
    problem = PairedProblem(pairs, populations.absorbing.moved(target.lag).paired(), (low, high))
    limits = None
    if snr >= LEAST_SNR_OF_DISPERSION and problem.freedom() >= LEAST_PAIRS:
        limits = blur_of(DISPERSIONS[0], instrument) ** 2, blur_of(DISPERSIONS[1], instrument) ** 2
    fit = problem.fitted(problem.start(templates, usual), limits, 1)
    pull = np.abs(problem.pull(fit))
    problem.without(pull > SPIKE_SIGMA * max(1.0, 1.4826 * float(np.median(pull)) if pull.size else 1.0))
    fit = problem.fitted(fit, limits, STEPS)
    base, reached = _whole(moved, fit, response)
    if limits is None:
        return StellarContinuum(base, reached, USUAL_DISPERSION, np.nan, False)
    sigma = math.sqrt((fit.square - instrument**2) * KM_S_PER_PIXEL**2 + TEMPLATE_KM_S**2)
    pull = problem.pull(fit)[problem.absorbing]
    inflation = math.sqrt(max(float(pull @ pull) / max(problem.freedom(), 1), 1.0))
    error = inflation * fit.square_error * KM_S_PER_PIXEL**2 / (2 * sigma)
    at_limit = not DISPERSIONS[0] * 1.001 < sigma < DISPERSIONS[1] * 0.999
    return StellarContinuum(base, reached, sigma, error, at_limit)


def _whole(moved: Moved, fit: PairedFit, response: Floats) -> tuple[Base, NDArray[np.bool_]]:
    """Return the continuum on the grid with what may still move it, and where the populations reach."""
    templates, reached = moved.blurred(math.sqrt(fit.square))
    stars, factor = fit.amplitude @ templates, fit.polynomial @ response
    shapes = np.empty((len(response) + len(templates) - 1, stars.size))
    np.multiply(response, stars, out=shapes[: len(response)])
    np.multiply(templates[1:], factor, out=shapes[len(response) :])
    precision = np.concatenate([fit.precision, np.ones(len(templates) - 1)])
    centre = -np.concatenate([fit.polynomial, fit.amplitude[1:]])
    return Base(stars * factor, shapes, precision, centre), reached
