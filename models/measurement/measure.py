"""The door: a spectrum at its decided class and redshift in, its measurement out."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from spectraq.models.answer import MeasuredLine, Measurement, Quantity
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.measurement.damped_absorbers import damped_absorber
from spectraq.models.measurement.fitting_functions import FittingFunctions
from spectraq.models.measurement.galaxies import bpt, reddening, velocity_dispersion
from spectraq.models.measurement.indices import Stars, indices
from spectraq.models.measurement.line_records import MeasuredLines
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.quantities import NOISE_RCHI2, QUANTITIES, goodness
from spectraq.models.measurement.quasars import Quasar
from spectraq.models.measurement.rotation import v_sin_i
from spectraq.models.measurement.solutions import galaxy_solution, quasar_solution
from spectraq.models.measurement.stellar_parameters import stellar_parameters
from spectraq.models.measurement.target import Target

NO_FIT = "the star's best fit was not given"
UNSOLVED = "the fit gives no finite number"
TOO_SHORT = "too few pixels where the continuum's templates reach"


def measure(
    target: Target,
    zerr: float,
    flux_cgs: float | None,
    populations: Populations,
    subtype: str | None = None,
    functions: FittingFunctions | None = None,
) -> Measurement:
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
    subtype
        Of a star: its type as decided, one of `classes.STAR_TYPES`.
    functions
        What says a star's parameters by its indices; None where the weights have none.
    """
    try:
        # What overflows becomes no finite number, and that is said below.
        with np.errstate(all="ignore"):
            if target.spectype == "STAR":
                return _finite(_star(target, zerr, subtype, functions))
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
    strength = line.flux, line.flux_error, line.upper_limit, line.ew, line.ew_error
    values = (*strength, line.sigma, line.sigma_error, line.offset, line.offset_error)
    if all(value is None or math.isfinite(value) for value in values):
        return line
    return MeasuredLine(line.name, line.component, line.wavelength, reason=UNSOLVED)


def _star(
    target: Target, zerr: float, subtype: str | None, functions: FittingFunctions | None
) -> Measurement:
    quantities = {
        **_of_best_fit(target),
        "radial_velocity": Quantity(LIGHT_KM_S * target.z, LIGHT_KM_S * zerr, "km/s"),
        **stellar_parameters(target, subtype, functions),
        **v_sin_i(target, subtype),
    }
    return Measurement("STAR", target.z, (), quantities)


def _of_best_fit(target: Target) -> dict[str, Quantity]:
    """Return how well a star's eigenspectra follow it."""
    if target.best_fit is None:
        return {NOISE_RCHI2: Quantity(None, None, "", NO_FIT)}
    off = np.where(target.used, target.flux - target.best_fit, 0.0)
    return goodness(float(target.ivar @ off**2), int(target.used.sum()) - target.n_fitted)


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
    quantities |= {"ebv_balmer": reddening(lines)} | shares | lines.goodness
    return Measurement("GALAXY", target.z, lines.records(), quantities, kind)


def _quasar(target: Target, flux_cgs: float | None, populations: Populations) -> Measurement:
    solution = quasar_solution(target, populations)
    if solution is None:
        return _nothing(target)
    lines = MeasuredLines(solution.fit, solution.base, solution.target)
    quantities = Quasar(lines, solution.continuum, solution.whole, flux_cgs).quantities()
    quantities |= damped_absorber(target, bool(quantities["balnicity"].value)) | lines.goodness
    return Measurement("QSO", target.z, lines.records(), quantities)


def _nothing(target: Target, reason: str = TOO_SHORT) -> Measurement:
    """Return a measurement of nothing, with the reason."""
    listed = QUANTITIES[target.spectype]
    unknown = {name: Quantity(None, None, unit, reason) for name, (unit, _) in listed.items()}
    return Measurement(target.spectype, target.z, (), unknown)
