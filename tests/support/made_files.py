"""Files in the surveys' formats, made on the spot: small, and known to the last digit."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read

N = 300
START, STEP = 3.5802, 1e-4
LOGLAM = START + STEP * np.arange(N)
PLATE_START = 3.5785


def pixels(seed: int = 0, n: int = N) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Flux and ivar, the latter zero in a few pixels."""
    rng = np.random.default_rng(seed)
    ivar = rng.uniform(0.5, 2.0, n).astype(np.float32)
    ivar[::50] = 0
    return rng.normal(10, 1, n).astype(np.float32), ivar


def table(**columns: Any) -> fits.BinTableHDU:
    """A binary table of these columns."""
    made = []
    for name, values in columns.items():
        array = np.asarray(values)
        letter = {"f4": "E", "f8": "D", "i4": "J", "i8": "K"}.get(array.dtype.str[1:], "20A")
        repeat = "" if array.ndim == 1 else str(array.shape[1])
        made.append(fits.Column(name, f"{repeat}{letter}", array=array))
    return fits.BinTableHDU.from_columns(made)


def written(*extensions: fits.BinTableHDU) -> bytes:
    """A file's bytes."""
    out = io.BytesIO()
    fits.HDUList([fits.PrimaryHDU(), *extensions]).writeto(out)
    return out.getvalue()


def sdss_spec(path: Path, plate: int = 266, header: bool = True, **changes: Any) -> Path:
    """A lite spec file whose spectrum starts later than the plate's grid."""
    flux, ivar = pixels()
    columns = {
        "flux": flux,
        "loglam": LOGLAM.astype("f4"),
        "ivar": ivar,
        "and_mask": np.full(N, 1 << 23, "i4"),
    }
    columns |= changes
    primary = fits.PrimaryHDU()
    if header:
        primary.header.update(
            {
                "PLATEID": plate, "MJD": 51602, "FIBERID": 13, "RA": 145.9, "DEC": 0.06, "PLUG_RA": 146.9341,
                "PLUG_DEC": -0.7, "COEFF0": PLATE_START, "COEFF1": STEP, "BUNIT": "1E-17 erg/cm^2/s/Ang",
            }
        )  # fmt: skip
    spall = table(PLATE=np.array([plate], "i4"), MJD=np.array([51602], "i4"), FIBERID=np.array([13], "i4"))
    kept = {name: values for name, values in columns.items() if values is not None}
    fits.HDUList([primary, table(**kept), spall]).writeto(path)
    return path


def desi(
    path: Path, targets: list[int], exposures: list[int] | None = None, compressed: bool = False
) -> Path:
    """A coadd of two arms that share five pixels, the wavelengths of one off by rounding."""
    n = len(targets)
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {
        "TARGETID": np.array(targets, "i8"), "TARGET_RA": np.full(n, 10.5), "TARGET_DEC": np.full(n, -3.25)
    }  # fmt: skip
    if exposures:
        columns |= {"EXPID": np.array(exposures, "i4"), "MJD": np.full(n, 59311.5)}
    fibermap = table(**columns)
    fibermap.name = "FIBERMAP"
    hdus = [fits.PrimaryHDU(), fibermap]
    for arm, wavelength in (("B", 3600 + 0.8 * np.arange(200)), ("R", 3756 + 0.8 * np.arange(200) + 4e-10)):
        flux, ivar = rng.normal(5, 1, (n, 200)).astype("f4"), rng.uniform(0.5, 2, (n, 200)).astype("f4")
        mask = np.zeros((n, 200), "u4")
        mask[:, 10] = 4
        hdus += [
            fits.ImageHDU(wavelength, name=f"{arm}_WAVELENGTH"),
            fits.ImageHDU(flux, name=f"{arm}_FLUX"),
            fits.ImageHDU(ivar, name=f"{arm}_IVAR"),
            (fits.CompImageHDU if compressed else fits.ImageHDU)(mask, name=f"{arm}_MASK"),
        ]
    fits.HDUList(hdus).writeto(path)
    return path


def lamost_header() -> dict[str, Any]:
    """What both of LAMOST's layouts have in the primary header."""
    return {
        "TELESCOP": "LAMOST", "LMJD": 55862, "MJD": 55863, "PLANID": "B6212", "SPID": 6, "FIBERID": 7,
        "RA": 99.36558, "DEC": 27.277239, "DESIG": "LAMOST J063727.73+271638.0", "VACUUM": True,
        "DATE-OBS": "2011-10-27T20:02:34.19",
    }  # fmt: skip


def lamost_old(path: Path) -> Path:
    """The layout of the first releases: rows of the primary image."""
    flux, ivar = pixels()
    hdu = fits.PrimaryHDU(np.array([flux, ivar, flux, np.zeros(N), np.zeros(N)], "f4"))
    hdu.header.update(lamost_header() | {"COEFF0": START, "COEFF1": STEP})
    hdu.writeto(path)
    return path


def lamost_new(path: Path) -> Path:
    """The layout since DR8: one row of vectors."""
    flux, ivar = pixels()
    primary = fits.PrimaryHDU()
    primary.header.update(lamost_header() | {"OBSID": 101001})
    coadd = table(FLUX=flux[None], IVAR=ivar[None], WAVELENGTH=(10**LOGLAM).astype("f4")[None])
    coadd.name = "COADD"
    fits.HDUList([primary, coadd]).writeto(path)
    return path


def spectra(path: Path, **options: Any) -> list[Spectrum]:
    """All spectra of a file, of which each must be readable."""
    items = list(read(path, note=lambda sentence: None, **options))
    errors = [str(item) for item in items if isinstance(item, ReadError)]
    assert errors == []
    return [item for item in items if isinstance(item, Spectrum)]


def spectra_errors(path: Path, **options: Any) -> list[ReadError]:
    """The errors in the place of a file's spectra, of which none may be readable."""
    items = list(read(path, note=lambda sentence: None, **options))
    assert items and all(isinstance(item, ReadError) for item in items)
    return [item for item in items if isinstance(item, ReadError)]


def error(path: Path, **options: Any) -> ReadError:
    """The only thing that a file gives: an error."""
    (item,) = spectra_errors(path, **options)
    assert item.file == str(path)
    assert "\n" not in str(item)
    return item
