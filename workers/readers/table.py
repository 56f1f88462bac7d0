"""Plain tables: FITS, ECSV, CSV and NPZ with columns of wavelength, flux, and ivar or error.

One spectrum of n pixels is a column each; many spectra are columns or arrays of two dimensions, a row each.
Units and medium are taken from the columns' units and the table's metadata, else from what the user declares,
else assumed (vacuum, angstrom) and said on stderr.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import structlog
from astropy import units
from astropy.table import Table
from numpy.typing import NDArray

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers.record import Declared, ivar_from_error, native, spectrum

WAVELENGTH = ("wavelength", "wave", "lambda", "lam", "wavelength_vac", "wavelength_air", "wl")
LOGLAM = ("loglam", "loglambda", "log_wavelength", "logwave")
FLUX = ("flux", "flux_density", "f_lambda", "flam", "spec", "spectrum")
IVAR = ("ivar", "inverse_variance", "invvar", "flux_ivar")
ERROR = ("error", "err", "sigma", "uncertainty", "flux_error", "flux_err", "e_flux", "noise", "std")
MASK = ("mask", "and_mask", "andmask")
IDENTITY = ("spectrum_id", "id", "targetid", "target_id", "object_id", "obsid", "name")

SAME_PIXEL = 0.01
"""Pixels nearer to each other than this share of a step are one pixel given twice."""

log = structlog.get_logger(__name__)


class Columns:
    """Named arrays of one file, with their units and the file's metadata."""

    def __init__(
        self, arrays: Mapping[str, Any], column_units: Mapping[str, Any], meta: Mapping[str, Any]
    ) -> None:
        self.arrays = {name.lower(): array for name, array in arrays.items()}
        self.units = {name.lower(): unit for name, unit in column_units.items()}
        self.meta = {str(key).lower(): value for key, value in meta.items()}

    def name(self, synonyms: tuple[str, ...]) -> str | None:
        """Return the first of the synonyms that is a column."""
        return next((name for name in synonyms if name in self.arrays), None)


def from_table(table: Table) -> Columns:
    """Take the columns of an astropy table."""
    arrays = {
        name: table[name].data if hasattr(table[name], "data") else table[name] for name in table.colnames
    }
    return Columns(arrays, {name: getattr(table[name], "unit", None) for name in table.colnames}, table.meta)


def from_npz(path: Path) -> Columns:
    """Take the arrays of an .npz file; pickled ones are refused."""
    with np.load(path, allow_pickle=False) as archive:
        return Columns({name: archive[name] for name in archive.files}, {}, {})


def spectra(columns: Columns, file: str, declared: Declared) -> Iterator[Spectrum | ReadError]:
    """Yield the spectra of a file's columns."""
    flux_name = columns.name(FLUX)
    if not columns.arrays:
        yield ReadError("no table of columns", file=file)
        return
    if flux_name is None:
        yield ReadError(
            f"no flux: columns are {', '.join(columns.arrays)}; one of {', '.join(FLUX)}", file=file
        )
        return
    try:
        wavelength, medium = _wavelength(columns, file, declared)
    except ReadError as error:
        yield error
        return
    flux = np.atleast_2d(columns.arrays[flux_name])
    noise_name = columns.name(IVAR) or columns.name(ERROR)
    noise = None if noise_name is None else np.atleast_2d(columns.arrays[noise_name])
    mask_name = columns.name(MASK)
    mask = None if mask_name is None else np.atleast_2d(columns.arrays[mask_name])
    identity = columns.name(IDENTITY)
    unit = columns.units.get(flux_name)
    for row in range(len(flux)):
        lam = wavelength[min(row, len(wavelength) - 1)]
        ivar = None if noise is None else noise[min(row, len(noise) - 1)]
        if ivar is not None:
            ivar = native(ivar) if noise_name in IVAR else ivar_from_error(ivar)
        name = f"{Path(file).stem}-{row}" if len(flux) > 1 else Path(file).stem
        if identity is not None and np.size(columns.arrays[identity]) == len(flux):
            name = str(np.atleast_1d(columns.arrays[identity])[row])
        elif identity is None and columns.meta.get("spectrum_id"):
            name = str(columns.meta["spectrum_id"])
        yield _one(
            file,
            row,
            lam,
            native(flux[row]),
            ivar,
            None if mask is None else native(mask[row], np.uint32),
            spectrum_id=name,
            medium=medium,
            flux_unit="" if unit is None else str(unit),
            survey=_text(columns.meta.get("survey")),
        )


