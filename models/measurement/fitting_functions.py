"""Fitting functions: what indices stars of given parameters have, and which parameters indices speak for.

As Worthey et al. 1994 (ApJS 94, 687): each index is a polynomial in temperature, gravity and metallicity,
over three ranges of temperature that overlap. They are inverted by least chi2 with all that indices
scatter by: noise, the calibrators' own spread around the polynomials, and what instruments do to them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectraq.models import shipped

FILE = "stellar-parameters.safetensors"
MIDDLE = np.array([np.log10(5500.0), 3.4, -0.4])
UNIT = np.array([0.08, 1.1, 0.6])
"""Polynomials are in log10 of the temperature, log g and [Fe/H], from MIDDLE in units of UNIT."""
EXPONENTS = (*(e for e in product(range(3), repeat=3) if sum(e) <= 2), (3, 0, 0))
POWERS = np.array(EXPONENTS).T
THREE = np.eye(3)
DERIVATIVES = np.array(
    [
        [e[k] * (tuple(np.subtract(e, np.eye(3, dtype=int)[k])) == f) for k in range(3) for e in EXPONENTS]
        for f in EXPONENTS
    ],
    np.float64,
)
"""Each term's derivative by each parameter is a sum of terms, (T, 3 T)."""
STEPS, LONGEST_STEP, SMALLEST_GAIN, MOST_DAMPING = 20, 0.7, 2e-3, 1e3
EDGE = 0.25
"""Of a range at each end: there its answer fades into the neighbour's."""
START_TEFF, START_LOG_G, START_FE_H = 5, (1.5, 4.3), (-1.3, 0.0)
Floats = NDArray[np.float64]


def monomials(scaled: Floats) -> tuple[Floats, Floats]:
    """Return the polynomial's terms, (..., T), and their derivatives by each parameter, (..., 3, T).

    Parameters
    ----------
    scaled
        Parameters from the centre of a range in units of UNIT, (..., 3).
    """
    power = np.ones((*scaled.shape[:-1], 4, 3))
    for degree in range(1, 4):
        power[..., degree, :] = power[..., degree - 1, :] * scaled
    first, second, third = POWERS
    term = power[..., first, 0] * power[..., second, 1] * power[..., third, 2]
    return term, (term @ DERIVATIVES).reshape(*term.shape[:-1], 3, -1)


@dataclass(frozen=True, slots=True)
class Parameters:
    """What indices say of a star.

    Attributes
    ----------
    value, error
        log10 of the effective temperature, log g, [Fe/H]; (3,).
    rchi2
        Chi2 of the indices a degree of freedom.
    """

    value: Floats
    error: Floats
    rchi2: float


