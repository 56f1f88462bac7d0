"""SDSS, BOSS and eBOSS: `spec` files, and tables that hold one spectrum a row.

Data model: SDSS `spec-PLATE-MJD-FIBER.fits`. HDU 1 (COADD) has a row a pixel: flux, loglam, ivar, and_mask,
or_mask, wdisp, sky, model; HDU 2 describes the object. Wavelengths are in vacuum, heliocentric; flux is in
1e-17 erg/s/cm2/angstrom. The pipeline has set ivar to zero where a pixel must not be used.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import structlog
from astropy.io import fits

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers.record import Declared, log_grid, native, position, spectrum

FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"
TABLE_LOGLAM0 = 3.5563025
"""Start of the grid of tables with 4076 pixels a row and no wavelengths (GaSNet-III's): log10(3600)."""
TABLE_PIXELS = 4076

log = structlog.get_logger(__name__)


def _columns(hdu: Any) -> set[str]:
    return {name.lower() for name in hdu.columns.names} if isinstance(hdu, fits.BinTableHDU) else set()


def recognises(hdus: fits.HDUList) -> bool:
    """Tell whether this is a `spec` file or a table of SDSS spectra."""
    if len(hdus) < 2:
        return False
    names = _columns(hdus[1])
    return {"flux", "loglam", "ivar"} <= names or {"flux", "ivar", "plate", "mjd", "fiberid"} <= names


def read(hdus: fits.HDUList, file: str, declared: Declared) -> Iterator[Spectrum | ReadError]:
    """Yield the spectrum of a `spec` file, or those of each row of a table."""
    table = hdus[1]
    if table.columns["FLUX"].format.lstrip("1") in ("E", "D"):
        yield _spec(hdus, file)
    else:
        yield from _rows(table, file)


def _name(values: dict[str, Any]) -> str | None:
    plate, mjd, fiber = (values.get(key) for key in ("PLATE", "MJD", "FIBERID"))
    plate = values.get("PLATEID") if plate is None else plate
    if plate is None or mjd is None or fiber is None:
        return None
    return f"{int(plate):04d}-{int(mjd)}-{int(fiber):04d}"


def _survey(values: dict[str, Any]) -> str:
    name = str(values.get("SURVEY") or values.get("PROGRAMNAME") or "").strip().lower()
    if name in ("boss", "eboss"):
        return name
    # SDSS-I/II plates end at 3000; BOSS's spectrograph saw first light with plate 3521.
    plate = values.get("PLATE", values.get("PLATEID"))
    return "boss" if plate is not None and int(plate) > 3500 else "sdss"


def _record(row: Any, names: list[str]) -> dict[str, Any]:
    wanted = ("PLATE", "PLATEID", "MJD", "FIBERID", "SURVEY", "PLUG_RA", "PLUG_DEC", "PROGRAMNAME")
    upper = {name.upper(): name for name in names}
    return {key: row[upper[key]] for key in wanted if key in upper}


def _spec(hdus: fits.HDUList, file: str) -> Spectrum | ReadError:
    pixels = hdus[1].data
    values = dict(hdus[0].header)
    if len(hdus) > 2 and isinstance(hdus[2], fits.BinTableHDU) and len(hdus[2].data) == 1:
        values |= _record(hdus[2].data[0], hdus[2].columns.names)
    name = _name(values)
    return spectrum(
        file,
        0,
        spectrum_id=name or file,
        target_id=name,
        survey=_survey(values),
        flux=native(pixels["flux"]),
        ivar=native(pixels["ivar"]),
        flux_unit=FLUX_UNIT,
        **log_grid(native(pixels["loglam"], np.float64)),
        **position(values),
    )


def _rows(table: fits.BinTableHDU, file: str) -> Iterator[Spectrum | ReadError]:
    names = table.columns.names
    header = table.header
    n = int(np.prod(table.data["flux"].shape[1:]))
    grid: dict[str, Any] | None = None
    if "COEFF0" in header and "COEFF1" in header:
        grid = {"loglam0": header["COEFF0"], "dloglam": header["COEFF1"]}
    elif not {"loglam", "LOGLAM"} & set(names):
        if n != TABLE_PIXELS:
            yield ReadError(
                f"a table of {n} pixels a row without wavelengths; add a loglam column or COEFF0 and COEFF1",
                file=file,
            )
            return
        log.warning("assumed wavelengths", file=file, loglam0=TABLE_LOGLAM0, dloglam=1e-4, medium="vacuum")
        grid = {"loglam0": TABLE_LOGLAM0, "dloglam": 1e-4}
    for row, pixels in enumerate(table.data):
        values = _record(pixels, names)
        name = _name(values)
        sampling = grid or log_grid(native(pixels["loglam"], np.float64))
        yield spectrum(
            file,
            row,
            spectrum_id=name or f"{file}-{row}",
            target_id=name,
            survey=_survey(values),
            flux=native(pixels["flux"]),
            ivar=native(pixels["ivar"]),
            flux_unit=FLUX_UNIT,
            **sampling,
            **position(values),
        )
