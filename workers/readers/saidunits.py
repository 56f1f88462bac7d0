"""Units that columns say of themselves: those that nothing understands, and the noise's beside the flux's."""

from __future__ import annotations

from typing import Any

from astropy.units import UnitConversionError

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.keywords import text
from spectraq.workers.readers.units import unit_of


def not_understood(columns: Columns, name: str | None) -> str | None:
    """Return what stands as a column's unit, where no unit can be made of it; else None."""
    written = text(columns.units.get(name or ""))
    return written if written and unit_of(columns.units[name or ""]) is None else None


def check_wavelength_unit(columns: Columns, assumed: str | None) -> None:
    """Refuse wavelengths in a unit that is not understood, unless the user says which it is.

    Raises
    ------
    ReadError
        Naming the column and what stands as its unit.
    """
    name = columns.wavelength
    written = not_understood(columns, name)
    if written and not assumed:
        raise ReadError(f"the unit of {name}, {written!r}, is not understood; say --wavelength-unit")


def noise_factor(columns: Columns, name: str, power: int) -> float:
    """Return what brings inverse variance of this column to the flux's own unit.

    Parameters
    ----------
    name
        Of the column of noise.
    power
        Of its values, which makes inverse variance of them: 1, -2 or -1.

    Raises
    ------
    ReadError
        Where its unit is another kind than the flux's.
    """
    flux, noise = columns.flux_unit(), unit_of(columns.units.get(name))
    if flux is None or noise is None or noise.is_equivalent("") or noise == flux:
        return 1.0  # many files give all columns the flux's unit, ivar and variance too
    wanted: Any = flux ** (-2 / power)
    try:
        return float(noise.to(wanted)) ** power
    except UnitConversionError as error:
        raise ReadError(
            f"the unit of {name}, {noise}, does not go with that of the flux, {flux}; mend one of them"
        ) from error
