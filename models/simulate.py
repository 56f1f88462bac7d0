"""Spectra of known truth, made in an instant from the shipped eigenspectra alone.

They look like what surveys deliver (range, sampling, noise, sky lines, calibration), but are combinations of
the very eigenspectra that spectraq fits: they show that a stream works, not how good the redshifts are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.airglow import airglow
from spectraq.models.grid.axis import DLOGLAM, LN_PER_PIXEL, WAVELENGTH, loglam_of, pixel_of
from spectraq.models.observation import Observation
from spectraq.models.redshift import eigenspectra

Floats = NDArray[np.float64]

CLASS_SHARES = {"GALAXY": 0.45, "QSO": 0.25, "STAR": 0.30}
STAR_SHARES = {
    "B": 0.03, "A": 0.12, "F": 0.25, "G": 0.18, "K": 0.18, "M": 0.15, "L": 0.01, "CARBON": 0.01, "WD": 0.05,
    "CV": 0.02,
}  # fmt: skip
FAULTS = ("unmodelled_emission", "blend", "arm_step", "sky_residual")
FAULT_SHARE = 0.04
STAR_SIGMA_Z = 2.6e-4  # 80 km/s
SNR_RANGE = (1.0, 150.0)


@dataclass(frozen=True)
class Survey:
    """How a survey samples a spectrum, and how deep it goes."""

    first: float  # vacuum angstrom
    last: float
    step: float  # in log10(wavelength), or in angstrom
    logarithmic: bool
    median_snr: float
    share: float


SURVEYS = {
    "sdss": Survey(3810.0, 9200.0, DLOGLAM, True, 7.0, 0.3),
    "boss": Survey(3600.0, 10300.0, DLOGLAM, True, 5.0, 0.3),
    "desi": Survey(3600.0, 9824.0, 0.8, False, 4.0, 0.25),
    "lamost": Survey(3700.0, 9050.0, DLOGLAM, True, 20.0, 0.15),
}


@dataclass(frozen=True, slots=True)
class Simulated:
    """One simulated spectrum and the truth about it."""

    observation: Observation
    spectype: str
    subtype: str  # "" where the eigenspectra's mix has no one name
    z: float
    snr: float  # median S/N a pixel that was asked for
    fault: str | None  # one of FAULTS, or nothing wrong
    noiseless: Floats  # the observation's flux without its noise


@lru_cache(maxsize=1)
def _bases() -> dict[str, eigenspectra.Basis]:
    return eigenspectra.load()


@lru_cache(maxsize=1)
def _sky() -> NDArray[np.float32]:
    return airglow(torch.device("cpu")).numpy()


def simulate(n: int, seed: int = 0) -> list[Simulated]:
    """Simulate n spectra; the same seed gives the same spectra.

    Parameters
    ----------
    n
        How many.
    seed
        Of the random numbers.

    Raises
    ------
    spectraq.models.shipped.MissingWeightsError
        Where the eigenspectra are missing.
    """
    rng = np.random.default_rng(seed)
    return [_one(rng) for _ in range(n)]


def _one(rng: np.random.Generator) -> Simulated:
    survey_name = _drawn(rng, {name: survey.share for name, survey in SURVEYS.items()})
    survey = SURVEYS[survey_name]
    wavelength = _sampling(survey, rng)
    spectype = _drawn(rng, CLASS_SHARES)
    name = _drawn(rng, STAR_SHARES) if spectype == "STAR" else spectype
    flux, subtype, z = _object(name, wavelength, rng)
    fault = str(rng.choice(FAULTS)) if rng.random() < FAULT_SHARE else None
    if fault == "blend":
        other = "M" if spectype == "GALAXY" else "GALAXY"
        flux = flux + rng.uniform(0.6, 1.2) * _object(other, wavelength, rng)[0]
    elif fault == "arm_step":
        edge = rng.uniform(5600, 6200)
        flux = flux * np.where(wavelength > edge, 1 + rng.choice([-1, 1]) * rng.uniform(0.25, 0.5), 1.0)
    x = np.linspace(-1, 1, wavelength.size)
    flux = flux * np.exp(0.03 * (rng.normal() * x + rng.normal() * (2 * x**2 - 1)))
    snr = float(np.clip(survey.median_snr * np.exp(rng.normal(0, 0.7)), *SNR_RANGE))
    sky = np.interp(wavelength, WAVELENGTH, _sky())
    sigma = _noise(wavelength, flux, sky, snr, rng)
    if fault == "unmodelled_emission":
        flux = flux + _line(wavelength, sigma, rng)
    elif fault == "sky_residual":
        flux = flux + rng.choice([-1, 1]) * rng.uniform(4, 10) * np.median(sigma) * sky
    unit = 10 ** rng.normal(0.3, 0.4)
    observed = unit * (flux + sigma * rng.standard_normal(wavelength.size))
    ivar = 1 / (unit * sigma) ** 2
    ivar[rng.random(wavelength.size) < 0.003] = 0.0  # cosmic rays, bad columns
    observation = Observation(wavelength, observed.astype(np.float32), ivar.astype(np.float32), survey_name)
    return Simulated(observation, spectype, subtype, z, snr, fault, unit * flux)


def _drawn(rng: np.random.Generator, shares: dict[str, float]) -> str:
    weight = np.array(list(shares.values()))
    return list(shares)[int(rng.choice(len(weight), p=weight / weight.sum()))]


def _sampling(survey: Survey, rng: np.random.Generator) -> Floats:
    """Return the pixel centres in vacuum angstrom; the ends differ a little from spectrum to spectrum."""
    first, last = survey.first * (1 + rng.uniform(0, 0.004)), survey.last * (1 - rng.uniform(0, 0.004))
    if not survey.logarithmic:
        return np.arange(first, last, survey.step)
    start = loglam_of(math.ceil(pixel_of(first)))
    return 10 ** np.arange(start, np.log10(last), survey.step)


def _object(name: str, wavelength: Floats, rng: np.random.Generator) -> tuple[Floats, str, float]:
    """Return the noiseless flux of median one, subtype and redshift of an object drawn from a basis."""
    basis = _bases()[name]
    row = int(rng.integers(len(basis.amplitudes)))
    if basis.spectype == "STAR":
        z = float(np.clip(rng.normal(0, STAR_SIGMA_Z), -0.002, 0.002))
    else:
        z = max((1 + float(basis.z[row])) * (1 + rng.normal(0, 0.005)) - 1, 0.003)
        z = min(z, 1.6 if name == "GALAXY" else 5.0)
    rest = (basis.amplitudes[row] @ basis.flux).numpy().astype(np.float64)
    pixel = pixel_of(wavelength / (1 + z)) - basis.first
    flux = np.interp(pixel, np.arange(rest.size), rest)
    return flux / max(float(np.median(np.abs(flux))), 1e-3), basis.labels[row], z


def _noise(wavelength: Floats, flux: Floats, sky: Floats, snr: float, rng: np.random.Generator) -> Floats:
    """Standard deviation of each pixel: poor blue end, sky lines in the red, photons of the object."""
    blue = 1 + rng.uniform(0.5, 2.0) * np.exp(-(wavelength - wavelength[0]) / 300)
    shape = blue * np.sqrt(1 + rng.uniform(4, 20) * sky) * np.sqrt(0.5 + 0.5 * np.clip(flux, 0.05, 20))
    median_snr = float(np.median(np.abs(flux) / shape))
    return np.asarray(shape * median_snr / snr)


def _line(wavelength: Floats, sigma: Floats, rng: np.random.Generator) -> Floats:
    """Add an emission line of 15 to 40 sigma at a random place."""
    centre = rng.uniform(wavelength[0] + 200, wavelength[-1] - 200)
    width = centre * LN_PER_PIXEL * rng.uniform(1.5, 4.0)
    profile = np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    return np.asarray(rng.uniform(15, 40) * profile / np.sqrt(np.sum((profile / sigma) ** 2)))
