"""From arrays and header values to a `Spectrum`, with errors that name the file and the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from schemas.spectrum import Spectrum
from workers.errors import ReadError

Medium = Literal["vacuum", "air"]


@dataclass(frozen=True)
class Declared:
    """What the user says about files that do not say it themselves."""

    medium: Medium | None = None
    wavelength_unit: str | None = None


def spectrum(file: str, row: int, **fields: Any) -> Spectrum | ReadError:
    """Build a spectrum, or say in one line why these fields are none."""
    try:
        return Spectrum(source_file=file, source_row=row, **fields)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        return ReadError(f"{where + ': ' if where else ''}{first['msg']}", file=file, row=row)


def native(values: Any, dtype: type[np.generic] = np.float32) -> NDArray[Any]:
    """Copy an array of a file into memory in this machine's byte order, masked elements as NaN, one row."""
    if isinstance(values, np.ma.MaskedArray):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(np.asarray(values).reshape(-1), dtype)


def ivar_from_error(error: NDArray[Any]) -> NDArray[np.float32]:
    """Turn one-sigma errors into inverse variances, zero where the error is no positive number."""
    sigma = native(error, np.float64)
    usable = np.isfinite(sigma) & (sigma > 0)
    with np.errstate(over="ignore"):
        return np.where(usable, 1 / np.where(usable, sigma, 1.0) ** 2, 0.0).astype(np.float32)


def log_grid(loglam: NDArray[np.float64]) -> dict[str, Any]:
    """Describe sampling as `loglam0` and `dloglam` where it is regular in log10, else pixel by pixel.

    Surveys store log10(wavelength) in single precision: a grid within its rounding is taken as regular, which
    loses nothing and gives the start back to the digit that was lost.
    """
    n = loglam.size
    if n > 2:
        step = round((float(loglam[-1]) - float(loglam[0])) / (n - 1), 8)
        start = float(np.median(loglam - step * np.arange(n)))
        if step > 0 and np.abs(loglam - start - step * np.arange(n)).max() < 0.02 * step:
            return {"loglam0": round(start, 7), "dloglam": step}
    return {"wavelength": 10.0**loglam}


def position(values: dict[str, Any]) -> dict[str, float]:
    """Pick position and date from a header or row under the surveys' names, leaving out what is not there."""
    names = {
        "ra": ("PLUG_RA", "TARGET_RA", "RA_OBJ", "OBJ_RA", "RA"),
        "dec": ("PLUG_DEC", "TARGET_DEC", "DEC_OBJ", "OBJ_DEC", "DEC"),
        "mjd": ("MJD", "MEAN_MJD"),
    }
    found = {}
    for field, keys in names.items():
        for key in keys:
            value = values.get(key)
            if isinstance(value, int | float | np.number) and np.isfinite(value):
                found[field] = float(value)
                break
    return found
