"""Pairs of simulated spectra of one object, in half of which something known has changed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectraq.models.change.compare import Comparison
from spectraq.models.change.epoch import Floats
from spectraq.models.change.light import KnownSupernova
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import LN_PER_PIXEL, N_COARSE, REBIN, pixel_of
from spectraq.models.simulate import Simulated, simulate

CHANGED_SHARE = 0.5
LINE_SNR = 25.0
VELOCITY_KM_S = (150.0, 400.0)
ADDED = (0.5, 1.0)
"""Of the flux: light that came."""
RESPONSE = 0.04
"""Standard deviation of the logarithm of a smooth response, at either end."""
NEAR_MAXIMUM_DAYS = 14.0


@dataclass(frozen=True, slots=True)
class SimulatedRepeat:
    """Two simulated spectra of one object and what changed."""

    earlier: Simulated
    newer: Simulated
    change: str  # a kind of `record.KINDS`; "" where nothing changed
    days: float


def simulate_repeats(n: int, seed: int = 0) -> list[SimulatedRepeat]:
    """Simulate n pairs; the same seed gives the same pairs.

    Raises
    ------
    spectraq.models.shipped.MissingWeightsError
        Where the eigenspectra, or the card of changes, are missing.
    """
    rng = np.random.default_rng([seed, 1])
    comparison = Comparison.load()
    return [_pair(one, rng, comparison) for one in simulate(n, seed)]


def _pair(first: Simulated, rng: np.random.Generator, comparison: Comparison) -> SimulatedRepeat:
    change = ""
    if rng.random() < CHANGED_SHARE:
        last = {"GALAXY": "transient", "QSO": "continuum_changed", "STAR": "velocity_changed"}
        change = str(rng.choice(["line_appeared", "line_faded", last[first.spectype]]))
    wavelength = first.observation.wavelength
    before, after = first.noiseless, first.noiseless
    level = float(np.median(np.abs(before)))
    sigma = _sigma(first)
    if change.startswith("line"):
        line = _line(wavelength, sigma, rng)
        before, after = (before, after + line) if change == "line_appeared" else (before + line, after)
    elif change == "velocity_changed":
        speed = rng.uniform(*VELOCITY_KM_S) * rng.choice([-1, 1])
        after = np.interp(wavelength, wavelength * (1 + speed / LIGHT_KM_S), after)
    elif change == "continuum_changed":
        after = after + rng.uniform(*ADDED) * level * (wavelength / np.median(wavelength)) ** -1.5
    elif change == "transient":
        near = [one for one in comparison.known if abs(one.phase) <= NEAR_MAXIMUM_DAYS]
        shape = _supernova(wavelength / (1 + first.z), near[rng.integers(len(near))], comparison)
        after = after + rng.uniform(*ADDED) * level * shape
    x = np.linspace(-1, 1, wavelength.size)
    response = np.exp(RESPONSE * (rng.normal() + rng.normal() * x + rng.normal() * (2 * x**2 - 1)))
    pair = [_observed(first, flux, sigma, rng) for flux in (before, after * response)]
    return SimulatedRepeat(pair[0], pair[1], change, float(rng.uniform(10, 4000)))


def _sigma(simulated: Simulated) -> Floats:
    ivar = simulated.observation.ivar
    assert ivar is not None
    good = ivar > 0
    usual = 1 / np.sqrt(float(np.median(ivar[good])))
    return np.where(good, 1 / np.sqrt(np.where(good, ivar, 1.0)), usual).astype(np.float64)


def _observed(simulated: Simulated, flux: Floats, sigma: Floats, rng: np.random.Generator) -> Simulated:
    seen = (flux + sigma * rng.standard_normal(sigma.size)).astype(np.float32)
    return replace(simulated, observation=replace(simulated.observation, flux=seen), noiseless=flux)


def _line(wavelength: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    centre = rng.uniform(wavelength[0] + 300, wavelength[-1] - 300)
    width = centre * LN_PER_PIXEL * rng.uniform(1.5, 4.0)
    profile = np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    return np.asarray(LINE_SNR * np.sqrt(2) * profile / np.sqrt(np.sum((profile / sigma) ** 2)))


def _supernova(rest: Floats, known: KnownSupernova, comparison: Comparison) -> Floats:
    """Return a supernova's light of median one at wavelengths at rest, zero where it was not observed."""
    shapes = comparison.supernovae
    light = np.array(known.coefficients) @ shapes.flux.double().numpy()
    place = pixel_of(rest) / REBIN - shapes.first - (REBIN - 1) / (2 * REBIN)
    seen = np.interp(place, np.arange(light.size), light.clip(0), left=0.0, right=0.0)
    return np.asarray(seen / max(float(np.median(seen)), float(seen.max()) / N_COARSE))
