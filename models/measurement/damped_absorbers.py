"""Damped Lyman alpha systems in a quasar's forest: the strongest, where it lies and how much hydrogen it has.

A neutral cloud of log N above 20.3 (Wolfe et al. 1986, ApJS 61, 249) takes all light of some ten angstrom at
rest and has wings that natural broadening alone makes, so that the profile is known but for its place and N.
The level of the forest is a polynomial and the wing of Lyman alpha, free beside every profile that is tried;
lines of the forest itself count as noise in proportion to the level.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import Quantity
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import DLOGLAM, N_COARSE, REBIN, WAVELENGTH
from spectraq.models.lines import wavelength
from spectraq.models.measurement.target import Target

Floats = NDArray[np.float64]

NAMES = ("log_n_dla", "z_dla")
LEAST_LOG_N = 20.3
LOG_N = np.linspace(20.0, 22.0, 21)
SOUGHT = slice(0, None, 3)
"""Which of these are tried everywhere; the others where the best of them is."""
LEAST_GAIN = 25.0
"""In chi2: of 66 real quasars five have more, each black at the bottom and with wings when looked at."""
LYA = wavelength("Lya")
BLUE_END = 1045.0
"""Rest angstrom: shortward of it Lyman beta and O VI emit, and their own forests begin."""
NEAR_KM_S = 3000.0
"""Nearer to the quasar its own gas absorbs."""
FOREST = 0.3
"""Scatter of the forest on coarse pixels in units of its level."""
LEVEL_BOX = 61
DEGREE, WING_ANGSTROM = 2, 12.0
HALF = 120
"""Coarse pixels, 33,000 km/s: the wings of log N 22 end there."""
LEAST_PIXELS = 60
LEAST_SNR = 2.0
DARK = 0.5
"""The middle has less than this part of the level in the mean of five coarse pixels, within two errors."""
SPREAD, LOG_N_ERROR, Z_ERROR = 0.6, 0.08, 2e-4
"""Errors by systems put into real quasars: that part of the spread that chi2 leaves, as lines of the forest
are no noise that each pixel has anew, and what is added in quadrature."""

OSCILLATOR, DAMPING_HZ, THERMAL_KM_S = 0.4164, 6.265e8, 30.0
CROSS_SECTION = 0.02654
"""pi e^2 / (m c) in cm^2 Hz."""


@dataclass(frozen=True, slots=True)
class Forest:
    """The part of a quasar's forest where systems are sought, n coarse pixels."""

    wavelength: Floats  # (n,)
    flux: Floats  # (n,)
    weight: Floats  # (n,) of the noise and of the forest's lines together
    noise: Floats  # (n,) standard deviation of the noise alone
    level: Floats  # (n,) a wide running mean
    shapes: Floats  # (k, n) what the level is made of


@lru_cache(maxsize=1)
def transmissions() -> Floats:
    """Return what systems of each of LOG_N let through, by coarse pixels from their middle, (21, 2 HALF + 1).

    Voigt's function is that of Tepper-Garcia 2006, MNRAS 369, 2025, equation 25.
    """
    fine = (np.arange((2 * HALF + 1) * REBIN) - (HALF + 0.5) * REBIN + 0.5) * DLOGLAM
    middle_hz = LIGHT_KM_S * 1e13 / LYA
    width_hz = middle_hz * THERMAL_KM_S / LIGHT_KM_S
    square = np.maximum(((10**-fine - 1) * middle_hz / width_hz) ** 2, 1e-3)
    core = np.exp(-square)
    wings = core**2 * (4 * square**2 + 7 * square + 4 + 1.5 / square) - 1.5 / square - 1
    damping = DAMPING_HZ / (4 * np.pi * width_hz)
    profile = core - damping / np.sqrt(np.pi) / square * wings
    depth = 10 ** LOG_N[:, None] * OSCILLATOR * CROSS_SECTION / (np.sqrt(np.pi) * width_hz) * profile
    return np.asarray(np.exp(-depth).reshape(LOG_N.size, -1, REBIN).mean(2))


def forest_of(target: Target) -> Forest | None:
    """Return the forest of a quasar, None where too little of it was observed."""
    ivar = target.ivar.reshape(N_COARSE, REBIN)
    total = ivar.sum(1)
    flux = (ivar * target.flux.reshape(N_COARSE, REBIN)).sum(1) / np.maximum(total, 1e-30)
    middle = WAVELENGTH.reshape(N_COARSE, REBIN).mean(1)
    red = LYA * (1 + target.z) * (1 - NEAR_KM_S / LIGHT_KM_S)
    inside = np.flatnonzero((middle > BLUE_END * (1 + target.z)) & (middle < red) & (total > 0))
    if inside.size < LEAST_PIXELS:
        return None
    flux, noise, middle = flux[inside], total[inside] ** -0.5, middle[inside]
    box = np.ones(min(LEVEL_BOX, inside.size))
    level = np.convolve(flux, box, "same") / np.convolve(np.ones(inside.size), box, "same")
    level = np.maximum(level, 0.05 * max(float(np.abs(flux).mean()), 1e-30))
    place = 2 * (middle - middle[0]) / (middle[-1] - middle[0]) - 1
    wing = np.exp((middle / (1 + target.z) - LYA) / WING_ANGSTROM)
    shapes = np.vstack([np.polynomial.chebyshev.chebvander(place, DEGREE).T, wing])
    return Forest(middle, flux, 1 / (noise**2 + (FOREST * level) ** 2), noise, level, shapes)


