"""LAMOST low-resolution spectra, in the layouts of the early and the later data releases.

Early (to DR7): the primary array's rows are flux, ivar, continuum-subtracted flux, and-mask, or-mask, sampled
at log10(wavelength) = COEFF0 + COEFF1 i. Later: a one-row table with the columns FLUX, IVAR, WAVELENGTH,
ANDMASK, ORMASK. Wavelengths are in vacuum (header VACUUM); the flux is relative.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy.io import fits

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers.record import Declared, log_grid, native, position, spectrum

FLUX_UNIT = "relative"


def _is_table(hdus: fits.HDUList) -> bool:
    if len(hdus) < 2 or not isinstance(hdus[1], fits.BinTableHDU):
        return False
    names = {name.upper() for name in hdus[1].columns.names}
    return {"FLUX", "IVAR", "WAVELENGTH"} <= names and "LAMOST" in str(
        hdus[0].header.get("TELESCOP", "")
    ).upper()


def _is_image(hdus: fits.HDUList) -> bool:
    header = hdus[0].header
    is_lamost = "LAMOST" in (str(header.get("TELESCOP", "")) + str(header.get("ORIGIN", ""))).upper()
    return is_lamost and header.get("NAXIS") == 2 and "COEFF0" in header


def recognises(hdus: fits.HDUList) -> bool:
    """Tell whether this is a LAMOST spectrum of either layout."""
    return _is_image(hdus) or _is_table(hdus)


def read(hdus: fits.HDUList, file: str, declared: Declared) -> Iterator[Spectrum | ReadError]:
    """Yield the file's spectrum."""
    header = hdus[0].header
    arrays: dict[str, Any]
    if _is_image(hdus):
        rows = hdus[0].data
        grid = {"loglam0": float(header["COEFF0"]), "dloglam": float(header["COEFF1"])}
        arrays = {"flux": native(rows[0]), "ivar": native(rows[1]), **grid}
    else:
        table = hdus[1].data
        loglam = np.log10(native(table["WAVELENGTH"], np.float64))
        arrays = {"flux": native(table["FLUX"]), "ivar": native(table["IVAR"]), **log_grid(loglam)}
    names = [header.get(key) for key in ("LMJD", "PLANID", "SPID", "FIBERID")]
    known = all(name is not None for name in names)
    spectrum_id = f"{names[0]}-{names[1]}_sp{int(names[2]):02d}-{int(names[3]):03d}" if known else file
    medium = "vacuum" if header.get("VACUUM", True) else "air"
    target = header.get("OBSID", header.get("OBJNAME"))
    yield spectrum(
        file,
        0,
        spectrum_id=str(spectrum_id),
        target_id=None if target is None else str(target).strip(),
        survey="lamost",
        medium=medium,
        flux_unit=FLUX_UNIT,
        **arrays,
        **position(dict(header)),
    )
