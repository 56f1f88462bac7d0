"""The door: a spectrum at its decided class and redshift in, its measurement out."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import numpy as np

from spectraq.models.answer import MeasuredLine, Measurement, Quantity
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.measurement.damped_absorbers import damped_absorber
from spectraq.models.measurement.galaxies import bpt, reddening, velocity_dispersion
from spectraq.models.measurement.indices import Stars, indices
from spectraq.models.measurement.line_records import MeasuredLines
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.models.measurement.quasars import Quasar
from spectraq.models.measurement.solutions import galaxy_solution, quasar_solution
from spectraq.models.measurement.target import Target

NO_PARAMETERS = "no method that is calibrated without labelled spectra measures it"
UNSOLVED = "the fit gives no finite number"
TOO_SHORT = "too few pixels where the continuum's templates reach"


def measure(target: Target, zerr: float, flux_cgs: float | None, populations: Populations) -> Measurement:
    """Return what a spectrum says of its object.

    Parameters
    ----------
    target
        With the decided class and redshift.
    zerr
        One standard deviation of the redshift.
    flux_cgs
        What one unit of flux is in erg/s/cm^2/angstrom; None where that is not known.
    populations
        Stellar populations without lines.
    """
    if target.spectype == "STAR":
        return Measurement("STAR", target.z, (), _star(target.z, zerr))
    try:
        # What overflows becomes no finite number, and that is said below.
        with np.errstate(all="ignore"):
            galaxy = target.spectype == "GALAXY"
            found = _galaxy(target, populations) if galaxy else _quasar(target, flux_cgs, populations)
    except np.linalg.LinAlgError:
        return _nothing(target, UNSOLVED)
    return _finite(found)


def _finite(measurement: Measurement) -> Measurement:
    """Return the measurement with nulls, and a reason, for what is no finite number."""
    return replace(
        measurement,
        lines=tuple(_finite_line(line) for line in measurement.lines),
        quantities={
            name: quantity
            if all(value is None or math.isfinite(value) for value in (quantity.value, quantity.error))
            else Quantity(None, None, quantity.unit, UNSOLVED)
            for name, quantity in measurement.quantities.items()
        },
    )


def _finite_line(line: MeasuredLine) -> MeasuredLine:
    values = (getattr(line, field.name) for field in fields(line))
    numbers = [value for value in values if isinstance(value, float)]
    if all(map(math.isfinite, numbers)):
        return line
    return MeasuredLine(line.name, line.component, line.wavelength, reason=UNSOLVED)


def _star(z: float, zerr: float) -> dict[str, Quantity]:
    velocity = Quantity(LIGHT_KM_S * z, LIGHT_KM_S * zerr, "km/s")
    listed = QUANTITIES["STAR"]
    unknown = {name: Quantity(None, None, unit, NO_PARAMETERS) for name, (unit, _) in listed.items()}
    return unknown | {"radial_velocity": velocity}


def _median_snr(target: Target) -> float:
    used = target.used
    return float(np.median(np.abs(target.flux[used]) * np.sqrt(target.ivar[used]))) if used.any() else 0.0


def _galaxy(target: Target, populations: Populations) -> Measurement:
    snr = _median_snr(target)
    solution = galaxy_solution(target, populations, snr)
    if solution is None:
        return _nothing(target)
    lines = MeasuredLines(solution.fit, solution.base, solution.target)
    kind, shares = bpt(lines)
    stars = Stars.of(solution.target, solution.fit.emission, lines.continuum, lines.inflation)
    quantities = indices(stars) | {"velocity_dispersion": velocity_dispersion(solution.continuum, snr)}
    quantities |= {"ebv_balmer": reddening(lines)} | shares
    return Measurement("GALAXY", target.z, lines.records(), quantities, kind)


def _quasar(target: Target, flux_cgs: float | None, populations: Populations) -> Measurement:
    solution = quasar_solution(target, populations)
    if solution is None:
        return _nothing(target)
    lines = MeasuredLines(solution.fit, solution.base, solution.target)
    quantities = Quasar(lines, solution.continuum, solution.whole, flux_cgs).quantities()
    quantities |= damped_absorber(target, bool(quantities["balnicity"].value))
    return Measurement("QSO", target.z, lines.records(), quantities)


def _nothing(target: Target, reason: str = TOO_SHORT) -> Measurement:
    """Return a measurement of nothing, with the reason."""
    listed = QUANTITIES[target.spectype]
    unknown = {name: Quantity(None, None, unit, reason) for name, (unit, _) in listed.items()}
    return Measurement(target.spectype, target.z, (), unknown)
