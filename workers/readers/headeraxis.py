"""Where the pixels of an image lie, by its header: linear or logarithmic, as FITS, IRAF and SDSS write it.

Source: Greisen et al. 2006, A&A 446, 747 (FITS, paper III); IRAF's help page "specwcs".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.format import Assumed, Note
from spectraq.workers.readers.keywords import number, text
from spectraq.workers.readers.units import angstrom, is_spectral, unit_of

NO_AXIS = (
    "nothing in the file gives wavelengths: no column of them, and no axis in the header"
    " (CRVAL1 and CDELT1, or COEFF0 and COEFF1)"
)
_NOT_LIGHT = re.compile(r"PIX|CHANNEL|INDEX|RA--|DEC-|GLON|GLAT|VELO|VRAD|VOPT|TIME")
LOWEST_WITHOUT_UNIT = 500.0
"""An axis without a unit that begins below counts pixels, or is in another unit."""
LN_RANGE = (6.9, 10.4)
"""Natural logarithms of 1,000 and 33,000 angstrom."""
LOG_START, LOG_STEP = (3.0, 4.6), 0.01
"""An axis without a unit that begins and steps so is one of log10(angstrom)."""


def has_axis(header: Mapping[str, Any]) -> bool:
    """Whether a header (lower-case keywords) says where the pixels lie, and not as mere pixel numbers."""
    if number(header.get("coeff0")) is not None and number(header.get("coeff1")) is not None:
        return True
    start, step = number(header.get("crval1")), _step(header)
    if start is None or not step or _NOT_LIGHT.search(_ctype(header)):
        return False
    counts = step == 1.0 and start in (0.0, 1.0)
    return not (counts and written_unit(header) is None)


def wavelengths(header: Mapping[str, Any], n: int, assumed: Assumed, note: Note) -> NDArray[np.float64]:
    """Return the wavelengths of n pixels in angstrom, shape (n,).

    Raises
    ------
    ReadError
        Where the header holds no axis, or one that is not understood.
    """
    if not has_axis(header):
        raise ReadError(NO_AXIS)
    index = np.arange(n, dtype=np.float64)
    start, step = number(header.get("coeff0")), number(header.get("coeff1"))
    if start is not None and step is not None:
        return np.asarray(10.0 ** (start + step * index))
    start, step, reference = number(header["crval1"]), _step(header), number(header.get("crpix1"))
    if reference is None and header.get("crpix1") is not None:
        raise ReadError(f"the keyword CRPIX1 is {header['crpix1']!r}, and no number: the axis has no place")
    if reference is None:
        note("the header has no CRPIX1: CRVAL1 taken as of the first pixel")
    assert start is not None
    assert step is not None
    offset = (index + 1.0 - (1.0 if reference is None else reference)) * step
    if _is_log10(header, start, step):
        unit = unit_of(written_unit(header))
        if start < LOG_START[0] and unit is not None and is_spectral(unit):
            return angstrom(10.0 ** (start + offset), unit)  # of nm or um: of angstrom it would be no light
        return np.asarray(10.0 ** (start + offset))
    if abs(step) < LOG_STEP and unit_of(written_unit(header)) is None and is_natural(start + offset):
        note("the axis is of light only as a natural logarithm: taken so")
        return np.asarray(np.exp(start + offset), np.float64)
    if "LOG" in _ctype(header):  # of the natural logarithm, by FITS' paper III
        return _in_angstrom(start * np.exp(offset / start), header, assumed, note)
    return _in_angstrom(start + offset, header, assumed, note)


def is_natural(values: NDArray[np.float64]) -> bool:
    """Return whether logarithms of wavelengths in angstrom, shape (n,), must be natural ones."""
    there = values[np.isfinite(values)]
    return bool(there.size and LN_RANGE[0] <= there.min() and there.max() <= LN_RANGE[1])


def written_unit(header: Mapping[str, Any]) -> str | None:
    """Return the axis's unit as the header writes it, by FITS or by IRAF."""
    said = text(header.get("cunit1"))
    if said is None:
        match = re.search(r"units\s*=\s*(\"[^\"]*\"|\S+)", attributes(header, 1))
        said = match[1].strip('"') if match else None
    return said


