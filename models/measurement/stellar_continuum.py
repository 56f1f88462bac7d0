"""What galaxies' lines stand on: stellar populations, blurred by their motions, times a smooth response."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.lines import EMISSION, LINES
from spectraq.models.measurement.ground import Base, inverted
from spectraq.models.measurement.populations import Moved, Populations, blur_of
from spectraq.models.measurement.target import Floats, Target

RESPONSE_TERMS = 16
"""Chebyshev polynomials over the range that is used."""
RESPONSE_SIZE = 1.0
"""Prior standard deviation of the first terms, of the level; of term j it is this times 2 / j."""
ROUNDS = 3
MASK_KM_S = 700.0
"""Lines are left out of the first fit this far on either side."""
SPIKE_SIGMA = 6.0
DISPERSIONS = (70.0, 105.0, 140.0, 180.0, 225.0, 280.0, 350.0, 440.0)
"""Velocity dispersions that may be tried, km/s; the third is the usual one."""
NEAR = (0.75, 0.9, 1.0, 1.1, 1.25)
"""Around the best, as shares of it."""
USUAL_DISPERSION = 140.0
LEAST_SNR_OF_DISPERSION = 8.0
ABSORPTION_ANGSTROM = (4000.0, 6800.0)
"""Where dispersions are measured, at rest: SDSS's own range."""


@dataclass(frozen=True, slots=True)
class StellarContinuum:
    """The continuum, and the velocity dispersion it was blurred by."""

    base: Base
    reached: NDArray[np.bool_]  # (N_PIXELS,) where the populations reach
    dispersion: float  # km/s
    dispersion_error: float  # km/s; nan where it was not measured
    at_limit: bool


def line_mask(target: Target, half_km_s: float = MASK_KM_S) -> NDArray[np.bool_]:
    """Mark the pixels near emission lines, (N_PIXELS,)."""
    rest = target.rest
    half = half_km_s / LIGHT_KM_S
    mask = np.zeros(rest.size, bool)
    for line in LINES:
        if line.kind == EMISSION:
            mask |= np.abs(rest / line.wavelength - 1) < half
    return mask


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
    mask = line_mask(target)
    response = polynomials(target.used, RESPONSE_TERMS)
    weight = np.where(mask, 0.0, target.ivar)
    moved = populations.moved(target.lag)
    usual = _fitted(target, moved, blur_of(USUAL_DISPERSION, instrument), weight, response)
    weight = np.where(_outliers(target, usual), 0.0, weight)
    if snr < LEAST_SNR_OF_DISPERSION:
        return StellarContinuum(usual.base(), usual.reached, USUAL_DISPERSION, np.nan, False)
    low, high = (target.place(rest) for rest in ABSORPTION_ANGSTROM)
    pixel = np.arange(weight.size)
    absorbing = np.where((pixel > low) & (pixel < high), weight, 0.0)

    def tried(width: float) -> float:
        blur = blur_of(width, instrument)
        return _fitted(target, moved, blur, weight, response, usual).chi2(target, absorbing)

    chi2 = _descended(tried, DISPERSIONS)
    sigma, error, at_limit = _parabola(np.array(DISPERSIONS), chi2)
    if not at_limit:
        near = [sigma * factor for factor in NEAR]
        sigma, error, at_limit = _parabola(np.array(near), _descended(tried, near))
    freedom = max(int((absorbing > 0).sum()), 1)
    error *= np.sqrt(max(chi2.min() / freedom, 1.0))
    best = _fitted(target, moved, blur_of(sigma, instrument), weight, response, usual)
    return StellarContinuum(best.base(), best.reached, sigma, error, at_limit)


