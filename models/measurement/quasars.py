"""What a quasar's continuum, broad lines and absorption say: slope, luminosity, mass, BALnicity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import Quantity
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.lines import wavelength
from spectraq.models.measurement.line_groups import BROAD
from spectraq.models.measurement.line_records import MeasuredLines
from spectraq.models.measurement.quasar_continuum import QuasarContinuum
from spectraq.models.measurement.target import Floats, Target, seen

LUMINOSITIES = (1350.0, 3000.0, 5100.0)
FURTHEST_Z, N_DISTANCES = 10.0, 4096
CM_PER_MPC = 3.0856775814913673e24
NO_UNIT = "the flux has no unit of erg/s/cm2/angstrom"
NOT_COVERED = "outside the spectrum, or masked"
SLOPE_FORM, LUMINOSITY_FORM = 0.15, 0.008
"""Errors of slope and log luminosity by what the continuum's form leaves open, as mocks show."""
FWHM_LINES = ("Halpha", "Hbeta", "MgII", "CIV")


@dataclass(frozen=True, slots=True)
class Estimator:
    """log10(mass / solar) = zero + slope_width log10(FWHM / 1000 km/s) + slope_luminosity log10(L / unit)."""

    line: str
    luminosity: float | None  # of the continuum in angstrom; None for the line's own
    zero: float
    slope_width: float
    slope_luminosity: float
    unit: float  # erg/s


ESTIMATORS = (
    Estimator("Hbeta", 5100.0, 6.91, 2.0, 0.50, 1e44),  # Vestergaard and Peterson 2006, ApJ 641, 689, eq. 5
    Estimator("CIV", 1350.0, 6.66, 2.0, 0.53, 1e44),  # the same, eq. 7
    Estimator("MgII", 3000.0, 6.86, 2.0, 0.50, 1e44),  # Vestergaard and Osmer 2009, ApJ 699, 800, eq. 1
    Estimator("Halpha", None, math.log10(2.0e6), 2.06, 0.55, 1e42),  # Greene and Ho 2005, ApJ 630, 122, eq. 6
)
BAL_VELOCITIES, BAL_BELOW, BAL_WIDTH = (3000.0, 25000.0), 0.9, 2000.0
"""Weymann et al. 1991, ApJ 373, 23: km/s, share of the continuum, km/s that it must last."""
AI_VELOCITIES, AI_WIDTH = (0.0, 25000.0), 450.0
"""Hall et al. 2002, ApJS 141, 267."""
LEAST_SNR_OF_TROUGHS = 3.0
TROUGH_BOX = 3
"""Grid pixels of the running mean that is compared with the continuum."""


@cache
def _distances() -> tuple[Floats, Floats]:
    """Return ln(1 + z) and comoving distances in Mpc of astropy's Planck18."""
    from astropy.cosmology import Planck18

    place = np.linspace(0.0, math.log(1 + FURTHEST_Z), N_DISTANCES)
    # d distance = c / H dz, and dz = (1 + z) d ln(1 + z): Simpson's rule with the middles between.
    every = np.linspace(0.0, place[-1], 2 * N_DISTANCES - 1)
    slope = np.exp(every) / np.asarray(Planck18.efunc(np.expm1(every)))
    steps = (slope[:-2:2] + 4 * slope[1::2] + slope[2::2]) * (every[1] - every[0]) / 3
    return place, np.append(0.0, np.cumsum(steps)) * float(Planck18.hubble_distance.value)


def luminosity_distance_cm(z: float) -> float:
    """Return the luminosity distance in astropy's Planck18."""
    place, distance = _distances()
    return float(np.interp(math.log1p(z), place, distance)) * (1 + z) * CM_PER_MPC