def attributes(header: Mapping[str, Any], axis: int) -> str:
    """Return IRAF's attributes of an axis, WATj_001, WATj_002, ..., as one text.

    Each card holds 68 characters; blanks at its end belong to the text, and FITS drops them.
    """
    keys = sorted(key for key in header if re.fullmatch(rf"wat{axis}_\d+", key))
    parts = [str(header[key]) for key in keys]
    return "".join([*(part.ljust(68) for part in parts[:-1]), *parts[-1:]])


def medium(header: Mapping[str, Any]) -> str | None:
    """Return what a header says the wavelengths are measured in: "vacuum", "air", or None."""
    for key in ("vacuum", "airorvac", "medium", "wavelength_medium", "wave_medium", "air"):
        said = str(header.get(key, "")).strip().lower()
        if said in ("true", "t", "1", "false", "f", "0") and key in ("vacuum", "air"):
            return {"vacuum": "air", "air": "vacuum"}[key] if said in ("false", "f", "0") else key
        if said[:3] in ("vac", "air"):
            return {"vac": "vacuum", "air": "air"}[said[:3]]
    return {"WAVE": "vacuum", "AWAV": "air"}.get(_ctype(header).split("-")[0].strip())


def chosen_medium(said: str | None, assumed: Assumed, note: Note) -> str:
    """Return the medium that the file says, else the user, else vacuum; and say which was assumed."""
    if said is None and assumed.medium is None:
        note("the file does not say vacuum or air: wavelengths taken as in vacuum (else give --air)")
    elif said and assumed.medium and said != assumed.medium:
        note(f"the file says its wavelengths are in {said}: --{assumed.medium} is not followed")
    return said or assumed.medium or "vacuum"


def _step(header: Mapping[str, Any]) -> float | None:
    return number(header.get("cd1_1")) or number(header.get("cdelt1"))


def _ctype(header: Mapping[str, Any]) -> str:
    return str(header.get("ctype1") or "").strip().upper()


def _is_log10(header: Mapping[str, Any], start: float, step: float) -> bool:
    small = LOG_START[0] <= start <= LOG_START[1] and abs(step) < LOG_STEP
    flagged = number(header.get("dc-flag")) == 1
    named = "LOG" in _ctype(header) or "log" in (written_unit(header) or "").lower()
    if flagged and start > LOG_START[1] * 2:
        raise ReadError(f"DC-FLAG is 1, and CRVAL1 is {start:g}, which is no log10 of a wavelength")
    # 3 to 4.6 angstrom are no light, whatever the header forgot to say; micrometres they may be.
    unit = unit_of(written_unit(header))
    linear = number(header.get("dc-flag")) == 0 or unit not in (None, unit_of("angstrom"))
    return flagged or (small and (named or not linear))


def _in_angstrom(
    values: NDArray[np.float64], header: Mapping[str, Any], assumed: Assumed, note: Note
) -> NDArray[np.float64]:
    written = written_unit(header)
    unit = unit_of(written) or unit_of(assumed.wavelength_unit)
    if written and unit is None:
        raise ReadError(
            f"wavelengths have the unit {written}, which is not understood; give --wavelength-unit"
        )
    if unit is not None:
        return angstrom(values, unit)
    if min(values[0], values[-1]) < LOWEST_WITHOUT_UNIT:
        raise ReadError(
            f"the axis runs from {values[0]:g} to {values[-1]:g} and has no unit: those can't be angstrom;"
            " give --wavelength-unit"
        )
    note("wavelengths have no unit in the file: taken as angstrom (else give --wavelength-unit)")
    return values