@dataclass(frozen=True, slots=True)
class _Fitted:
    stars: Floats  # (N_PIXELS,)
    shapes: Floats  # of the populations, (K, N_PIXELS)
    reached: NDArray[np.bool_]
    amplitude: Floats  # of the populations
    response: Floats  # (terms, N_PIXELS)
    polynomial: Floats  # of the response
    precision: Floats  # of the same

    @property
    def level(self) -> Floats:
        """Return the continuum, (N_PIXELS,)."""
        return np.asarray(self.stars * (self.polynomial @ self.response))

    def chi2(self, target: Target, weight: Floats) -> float:
        """Return chi2 of the level under some weights."""
        return float(weight @ (target.flux - self.level) ** 2)

    def base(self) -> Base:
        """Return the continuum with what may still move it."""
        factor = self.polynomial @ self.response
        return Base(
            level=self.stars * factor,
            shapes=np.vstack([self.response * self.stars, self.shapes * factor]),
            precision=np.concatenate([self.precision, np.ones(len(self.shapes))]),
            centre=np.concatenate([-self.polynomial, -self.amplitude]),
        )


def _fitted(
    target: Target,
    moved: Moved,
    blur: float,
    weight: Floats,
    response: Floats,
    start: _Fitted | None = None,
) -> _Fitted:
    """Fit populations and response in turns."""
    templates, reached = moved.blurred(blur)
    weight = np.where(reached, weight, 0.0)
    pixels = np.flatnonzero(weight > 0)
    root = np.sqrt(weight[pixels])
    data = target.flux[pixels] * root
    mean, shapes = templates[0], templates[1:]
    level = float(np.median(target.flux[pixels])) if pixels.size else 1.0
    level = max(level, 1e-3)
    size = level * RESPONSE_SIZE * np.minimum(1.0, 2.0 / np.maximum(np.arange(len(response)), 1))
    precision = 1 / size**2
    precision[0] = 1e-12 / level**2
    amplitude = start.amplitude if start is not None else np.zeros(len(shapes))
    polynomial = np.zeros(len(response))
    small = response[:, pixels]
    for _ in range(ROUNDS if start is None else 2):
        stars = mean + amplitude @ shapes
        polynomial = _ridge(small * stars[pixels] * root, data, precision)
        factor = (polynomial @ small) * root
        amplitude = _ridge(shapes[:, pixels] * factor, data - mean[pixels] * factor, np.ones(len(shapes)))
    stars = mean + amplitude @ shapes
    return _Fitted(stars, shapes, reached, amplitude, response, polynomial, precision)


def _ridge(design: Floats, data: Floats, precision: Floats) -> Floats:
    gram = design @ design.T
    gram[np.diag_indices_from(gram)] += precision
    return np.asarray(inverted(gram) @ (design @ data))


def _outliers(target: Target, fitted: _Fitted) -> NDArray[np.bool_]:
    pull = (target.flux - fitted.level) * np.sqrt(target.ivar)
    return np.asarray(
        np.abs(pull) > SPIKE_SIGMA * max(1.0, 1.4826 * float(np.median(np.abs(pull[target.used]))))
    )


def _descended(value: Callable[[float], float], places: Sequence[float]) -> Floats:
    """Return values at some places, downhill from the third one on; infinite where none was needed."""
    values = np.full(len(places), np.inf)
    middle, best = 2, -1
    while middle != best:
        best = middle
        for k in (best - 1, best, best + 1):
            if 0 <= k < len(places) and not np.isfinite(values[k]):
                values[k] = value(places[k])
        middle = int(values.argmin())
    return values


def _parabola(sigma: Floats, chi2: Floats) -> tuple[float, float, bool]:
    """Return the minimum, its error and whether it lies at an end, from chi2 at some dispersions."""
    best = int(chi2.argmin())
    if best in (0, len(sigma) - 1):
        return float(sigma[best]), float("nan"), True
    # In the square of the dispersion chi2 is closest to a parabola.
    x, y = sigma[best - 1 : best + 2] ** 2, chi2[best - 1 : best + 2]
    a, b, _ = np.polyfit((x - x[1]) / x[1], y - y[1], 2)
    if a <= 0:
        return float(sigma[best]), float("nan"), True
    square = x[1] * (1 - b / (2 * a))
    error_square = x[1] / np.sqrt(a)
    middle = float(np.sqrt(square))
    return middle, float(error_square / (2 * middle)), False
