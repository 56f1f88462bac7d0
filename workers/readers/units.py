"""Units of wavelength and flux as files write them, and their way to angstrom and to 1e-17 erg/s/cm2/A."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.quiet import quiet

FLUX_UNIT = "10**-17 Angstrom-1 cm-2 erg s-1"
"""What flux is converted to, as the FITS standard writes it: float32 holds its ivar without overflow."""

FLUX_UNIT_CGS = 9.999999999999999e-18
"""`FLUX_UNIT` in erg/s/cm^2/angstrom, to the digit that astropy makes of it."""


class _Units:
    """astropy.units, which take half a second to load: many files have no unit that must be looked at."""

    def __getattr__(self, name: str) -> Any:
        from astropy import units

        return getattr(units, name)


u: Any = _Units()
"""Short, as in astropy's own documentation."""

_SPELLINGS = (
    (r"(?i)^\s*flux\s*[\[(](.+)[\])]\s*$", r"\1"),
    (r"(?i)^\s*flam\s*$", "erg/s/cm2/Angstrom"),
    (r"(?i)^\s*fnu\s*$", "erg/s/cm2/Hz"),
    (r"(?i)\b[aå]ngstr(?:o|ö|oe)ms?\b|\bang\b|Å|\bA\b", "Angstrom"),
    (r"\b([mun]?)jy\b", r"\1Jy"),
    (r"(?i)\bmicro-?(?:jy|janskys?)\b", "uJy"),
    (r"(?i)^\s*[x*]\s*(?=10)", ""),
    (r"(?i)\bmicrons?\b|\bmicrometers?\b|µm|μm", "um"),
    (r"(?i)\bnanometers?\b|\bNM\b", "nm"),
    (r"(?i)\bergs\b", "erg"),
    (r"(?i)\bsec\b", "s"),
    (r"(?i)\bcounts?\b", "ct"),
    (r"\b(?:ADU|Adu|DN)\b", "adu"),
    (r"(?i)\belectrons\b", "electron"),
    (r"(?i)^\s*1e([+-]?\d+)", r"10**\1 "),
)

_LOGARITHM = re.compile(r"\s*(?:log(?:_?10)?|dex)\s*[\s(\[]\s*([^()\[\]]+?)\s*[)\]]?\s*", re.I)
LONGEST_TEXT = 200
_LONG_INTEGER = re.compile(r"(?<![.\d])\d{6,}")
"""Astropy computes `10**76030431004` to the last digit, which takes for ever."""
_ENDLESS = re.compile(
    rb"""(?i)\bunit["']?\s*[:=]\s*["']?([^"'\n,}]{0,200}?(?<![.\d])\d{6,}[^"'\n,}]{0,50})"""
)


def check_units_end(content: Any) -> None:
    """Refuse the bytes of a file whose units astropy reads by itself, where that would take for ever.

    Raises
    ------
    ReadError
        Where a unit has a number of so many digits.
    """
    if endless := _ENDLESS.search(content):
        said = endless[1].decode(errors="replace").strip()
        raise ReadError(f"the unit {said!r} has a number of too many digits to be one; write it as 1e-17")


def unit_of(text: Any) -> Any:
    """Read a unit as files write it; None where it is empty or not understood.

    Examples
    --------
    >>> unit_of("1E-17 erg/cm^2/s/Ang").is_equivalent("W / m3")
    True
    """
    if not isinstance(text, str | bytes):
        return text if _sized(text) else None
    written = str(text).strip()
    return _parsed(written) if written else None


@lru_cache(maxsize=256)
def _parsed(written: str) -> Any:
    if len(written) > LONGEST_TEXT or _LONG_INTEGER.search(written):
        return None
    for pattern, name in _SPELLINGS:
        written = re.sub(pattern, name, written)
    with quiet():
        unit = u.Unit(written, parse_strict="silent")
        return unit if _sized(unit) else None


def _sized(unit: Any) -> bool:
    """Whether this is a unit of one quantity with a size that numbers hold, or a logarithm of one."""
    if isinstance(unit, u.function.FunctionUnitBase):
        return True
    if isinstance(unit, u.UnrecognizedUnit) or not isinstance(unit, u.UnitBase):
        return False
    try:
        scale = unit.decompose().scale
    except (ArithmeticError, TypeError, ValueError):
        return False
    return isinstance(scale, int | float) and 0 < abs(scale) < np.inf