def _text(value: Any) -> str | None:
    return str(value).strip().lower() or None if value is not None else None


def _one(
    file: str,
    row: int,
    wavelength: NDArray[np.float64],
    flux: NDArray[np.float32],
    ivar: NDArray[np.float32] | None,
    mask: NDArray[np.uint32] | None,
    **fields: Any,
) -> Spectrum | ReadError:
    """Sort pixels by wavelength, average those given twice (arms that overlap), build the spectrum."""
    sizes = {array.size for array in (wavelength, flux, ivar, mask) if array is not None}
    if len(sizes) > 1 or wavelength.size < 2 or not np.isfinite(wavelength).all():
        return spectrum(file, row, wavelength=wavelength, flux=flux, ivar=ivar, mask=mask, **fields)
    same = SAME_PIXEL * float(np.median(np.abs(np.diff(wavelength))))
    if (np.diff(wavelength) > same).all():
        return spectrum(file, row, wavelength=wavelength, flux=flux, ivar=ivar, mask=mask, **fields)
    order = np.argsort(wavelength, kind="stable")
    pixel = np.empty(order.size, int)
    starts = np.append(True, np.diff(wavelength[order]) > same)
    pixel[order] = np.cumsum(starts) - 1
    unique = wavelength[order][starts]
    usable = np.isfinite(flux) if ivar is None else np.isfinite(flux) & (ivar > 0)
    if mask is not None:
        usable &= mask == 0
    weight = np.where(usable, 1.0 if ivar is None else ivar, 0.0)
    total = np.bincount(pixel, weight, unique.size)
    known = total > 0
    mean = np.bincount(pixel, weight * np.where(usable, flux, 0), unique.size) / np.where(known, total, 1)
    joined = np.where(known, mean, np.nan).astype(np.float32)
    joined_ivar = None if ivar is None else total.astype(np.float32)
    return spectrum(file, row, wavelength=unique, flux=joined, ivar=joined_ivar, **fields)


def _wavelength(columns: Columns, file: str, declared: Declared) -> tuple[NDArray[np.float64], Any]:
    """Give wavelengths in angstrom, shape (rows or 1, n), and the medium they are in."""
    name = columns.name(WAVELENGTH)
    log_name = columns.name(LOGLAM)
    if name is None and log_name is None:
        raise ReadError(
            f"no wavelength: columns are {', '.join(columns.arrays)}; "
            f"one of {', '.join(WAVELENGTH + LOGLAM)}",
            file=file,
        )
    values = np.atleast_2d(np.asarray(columns.arrays[name or str(log_name)], np.float64))
    medium = declared.medium or _declared_medium(columns, name or "")
    if medium is None:
        log.warning("assumed medium", file=file, medium="vacuum", otherwise="--air")
        medium = "vacuum"
    if name is None:
        return 10.0**values, medium
    unit = declared.wavelength_unit or columns.units.get(name) or columns.meta.get("wavelength_unit")
    if unit is None:
        if not 1000 < float(np.nanmax(values)) < 1e5:
            raise ReadError(
                f"wavelengths without a unit go to {np.nanmax(values):g}, which is hardly angstrom; "
                "give --wavelength-unit",
                file=file,
            )
        log.warning("assumed unit", file=file, unit="Angstrom", otherwise="--wavelength-unit")
        unit = "Angstrom"
    try:
        factor = units.Unit(unit).to(units.AA)
    except (ValueError, TypeError, units.UnitConversionError) as error:
        raise ReadError(f"wavelength unit {unit!r} is no unit of length", file=file) from error
    return values * factor, medium


def _declared_medium(columns: Columns, name: str) -> str | None:
    if "air" in name:
        return "air"
    if "vac" in name:
        return "vacuum"
    if "vacuum" in columns.meta:
        return "vacuum" if columns.meta["vacuum"] in (True, "T", "true", 1) else "air"
    value = str(columns.meta.get("medium", columns.meta.get("airorvac", ""))).lower()
    return {"air": "air", "vac": "vacuum", "vacuum": "vacuum"}.get(value)
