"""Mock galaxies and quasars whose lines are known, each with its flux, width and offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH, lag_of
from spectraq.models.lines import IRON_BLENDS, wavelength
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.line_groups import BROAD, BROAD_LINES, NARROW, RATIOS
from spectraq.models.measurement.populations import blur_of
from spectraq.models.measurement.target import Target
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import lines
from spectraq.models.training.mocks.rest import blurred, redshifted

SURVEY, RANGE = "sdss", (3800.0, 9200.0)
SNR = (3.0, 40.0)
FOLLOWERS = {name for others in RATIOS.values() for name, _ in others}
NOT_PAINTED = FOLLOWERS | {"MgII_2796", "MgII_2804"}
BROAD_WIDTHS = {
    "Lya": 80.0, "NV": 15.0, "SiIV": 9.0, "CIV": 35.0, "HeII_1640": 5.0, "AlIII": 2.5, "CIII": 20.0,
    "MgII": 30.0, "Hdelta": 6.0, "Hgamma": 15.0, "Hbeta": 60.0, "HeII_4687": 6.0, "Halpha": 220.0,
    "HeI_5877": 10.0, "OI_8449": 10.0,
}  # fmt: skip
"""Equivalent widths of broad lines at rest, angstrom (Vanden Berk et al. 2001, AJ 122, 549, rounded)."""
QSO_NARROW_WIDTHS = {
    "NeV": 1.5, "OII_3727": 1.0, "OII_3730": 1.3, "NeIII": 2.5, "Hgamma": 1.5, "Hbeta": 3.0,
    "OIII_5008": 20.0, "Halpha": 12.0, "NII_6585": 10.0, "SII_6718": 3.0, "SII_6733": 3.0,
    "OI_6302": 2.0, "OIII_4364": 1.0,
}  # fmt: skip
WIDER_WING, HIGHLY_IONISED = 2.6, ("CIV", "HeII_1640", "CIII", "AlIII", "SiIV", "Lya", "NV")
Floats = NDArray[np.float64]


@dataclass
class KnownLines:
    """A mock with its truth.

    Attributes
    ----------
    flux
        Of each line by name and component, in units of the target's flux times angstrom.
    sigma, offset
        Of narrow lines, km/s.
    dispersion
        Of a galaxy's stars, km/s.
    light
        Noiseless flux without lines (of quasars: the power law), (N_PIXELS,).
    fwhm
        Of broad lines in km/s, by name.
    """

    target: Target
    snr: float
    sigma: float
    offset: float
    light: Floats
    flux: dict[tuple[str, str], float] = field(default_factory=dict)
    dispersion: float = 0.0
    fwhm: dict[str, float] = field(default_factory=dict)


def galaxy(family: Family, rng: np.random.Generator) -> KnownLines:
    """Return a mix of three of a family's stellar populations with lines, dust and imperfect calibration."""
    amount = np.zeros(len(family.coefficients))
    for part in range(3):
        amount[rng.integers(amount.size)] += rng.exponential() * 0.5**part
    rest = np.asarray(amount @ family.coefficients @ family.basis, np.float32)
    z = float(np.clip(rng.gamma(2, 0.075), 0.005, 0.9))
    dispersion = float(np.clip(np.exp(rng.normal(np.log(140), 0.4)), 75, 380))
    blur = blur_of(dispersion, float(spread_at(SURVEY, 5000 * (1 + z))))
    moved, reached = redshifted(
        blurred(torch.from_numpy(rest[None]), np.array([blur])), family.first_pixel, np.array([z])
    )
    light = moved[0].double().numpy() * _calibration(rng)
    good = reached[0].numpy() & _observed()
    light /= np.median(light[good])
    kind = rng.integers(0, 4, 1)
    strength = dict(zip(lines.PAINTED, lines.draw_strengths(kind, rng)[0][0], strict=True))
    sulphur = strength["Halpha"] * 0.08
    widths = {name: value for name, value in strength.items() if name not in NOT_PAINTED}
    widths |= {"ArIII": 0.4 * sulphur, "SIII_9071": sulphur, "SIII_9533": 2.44 * sulphur}
    sigma = float(np.clip(np.exp(rng.normal(np.log(90), 0.4)), 30, 350))
    truth = KnownLines(_blank(good, "GALAXY", z), 0.0, sigma, rng.normal(0, 20), light, dispersion=dispersion)
    flux = light + _narrow(truth, widths)
    return _noisy(truth, flux, good, rng)