class Quasar:
    """A measured quasar.

    Parameters
    ----------
    lines, continuum
        The solution, and what it stands on.
    target
        Before absorption was left out.
    flux_cgs
        What one unit of the observation's flux is in erg/s/cm^2/angstrom, where that is known.
    """

    def __init__(
        self, lines: MeasuredLines, continuum: QuasarContinuum, target: Target, flux_cgs: float | None
    ) -> None:
        self.lines, self.target = lines, target
        self._flux_cgs = None if flux_cgs is None else flux_cgs * target.unit
        self._continuum = continuum
        start = len(lines.fit.flux)
        n = continuum.n_power_law
        self._amplitude = lines.fit.amplitude[:n]
        self._covariance = lines.covariance[start : start + n, start : start + n]

    def quantities(self) -> dict[str, Quantity]:
        """Return everything that is said of a quasar beside its lines."""
        found = {"alpha_lambda": self._slope()}
        luminosity = {rest: self._luminosity(rest) for rest in LUMINOSITIES}
        found |= {f"log_l{rest:.0f}": value for rest, value in luminosity.items()}
        for name in FWHM_LINES:
            width = self.lines.fwhm(name) if self._is_seen(name) else None
            reason = "not seen, or too faint for a width of its own"
            found[f"fwhm_{name.lower()}"] = (
                Quantity(*width, "km/s") if width else Quantity(None, None, "km/s", reason)
            )
        for estimator in ESTIMATORS:
            light = (
                luminosity[estimator.luminosity] if estimator.luminosity else self._line_luminosity("Halpha")
            )
            breadth = found[f"fwhm_{estimator.line.lower()}"]
            found[f"log_mass_{estimator.line.lower()}"] = _mass(estimator, breadth, light)
        return found | self._troughs()

    def _is_seen(self, name: str) -> bool:
        known = self.lines.flux((name,), BROAD)
        return known is not None and bool(known[0][0] > 5 * math.sqrt(known[1][0, 0]))

    def _shape(self, rest: float) -> Floats:
        pixel = min(max(round(self.target.place(rest)), 0), N_PIXELS - 1)
        return self._continuum.base.shapes[: self._continuum.n_power_law, pixel]

    def _slope(self) -> Quantity:
        """Return the slope between the bluest and the reddest of some wavelengths that are seen."""
        places = [
            rest for rest in (*LUMINOSITIES, 2000.0, 4000.0) if seen(self.target, rest - 20, rest + 20, 0.5)
        ]
        if len(places) < 2:
            return Quantity(None, None, "", "no two of 1350, 2000, 3000, 4000 and 5100 Å are in the spectrum")
        blue, red = min(places), max(places)
        shapes = np.array([self._shape(blue), self._shape(red)])
        level = shapes @ self._amplitude
        if (level <= 0).any():
            return Quantity(None, None, "", "the continuum is not positive")
        gradient = (shapes[1] / level[1] - shapes[0] / level[0]) / math.log(red / blue)
        error = math.sqrt(max(float(gradient @ self._covariance @ gradient), 0.0))
        slope = math.log(level[1] / level[0]) / math.log(red / blue)
        return Quantity(slope, math.hypot(error, SLOPE_FORM), "")

    def _luminosity(self, rest: float) -> Quantity:
        """Return log10 of lambda L_lambda of the continuum without host, iron and lines."""
        unit = "log10(erg/s)"
        if self._flux_cgs is None:
            return Quantity(None, None, unit, NO_UNIT)
        if not seen(self.target, rest - 20, rest + 20, 0.5):
            return Quantity(None, None, unit, NOT_COVERED)
        shape = self._shape(rest)
        level = float(shape @ self._amplitude)
        error = math.sqrt(max(float(shape @ self._covariance @ shape), 0.0))
        if level < 3 * error or level <= 0:
            return Quantity(None, None, unit, "the continuum is not seen there")
        error = math.hypot(error / level / math.log(10), LUMINOSITY_FORM)
        return Quantity(self._log_luminosity(level * rest * (1 + self.target.z)), error, unit)

    def _line_luminosity(self, name: str) -> Quantity:
        unit = "log10(erg/s)"
        known = self.lines.flux((name,), BROAD)
        if self._flux_cgs is None:
            return Quantity(None, None, unit, NO_UNIT)
        if known is None or not self._is_seen(name):
            return Quantity(None, None, unit, NOT_COVERED)
        flux, error = self.lines.broad_flux(name)
        return Quantity(self._log_luminosity(flux), error / flux / math.log(10), unit)

    def _log_luminosity(self, flux: float) -> float:
        """Return log10 of the luminosity in erg/s of a flux in the spectrum's unit times angstrom."""
        assert self._flux_cgs is not None
        distance = luminosity_distance_cm(self.target.z)
        return math.log10(4 * math.pi * flux * self._flux_cgs) + 2 * math.log10(distance)

    def _troughs(self) -> dict[str, Quantity]:
        """Return BALnicity and absorption index of C IV."""
        names = ("balnicity", "absorption_index")
        restless = wavelength("CIV")
        if not seen(self.target, restless * (1 - 25000 / LIGHT_KM_S), restless, 0.7):
            reason = "25000 km/s shortward of C IV are not in the spectrum"
            return {name: Quantity(None, None, "km/s", reason) for name in names}
        target, model = self.target, self.lines.continuum + self.lines.fit.emission
        velocity = -_velocity(target.rest / restless)
        near = target.used & (velocity > 0) & (velocity < 25000)
        snr = float(np.median(model[near] * np.sqrt(target.ivar[near])))
        if snr < LEAST_SNR_OF_TROUGHS or (model[near] <= 0).any():
            reason = f"median S/N there below {LEAST_SNR_OF_TROUGHS:g}"
            return {name: Quantity(None, None, "km/s", reason) for name in names}
        return {
            names[0]: trough_index(
                target, model, velocity, BAL_VELOCITIES, BAL_WIDTH, counted_from_start=False
            ),
            names[1]: trough_index(target, model, velocity, AI_VELOCITIES, AI_WIDTH, counted_from_start=True),
        }


