"""Effective temperature, surface gravity and metallicity of a star, or why they are not known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectraq.models.answer import Quantity
from spectraq.models.measurement.fitting_functions import UNIT, FittingFunctions, Parameters
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.models.measurement.stellar_indices import stellar_indices
from spectraq.models.measurement.target import Target

NAMES = ("teff", "log_g", "fe_h")
TYPES = ("A", "F", "G", "K")
TEFF_RANGE = (4000.0, 7500.0)
"""Cooler, calibrators scatter by 0.6 in log g; hotter, by 400 K and 0.5 in [Fe/H]."""
LEAST_SNR = 5.0
LEAST_INDICES = 25
"""Of 53: with fewer, what kind of star it is rests on a line or two."""
MOST_RCHI2 = 6.0
"""Of the indices: 19 of 20 calibrators are below it."""
NEIGHBOURS, FARTHEST = 3, 0.6
"""So many calibrators must be within this distance, in units of UNIT: 440 K with all else the same."""
LARGEST_ERROR = {"teff": 0.06, "log_g": 0.8, "fe_h": 0.5}
"""Relative of the temperature, dex of the others: beyond, a value says hardly more than the type does."""
NOT_CALIBRATED = "the weights hold no calibration of stellar parameters"
OUT_OF_RANGE = f"not between {TEFF_RANGE[0]:g} and {TEFF_RANGE[1]:g} K"
ODD = "its lines are those of no star that the calibration knows"
NO_NEIGHBOURS = "no calibrator has parameters like these"
TOO_UNSURE = "not measured better than its type tells"
Floats = NDArray[np.float64]


def stellar_parameters(
    target: Target, subtype: str | None, functions: FittingFunctions | None
) -> dict[str, Quantity]:
    """Return the three parameters, each null with its reason where the spectrum does not hold it.

    Parameters
    ----------
    target
        A star.
    subtype
        Its type as decided, one of `classes.STAR_TYPES`.
    functions
        None where the weights have none.
    """
    if functions is None:
        return _nothing(NOT_CALIBRATED)
    if subtype not in TYPES:
        return _nothing(f"the calibration has no stars of type {subtype or 'unknown'}")
    if _median_snr(target) < LEAST_SNR:
        return _nothing(f"median S/N below {LEAST_SNR:g}")
    indices = stellar_indices(target)
    if np.isfinite(indices.value).sum() < LEAST_INDICES:
        return _nothing(f"less than {LEAST_INDICES} of its {indices.value.size} indices are covered")
    parameters = functions.solve(indices.value, indices.covariance)
    reason = _beyond(parameters, functions.calibrators)
    return _nothing(reason) if reason else _reported(parameters)


def _median_snr(target: Target) -> float:
    used = target.used
    return float(np.median(np.abs(target.flux[used]) * np.sqrt(target.ivar[used]))) if used.any() else 0.0


def _beyond(parameters: Parameters, calibrators: Floats) -> str | None:
    """Return why parameters are not what the calibration can say, if so."""
    if parameters.rchi2 > MOST_RCHI2:
        return ODD
    if not TEFF_RANGE[0] < 10 ** parameters.value[0] < TEFF_RANGE[1]:
        return OUT_OF_RANGE
    distance = (((parameters.value - calibrators) / UNIT) ** 2).sum(1)
    return NO_NEIGHBOURS if np.partition(distance, NEIGHBOURS - 1)[NEIGHBOURS - 1] > FARTHEST**2 else None


def _reported(parameters: Parameters) -> dict[str, Quantity]:
    (log_teff, *others), (error, *other_errors) = parameters.value, parameters.error
    teff, relative = 10**log_teff, error * np.log(10)
    known = {"teff": (teff, teff * relative, relative)} | {
        name: (value, error, error)
        for name, value, error in zip(NAMES[1:], others, other_errors, strict=True)
    }
    return {
        name: Quantity(float(value), float(error), _unit(name))
        if size < LARGEST_ERROR[name]
        else Quantity(None, None, _unit(name), TOO_UNSURE)
        for name, (value, error, size) in known.items()
    }


def _nothing(reason: str) -> dict[str, Quantity]:
    return {name: Quantity(None, None, _unit(name), reason) for name in NAMES}


def _unit(name: str) -> str:
    return QUANTITIES["STAR"][name][0]