def quasar(rng: np.random.Generator) -> KnownLines:
    """Return a power law with iron, broad lines of one or two Gaussians, and narrow ones."""
    z = float(rng.uniform(0.1, 3.2))
    good, pixel = _observed(), np.arange(N_PIXELS)
    slope = rng.normal(-1.5, 0.4)
    light = (WAVELENGTH / 5000) ** slope * _calibration(rng)
    light /= np.median(light[good])
    truth = KnownLines(_blank(good, "QSO", z), 0.0, float(rng.uniform(100, 280)), 0.0, light)
    flux = light.copy()
    iron = np.exp(rng.normal(np.log(0.05), 0.5))
    for blend in IRON_BLENDS:
        width = rng.uniform(1200, 2500) / KM_S_PER_PIXEL
        flux += iron * rng.uniform(0.5, 1.5) * light * _peak(pixel, truth.target.place(blend), width)
    breadth, two = rng.uniform(900, 3000), rng.random() < 0.6
    for name, width in BROAD_WIDTHS.items():
        amount = width * np.exp(rng.normal(0, 0.4)) * _level(truth, name) * (1 + z)
        sigma = breadth * (1.2 if name in HIGHLY_IONISED else 1.0)
        shift = -500.0 if name in BROAD_LINES["CIV"] else 0.0
        profile = _profile(truth.target, name, shift, sigma, 0.0)
        if two and name in BROAD_LINES:
            wing = _profile(truth.target, name, shift - 200, WIDER_WING * sigma, 0.0)
            profile = 0.5 * (profile + wing)
        truth.flux[name, BROAD] = amount
        high = np.flatnonzero(profile * WAVELENGTH > 0.5 * float((profile * WAVELENGTH).max()))
        truth.fwhm[name] = high.size * KM_S_PER_PIXEL
        flux += amount * profile
    strength = np.exp(rng.normal(0, 0.7))
    narrow = {
        name: width * strength * np.exp(rng.normal(0, 0.3)) for name, width in QSO_NARROW_WIDTHS.items()
    }
    flux += _narrow(truth, narrow)
    return _noisy(truth, flux, good, rng)


def _observed() -> NDArray[np.bool_]:
    return np.asarray((RANGE[0] < WAVELENGTH) & (RANGE[1] > WAVELENGTH))


def _blank(good: NDArray[np.bool_], spectype: str, z: float) -> Target:
    return Target(np.zeros(N_PIXELS), good.astype(float), spectype, lag_of(z), z, SURVEY)


def _calibration(rng: np.random.Generator) -> Floats:
    """Return a response with a slope of dust and ripples of three per cent."""
    ripple = 0.03 * np.sin(WAVELENGTH / rng.uniform(300, 900) + rng.uniform(0, 6))
    return np.asarray((WAVELENGTH / 6000) ** rng.normal(0, 0.5) * np.exp(ripple))


def _level(truth: KnownLines, name: str) -> float:
    """Return the light under a line; at the nearer end where the grid does not hold it."""
    pixel = int(np.clip(truth.target.place(wavelength(name)), 0, N_PIXELS - 1))
    return float(np.median(truth.light[max(pixel - 60, 0) : pixel + 60]))


def _peak(pixel: NDArray[np.int64], centre: float, sigma: float) -> Floats:
    return np.asarray(np.exp(-0.5 * ((pixel - centre) / sigma) ** 2))


def _profile(target: Target, name: str, shift: float, sigma: float, spread: float) -> Floats:
    """Return a Gaussian of unit flux: shift and width in km/s, the instrument's spread in grid pixels."""
    width = float(np.hypot(sigma / KM_S_PER_PIXEL, spread))
    centre = target.place(wavelength(name)) + shift / KM_S_PER_PIXEL
    peak = _peak(np.arange(N_PIXELS), centre, width)
    return np.asarray(peak / (np.sqrt(2 * np.pi) * width * WAVELENGTH * LN_PER_PIXEL))


def _narrow(truth: KnownLines, widths: dict[str, float]) -> Floats:
    """Return narrow lines of equivalent widths at rest, and note their fluxes."""
    total = np.zeros(N_PIXELS)
    z = truth.target.z
    for name, width in widths.items():
        amount = width * _level(truth, name) * (1 + z)
        truth.flux[name, NARROW] = amount
        parts: Sequence[tuple[str, float]] = [(name, 1.0), *RATIOS.get(name, ())]
        for part, ratio in parts:
            spread = float(spread_at(SURVEY, wavelength(part) * (1 + z)))
            total += amount * ratio * _profile(truth.target, part, truth.offset, truth.sigma, spread)
    return total


def _noisy(truth: KnownLines, flux: Floats, good: NDArray[np.bool_], rng: np.random.Generator) -> KnownLines:
    """Put noise on a spectrum: the object's photons, the sky's, and a poor blue end."""
    truth.snr = float(np.exp(rng.uniform(*np.log(SNR))))
    sigma = (1 + 1.5 * np.exp(-(WAVELENGTH - RANGE[0]) / 300)) * np.sqrt(0.5 + 0.5 * np.clip(flux, 0.05, 20))
    sigma *= np.median(np.abs(flux[good]) / sigma[good]) / truth.snr
    observed = flux + sigma * rng.standard_normal(N_PIXELS)
    blank = truth.target
    truth.target = Target(
        np.where(good, observed, 0.0), good / sigma**2, blank.spectype, blank.lag, blank.z, blank.survey
    )
    return truth