def _velocity(ratio: Floats) -> Floats:
    """Return the velocity in km/s of a ratio of wavelengths, positive away, as special relativity has it."""
    square = ratio**2
    return np.asarray(LIGHT_KM_S * (square - 1) / (square + 1))


def trough_index(
    target: Target,
    model: Floats,
    velocity: Floats,
    limits: tuple[float, float],
    width: float,
    counted_from_start: bool,
) -> Quantity:
    """Return the integral of 1 - f / 0.9 over troughs that last longer than a width, in km/s.

    Parameters
    ----------
    velocity
        Of each pixel shortward of the line, km/s.
    counted_from_start
        Whether a trough that is wide enough counts as a whole (absorption index), or only what lies beyond
        the width (BALnicity).
    """
    box = np.ones(TROUGH_BOX)
    count = np.maximum(np.convolve(target.used, box, "same"), 1)
    ratio = np.where(target.used, target.flux, 0.0) / np.where(model > 0, model, 1.0)
    smooth = np.convolve(ratio, box, "same") / count
    pixels = np.flatnonzero((velocity >= limits[0]) & (velocity <= limits[1]) & target.used)[::-1]
    v = velocity[pixels]
    step = np.abs(np.gradient(v))
    depth = 1 - smooth[pixels] / BAL_BELOW
    counts = _lasting(depth > 0, step, width, counted_from_start)
    value = float((depth * step)[counts].sum())
    noise = step / BAL_BELOW / (model[pixels] * np.sqrt(target.ivar[pixels]))
    return Quantity(value, float(np.sqrt((noise[counts] ** 2).sum())), "km/s")


def _lasting(
    below: NDArray[np.bool_], step: Floats, width: float, counted_from_start: bool
) -> NDArray[np.bool_]:
    """Mark runs of pixels that last longer than a width in km/s, whole or what lies beyond it."""
    counts = np.zeros(below.size, bool)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], below.astype(int), [0]])))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        lasted = np.cumsum(step[first:last])
        if lasted[-1] > width:
            counts[first:last] = True if counted_from_start else lasted > width
    return counts


def _mass(estimator: Estimator, width: Quantity, light: Quantity) -> Quantity:
    """Return log10 of a single-epoch mass; its error is not the method's, 0.3 to 0.5 dex."""
    unit = "log10(solMass)"
    if width.value is None or light.value is None or width.error is None or light.error is None:
        return Quantity(None, None, unit, width.reason or light.reason)
    value = (
        estimator.zero
        + estimator.slope_width * math.log10(width.value / 1000)
        + estimator.slope_luminosity * (light.value - math.log10(estimator.unit))
    )
    by_width = estimator.slope_width * width.error / width.value / math.log(10)
    return Quantity(value, math.hypot(by_width, estimator.slope_luminosity * light.error), unit)