def angstrom(wavelength: NDArray[np.float64], unit: Any) -> NDArray[np.float64]:
    """Convert wavelengths (or frequencies, or energies) of a known unit to angstrom.

    Raises
    ------
    ReadError
        Where the unit is no spectral one.
    """
    try:
        return np.asarray((wavelength * unit).to_value(u.AA, equivalencies=u.spectral()), dtype=np.float64)
    except u.UnitConversionError as error:
        raise ReadError(
            f"{unit} is no unit of wavelength; say --wavelength-unit angstrom, nm or um"
        ) from error


def within_logarithm(written: Any) -> Any:
    """Return the unit within a decimal logarithm as files write it, `log10(Angstrom)`; None for no such one.

    Examples
    --------
    >>> within_logarithm("log10(nm)") == u.nm, within_logarithm("nm") is None
    (True, True)
    """
    match = _LOGARITHM.fullmatch(str(written or ""))
    return unit_of(match[1]) if match else None


def is_spectral(unit: Any) -> bool:
    """Whether a unit is one of wavelength, frequency, wave number or energy."""
    return unit is not None and unit.is_equivalent(u.AA, equivalencies=u.spectral())


def flux_factor(unit: Any, wavelength: NDArray[np.float64]) -> tuple[Any, str]:
    """Return what flux of this unit is multiplied with, and the unit it then has.

    Parameters
    ----------
    unit
        As `unit_of` gives it.
    wavelength
        Of each pixel, in angstrom, shape (n,); flux per frequency needs it.

    Returns
    -------
    factor
        A number, or one a pixel.
    flux_unit
        `FLUX_UNIT`; where the unit is none of flux (counts) as it was, empty where there is none.

    Raises
    ------
    ReadError
        Where the unit is one of magnitudes or another logarithm, or a multiple of no size.
    """
    if _logarithmic(unit):
        raise ReadError(f"flux in {unit} is a logarithm; convert it to flux per angstrom or per hertz")
    if unit is not None and unit.decompose().scale < 0:
        raise ReadError(f"the unit of flux, {unit}, is negative")
    factor, flux_unit = _linear_factor(unit, wavelength)
    if not (np.isfinite(factor) & (np.asarray(factor) > 0)).all():
        raise ReadError(f"the unit of flux, {unit}, is too large or too small")
    return factor, flux_unit


def _linear_factor(unit: Any, wavelength: NDArray[np.float64]) -> tuple[Any, str]:
    if unit is None or unit == u.dimensionless_unscaled:
        return 1.0, ""
    per_wavelength = 1e-17 * u.erg / u.s / u.cm**2 / u.AA
    if unit.is_equivalent(per_wavelength):
        factor = float(unit.to(per_wavelength))
        return (1.0 if abs(factor - 1.0) < 1e-12 else factor), FLUX_UNIT
    if unit.is_equivalent(u.erg / u.s / u.cm**2 / u.Hz) or unit.is_equivalent(
        u.photon / u.s / u.cm**2 / u.AA
    ):
        return (1.0 * unit).to_value(
            per_wavelength, equivalencies=u.spectral_density(wavelength * u.AA)
        ), FLUX_UNIT
    return 1.0, unit.to_string("fits") if _standard(unit) else str(unit)


@lru_cache(maxsize=256)
def flux_cgs(flux_unit: str) -> float | None:
    """Return what one unit of flux is in erg/s/cm^2/angstrom; None where it is none of flux per wavelength.

    Examples
    --------
    >>> round(flux_cgs("W/m2/nm"))
    100
    """
    if flux_unit == FLUX_UNIT:
        return FLUX_UNIT_CGS
    unit = unit_of(flux_unit)
    if unit is None or _logarithmic(unit):
        return None
    cgs = u.erg / u.s / u.cm**2 / u.AA
    if not unit.is_equivalent(cgs):
        return None
    factor = float(unit.to(cgs))
    return factor if 0 < factor < np.inf else None


def _logarithmic(unit: Any) -> bool:
    return isinstance(unit, u.function.FunctionUnitBase) or unit in (u.mag, u.dex, u.dB)


def _standard(unit: Any) -> bool:
    try:
        with quiet():
            unit.to_string("fits")
    except (ValueError, u.UnitScaleError):
        return False
    return True