def gains(forest: Forest, through: Floats) -> Floats:
    """Return how much less chi2 is with each of m transmissions than without any, shape (m,).

    Parameters
    ----------
    through
        Shape (m, n).
    """

    def explained(transmission: Floats) -> Floats:
        shapes = forest.shapes * transmission[:, None, :]
        weighted = shapes * forest.weight
        normal = weighted @ shapes.transpose(0, 2, 1)
        ridge = 1e-9 * np.trace(normal, axis1=1, axis2=2)[:, None, None] * np.eye(len(forest.shapes))
        vector = weighted @ forest.flux
        return np.asarray((np.linalg.solve(normal + ridge, vector[..., None])[..., 0] * vector).sum(1))

    return np.asarray(explained(through) - explained(np.ones((1, forest.flux.size))))


def _dark(forest: Forest) -> NDArray[np.int64]:
    """Return pixels that may be the middle of a system: nowhere else can one gain anything."""
    box = np.ones(5) / 5
    mean = np.convolve(forest.flux, box, "same")
    error = np.sqrt(np.convolve(forest.noise**2, box / 5, "same"))
    dark = np.flatnonzero(mean < DARK * forest.level + 2 * error)
    return dark[(dark >= 5) & (dark < forest.flux.size - 5)]


def _through(forest: Forest, centres: NDArray[np.int64], rows: NDArray[np.int64]) -> Floats:
    """Return the transmission of systems at pixels `centres`, of rows of LOG_N, shape (m, n)."""
    step = np.log10(forest.wavelength) / (REBIN * DLOGLAM)
    offset = np.rint(step[None, :] - step[centres][:, None]).astype(int)
    table = transmissions()[rows[:, None], np.clip(offset, -HALF, HALF) + HALF]
    return np.asarray(np.where(np.abs(offset) <= HALF, table, 1.0))


def strongest(forest: Forest) -> tuple[float, float, float, float, float] | None:
    """Return the gain of the best system, its log N and z and their errors; None where nothing is dark."""
    dark = _dark(forest)
    if not dark.size:
        return None
    tried = np.arange(LOG_N.size)[SOUGHT]
    centres, rows = np.repeat(dark, tried.size), np.tile(tried, dark.size)
    best = int(centres[gains(forest, _through(forest, centres, rows)).argmax()])
    near = np.arange(max(best - 2, 0), min(best + 3, forest.flux.size))
    centres, rows = np.repeat(near, LOG_N.size), np.tile(np.arange(LOG_N.size), near.size)
    gain = gains(forest, _through(forest, centres, rows))
    likely = np.exp(np.clip(gain - gain.max(), -60, 0) / 2)
    likely /= likely.sum()
    log_n, z = LOG_N[rows], forest.wavelength[centres] / LYA - 1
    mean_n, mean_z = float(likely @ log_n), float(likely @ z)
    spread_n = float(np.sqrt(likely @ (log_n - mean_n) ** 2))
    spread_z = float(np.sqrt(likely @ (z - mean_z) ** 2))
    return (
        float(gain.max()),
        mean_n,
        float(np.hypot(SPREAD * spread_n, LOG_N_ERROR)),
        mean_z,
        float(np.hypot(SPREAD * spread_z, Z_ERROR * (1 + mean_z))),
    )


def damped_absorber(target: Target, broad_absorption: bool) -> dict[str, Quantity]:
    """Return log N and z of the strongest damped system of a quasar, or why there is none.

    Parameters
    ----------
    target
        A quasar.
    broad_absorption
        Whether it has troughs of its own, which lie in the forest, too.
    """
    forest = forest_of(target)
    if forest is None:
        return _none("too little of the Lyman alpha forest is in the spectrum")
    if broad_absorption:
        return _none("broad absorption lines of the quasar itself reach into the forest")
    if float(np.median(forest.level / forest.noise)) < LEAST_SNR:
        return _none(f"the forest's S/N is below {LEAST_SNR:g} in 276 km/s")
    system = strongest(forest)
    if system is None or system[0] < LEAST_GAIN or system[1] < LEAST_LOG_N - system[2]:
        return _none(f"none above log N {LEAST_LOG_N} is seen")
    _, log_n, log_n_error, z, z_error = system
    return {NAMES[0]: Quantity(log_n, log_n_error, "log10(cm-2)"), NAMES[1]: Quantity(z, z_error, "")}


def _none(reason: str) -> dict[str, Quantity]:
    return {NAMES[0]: Quantity(None, None, "log10(cm-2)", reason), NAMES[1]: Quantity(None, None, "", reason)}