@dataclass(frozen=True)
class FittingFunctions:
    """Polynomials of R ranges of temperature for K indices, and what was calibrated with them.

    Attributes
    ----------
    ranges
        Ends of the ranges, log10 of K, (R, 2).
    coefficients
        Shape (R, T, K).
    covariance
        Of indices around the polynomials, (R, K, K).
    prior_mean, prior_precision
        Of parameters scaled as MIDDLE and UNIT say, (R, 3) and (R, 3, 3).
    calibrators
        Parameters of the stars, (n, 3).
    """

    ranges: Floats
    coefficients: Floats
    covariance: Floats
    prior_mean: Floats
    prior_precision: Floats
    calibrators: Floats

    def solve(self, value: Floats, noise: Floats) -> Parameters:
        """Return the parameters of least chi2.

        Parameters
        ----------
        value
            Indices, (K,); NaN where there is none.
        noise
            Their covariance by the noise, (K, K).
        """
        known = np.isfinite(value)
        spread = self.covariance[:, known][:, :, known] + noise[known][:, known]
        coefficients = self.coefficients[:, :, known]
        right = np.concatenate(
            [coefficients, np.broadcast_to(value[known], (len(spread), 1, known.sum()))], 1
        )
        # Chi2 is a quadratic form in the polynomial's few terms: indices are not needed from here on.
        weighted = np.linalg.solve(spread, right.swapaxes(1, 2))
        form = right @ weighted
        terms = len(EXPONENTS)
        return self._least(
            form[:, :terms, :terms], form[:, :terms, terms], form[:, terms, terms], known.sum()
        )

    def _least(self, square: Floats, linear: Floats, constant: Floats, n: int) -> Parameters:
        """Follow Levenberg and Marquardt's steps in all ranges at once, and join what they say."""

        def chi2_of(scaled: Floats) -> tuple[Floats, Floats, Floats, Floats]:
            term, slope = monomials(scaled - self._centre)
            pulled = (square @ term[..., None])[..., 0]
            chi2 = constant + (term * (pulled - 2 * linear)).sum(1)
            off = scaled - self.prior_mean
            toward = (self.prior_precision @ off[..., None])[..., 0]
            gradient = (slope @ (linear - pulled)[..., None])[..., 0] - toward
            curvature = slope @ square @ slope.swapaxes(1, 2) + self.prior_precision
            return chi2, chi2 + (off * toward).sum(1), gradient, curvature

        scaled = self._best_start(square, linear)
        damping = np.full(len(scaled), 1e-2)
        chi2, cost, gradient, curvature = chi2_of(scaled)
        for _ in range(STEPS):
            damped = curvature * (1 + damping[:, None, None] * THREE)
            step = np.linalg.solve(damped, gradient[..., None])[..., 0].clip(-LONGEST_STEP, LONGEST_STEP)
            new = chi2_of(scaled + step)
            better = new[1] < cost
            gain = np.where(better, cost - new[1], 0.0)
            scaled = np.where(better[:, None], scaled + step, scaled)
            chi2, cost = np.where(better, new[0], chi2), np.where(better, new[1], cost)
            gradient = np.where(better[:, None], new[2], gradient)
            curvature = np.where(better[:, None, None], new[3], curvature)
            damping = np.where(better, 0.2 * damping, 10 * damping)
            still = (gain >= SMALLEST_GAIN) | ~(better | (damping > MOST_DAMPING))
            # A range whose answer has left it says nothing beside one that is within.
            log_teff = MIDDLE[0] + UNIT[0] * scaled[:, 0]
            within = (log_teff > self.ranges[:, 0]) & (log_teff < self.ranges[:, 1])
            if not (still & (within | (not within.any()))).any():
                break
        error = UNIT * np.sqrt(np.einsum("rii->ri", np.linalg.inv(curvature)))
        return self._joined(MIDDLE + UNIT * scaled, error, chi2 / max(n - 3, 1))

    def _joined(self, value: Floats, error: Floats, rchi2: Floats) -> Parameters:
        """Return the mean of the ranges by how far inside each its own temperature is."""
        place = (value[:, 0] - self.ranges[:, 0]) / np.diff(self.ranges)[:, 0]
        above, below = place.copy(), 1 - place
        above[0] = below[-1] = 1.0  # no neighbour to fade into
        share = (np.minimum(above, below) / EDGE).clip(1e-6, 1)
        share /= share.sum()
        mean = share @ value
        return Parameters(mean, np.sqrt(share @ (error**2 + (value - mean) ** 2)), float(share @ rchi2))

    @cached_property
    def _centre(self) -> Floats:
        """Return where each range's polynomials are expanded, (R, 3)."""
        centre = np.zeros((len(self.ranges), 3))
        centre[:, 0] = (self.ranges.mean(1) - MIDDLE[0]) / UNIT[0]
        return centre

    @cached_property
    def _starts(self) -> tuple[Floats, Floats]:
        """Return parameters that a search may begin at, (R, S, 3), and their terms, (R, S, T)."""
        temperature = np.linspace(self.ranges[:, 0], self.ranges[:, 1], START_TEFF + 2)[1:-1]
        start = np.array([list(product(one, START_LOG_G, START_FE_H)) for one in temperature.T])
        scaled = (start - MIDDLE) / UNIT
        return scaled, monomials(scaled - self._centre[:, None])[0]

    def _best_start(self, square: Floats, linear: Floats) -> Floats:
        start, term = self._starts
        chi2 = np.einsum("rsi,rsi->rs", term @ square - 2 * linear[:, None], term)
        return np.asarray(start[np.arange(len(start)), chi2.argmin(1)])


def load(folder: Path = shipped.FOLDER) -> FittingFunctions | None:
    """Return the fitting functions of a folder of weights; None where there are none."""
    from safetensors import safe_open

    if not (folder / FILE).exists():
        return None
    with safe_open(folder / FILE, framework="numpy") as file:
        names = [field.name for field in fields(FittingFunctions)]
        return FittingFunctions(**{name: file.get_tensor(name).astype(np.float64) for name in names})
