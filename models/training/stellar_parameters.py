"""Calibrate fitting functions on a library of stars whose parameters are known.

Nothing is learned of pixels: the spectra serve to measure the calibrators' indices, and to see what a little
blur, a little velocity and ripples of the flux calibration do to indices.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from spectraq.models import shipped
from spectraq.models.grid.axis import LN_PER_PIXEL, wavelength_of
from spectraq.models.measurement.fitting_functions import (
    EXPONENTS,
    FILE,
    MIDDLE,
    UNIT,
    FittingFunctions,
    monomials,
)
from spectraq.models.measurement.stellar_indices import BANDS, BandWeights, Indices, dense
from spectraq.models.measurement.stellar_indices import MIDDLE as BAND_MIDDLE
from spectraq.models.measurement.stellar_parameters import TEFF_RANGE
from spectraq.models.training.material.miles import FWHM_ANGSTROM, ParametrisedStars

RANGES = ((3500.0, 5300.0), (4700.0, 6800.0), (5900.0, 12000.0))
POOREST = -3.0
RIDGE = 0.3
"""Of the coefficients of terms above the linear ones, where there are hundreds of stars."""
SHRINKAGE = 0.1
CORE, MOST_SCATTERS = 1.2, 6.0
"""A star further off than CORE usual scatters weighs less: the literature has mistakes."""
ROUNDS = 6
PRIOR_WIDTH = 2.0
"""Times the calibrators' spread in a range."""
RIPPLE, RIPPLE_ANGSTROM = 0.008, 50.0
BLUR_PIXELS, VELOCITY_PIXELS = 0.45, 0.25
"""What instruments do beyond what is known of them: ripples of the flux, a line spread off by 6 % of the
common one, a velocity off by 17 km/s."""
FLOOR = 0.005
PARTS = 8
"""Each left out once, to measure what the calibration says of stars that it was not made with."""
SEED = 21
SNR = (20, 8)
"""At which held-out stars are measured again, a pixel."""
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Answers:
    """What fitting functions say of n stars.

    Attributes
    ----------
    value, error, truth
        As `ParametrisedStars.parameters`, (n, 3).
    rchi2
        Chi2 of the indices a degree of freedom, (n,).
    """

    value: Floats
    error: Floats
    truth: Floats
    rchi2: Floats

    def within(self, teff: tuple[float, float]) -> Answers:
        """Return the stars of a range of temperatures in K."""
        low, high = np.log10(teff)
        kept = (self.truth[:, 0] > low) & (self.truth[:, 0] < high)
        return Answers(self.value[kept], self.error[kept], self.truth[kept], self.rchi2[kept])


def usable(stars: ParametrisedStars, excluded: set[str]) -> ParametrisedStars:
    """Return the stars within the ranges that are not among the excluded names."""
    log_teff, _, fe_h = stars.parameters.T
    keep = (log_teff > np.log10(RANGES[0][0])) & (log_teff < np.log10(RANGES[-1][1])) & (fe_h > POOREST)
    keep &= ~np.isin(stars.names, list(excluded))
    names = tuple(name for name, kept in zip(stars.names, keep, strict=True) if kept)
    return ParametrisedStars(stars.flux[keep], stars.first, stars.parameters[keep], names)


def bands(blur_pixels: float = 0.0) -> BandWeights:
    """Return the weights for spectra of the library, as if its line spread were less by so much."""
    spread = FWHM_ANGSTROM / np.sqrt(8 * np.log(2)) / (BAND_MIDDLE * LN_PER_PIXEL)
    return BandWeights(np.sqrt(np.maximum(spread**2 - blur_pixels**2, 0)))


def indices(stars: ParametrisedStars, blur_pixels: float = 0.0, lag: float = 0.0) -> Floats:
    """Return the indices of every star, (n, K)."""
    weights, one = bands(blur_pixels), np.ones(stars.flux.shape[1])
    return np.array([weights.measure(flux, one, lag, stars.first).value for flux in stars.flux])


