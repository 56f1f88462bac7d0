"""Noise beside flux: which array it is, and what brings it to the unit that goes with flux's."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.keywords import text
from spectraq.workers.readers.raw import ivar_of
from spectraq.workers.readers.units import u, unit_of

WORDS = {
    1: ("ivar", "invvar"),
    -2: ("err", "error", "sig", "sigma", "std", "unc"),
    -1: ("var", "variance"),
}
"""What the noise of an array is called beside its name, by the power that makes ivar of it."""


def column(columns: Columns, flux: str) -> tuple[str, int] | None:
    """Return the column of noise, one that is named after flux first, and the power that makes ivar of it."""
    for power, words in WORDS.items():
        ways = (f"{flux}_{{}}", f"{{}}_{flux}", f"{flux}{{}}", f"{{}}{flux}")
        named = [way.format(word) for word in words for way in ways]
        if power == -2:
            named += [f"e_{flux}", f"e{flux}"]  # not behind it: flux_e may be a flux of its own
        name = columns.first(tuple(named))
        if name is not None:
            return name, power
    for choices, power in names.NOISE:
        name = columns.first(choices)
        if name is not None:
            return name, power
    return None


def ivar(name: str, values: NDArray[np.float64], power: int, note: Note) -> NDArray[np.float64] | None:
    """Return ivar of noise in the unit of flux, shape (n,); None where errors say that none is known.

    An error of zero or none in every pixel stands for an unknown one, as in zCOSMOS; an ivar of
    zero says that a pixel must not be used.
    """
    if power != 1 and not (np.isfinite(values) & (values != 0)).any():
        note(f"{name} is zero in every pixel, as where no noise is known: estimated from the flux")
        return None
    return ivar_of(values, power)


def is_percent(written: Any, power: int) -> bool:
    """Return whether the unit of errors, as the file has it, is per cent of flux."""
    unit = unit_of(written)
    return bool(power == -2 and unit is not None and unit == u.percent)


def scale(name: str, written: Any, power: int, flux_unit: Any, note: Note) -> float:
    """Return what noise is multiplied with to be in the unit that goes with flux's.

    Parameters
    ----------
    name
        Of the array of noise.
    written
        Its unit, as the file has it; where it has none, or none that is understood, it is flux's.
    power
        Of its values, which makes inverse variance of them: 1, -2 or -1.
    flux_unit
        Of flux, as the file has it.
    note
        Takes what had to be assumed.

    Raises
    ------
    ReadError
        Where its unit is another kind than flux's.
    """
    unit, flux = unit_of(written), unit_of(flux_unit)
    if unit is None or flux is None:
        if text(written) and text(written) != text(flux_unit):
            note(f"{name} has the unit {written}, beside flux in {flux_unit}: taken as of flux's")
        return 1.0
    if unit.is_equivalent(""):
        return 1.0
    wanted = {1: flux**-2, -2: flux, -1: flux**2}[power]
    try:
        return float(unit.to(wanted))
    except u.UnitConversionError as error:
        if power != -2 and unit.is_equivalent(flux):
            other = -2 if power == 1 else 2
            note(f"{name} is given in the unit of flux: taken as of its power {other}")
            return float(unit.to(flux)) ** other
        raise ReadError(
            f"{name} has the unit {written}, which does not go with flux in {flux_unit}"
        ) from error