def instrumental(stars: ParametrisedStars, value: Floats) -> Floats:
    """Return the covariance of indices by what instruments do, (K, K)."""
    functional, first = dense(*bands().at(0))
    difference = functional[: len(functional) // 2] - functional[len(functional) // 2 :]
    wavelength = wavelength_of(np.asarray(first + np.arange(functional.shape[1]), np.float64))
    apart = (wavelength - wavelength[:, None]) / RIPPLE_ANGSTROM
    total = difference @ (RIPPLE**2 * np.exp(-0.5 * apart**2)) @ difference.T
    for blur, lag in ((BLUR_PIXELS, 0.0), (0.0, VELOCITY_PIXELS)):
        change = indices(stars, blur, lag) - value
        total += change.T @ change / len(change)
    return np.asarray(total + FLOOR**2 * np.eye(len(total)))


def calibrated(parameters: Floats, value: Floats, extra: Floats) -> FittingFunctions:
    """Return the fitting functions of stars.

    Parameters
    ----------
    parameters
        Shape (n, 3).
    value
        Indices, (n, K).
    extra
        Covariance to be added to the scatter, (K, K).
    """
    ranges = np.log10(np.array(RANGES))
    found = []
    for low, high in ranges:
        inside = (parameters[:, 0] > low) & (parameters[:, 0] < high)
        scaled = (parameters[inside] - MIDDLE) / UNIT
        centre = np.array([(0.5 * (low + high) - MIDDLE[0]) / UNIT[0], 0, 0])
        coefficients, scatter = _fitted(monomials(scaled - centre)[0], value[inside])
        precision = np.linalg.inv(np.cov(scaled.T)) / PRIOR_WIDTH**2
        found.append((coefficients, scatter + extra, scaled.mean(0), precision))
    coefficients, scatter, mean, precision = (np.array(same) for same in zip(*found, strict=True))
    return FittingFunctions(ranges, coefficients, scatter, mean, precision, parameters)


def _fitted(terms: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Return coefficients, (T, K), and the covariance around them, (K, K), outliers weighing less."""
    higher = np.array([sum(exponent) > 1 for exponent in EXPONENTS])
    weight = np.ones(len(terms))
    for _ in range(ROUNDS):
        square = (terms * weight[:, None]).T @ terms + RIDGE * np.diag(higher)
        coefficients = np.linalg.solve(square, (terms * weight[:, None]).T @ value)
        left = value - terms @ coefficients
        usual = left / (1.48 * np.median(np.abs(left), 0))
        distance = np.sqrt((np.minimum(np.abs(usual), MOST_SCATTERS) ** 2).mean(1))
        weight = 1 / np.maximum(1, distance / CORE) ** 2
    covariance = (left * weight[:, None]).T @ left / weight.sum()
    diagonal = np.diag(np.diag(covariance))
    return np.asarray(coefficients), np.asarray((1 - SHRINKAGE) * covariance + SHRINKAGE * diagonal)


def held_out(stars: ParametrisedStars, value: Floats, extra: Floats, snr: float | None = None) -> Answers:
    """Return what calibrations say of stars that they were made without.

    Parameters
    ----------
    value
        Indices without noise, (n, K).
    extra
        As of `calibrated`.
    snr
        S/N a pixel of the noise that is put on; None for none.
    """
    part = np.random.default_rng(SEED).permutation(len(value)) % PARTS
    asked = [Indices(one, np.zeros_like(extra)) for one in value] if snr is None else _noisy(stars, snr)
    rows = []
    for one in range(PARTS):
        functions = calibrated(stars.parameters[part != one], value[part != one], extra)
        for i in np.flatnonzero(part == one):
            said = functions.solve(asked[i].value, asked[i].covariance)
            rows.append((said.value, said.error, stars.parameters[i], said.rchi2))
    return Answers(*(np.array(same) for same in zip(*rows, strict=True)))


def _noisy(stars: ParametrisedStars, snr: float) -> list[Indices]:
    """Return the indices of stars with photon noise of a median S/N a pixel."""
    rng, weights = np.random.default_rng(SEED), bands()
    found = []
    for flux in stars.flux:
        middle = np.median(flux)
        sigma = np.sqrt(np.maximum(flux, 0.05 * middle) * middle) / snr
        noisy = flux + sigma * rng.standard_normal(flux.size)
        found.append(weights.measure(noisy, 1 / sigma**2, 0.0, stars.first))
    return found


def calibrate(stars: ParametrisedStars) -> tuple[FittingFunctions, dict[str, Answers]]:
    """Return the fitting functions of all stars, and what others say of stars that they were made without."""
    value = indices(stars)
    extra = instrumental(stars, value)
    answers = {
        "MILES, held out": held_out(stars, value, extra).within(TEFF_RANGE),
        **{f"MILES, held out, S/N {s}": held_out(stars, value, extra, s).within(TEFF_RANGE) for s in SNR},
    }
    return calibrated(stars.parameters, value, extra), answers


def save(functions: FittingFunctions, names: Sequence[str], folder: Path, figures: Mapping[str, Any]) -> None:
    """Write fitting functions and their card.

    Parameters
    ----------
    names
        Of the calibrators.
    figures
        By source.
    """
    tensors = {field.name: getattr(functions, field.name) for field in fields(functions)}
    save_file(tensors, folder / FILE, metadata={"format": "spectraq.stellar-parameters.1"})
    (folder / FILE).chmod(0o644)  # safetensors writes for its owner alone
    card = {
        "what": "Polynomials in log10 of effective temperature, log g and [Fe/H] for the indices of stars, "
        "the covariance around them, and the parameters of the calibrators.",
        "indices": list(BANDS),
        "calibrated_on": f"{len(functions.calibrators)} stars of MILES with parameters of the literature; "
        "none of Indo-US's is among them",
        "calibrators": list(names),
        "sha256": shipped.digest_of(folder / FILE),
        "figures": {
            "what": "median, spread (1.48 median absolute deviations) and spread about zero of the "
            "difference from the literature, in K and dex, 4000 to 7500 K; spread of pulls",
            **figures,
        },
        "again": "spectraq train --only stellar-parameters --data DATA --library LIBRARY --out OUT",
    }
    (folder / FILE).with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
