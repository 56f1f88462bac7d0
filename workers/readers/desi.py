"""DESI `coadd` and `spectra` files: three arms, joined.

Data model: desidatamodel, `coadd-*.fits` and `spectra-*.fits`: X_WAVELENGTH, X_FLUX, X_IVAR, X_MASK for the
arms B, R and Z; FIBERMAP has a row a spectrum. Wavelengths are in vacuum, on one 0.8 angstrom grid, so that
pixels of two arms that overlap fall on each other and are averaged by inverse variance.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers.record import Declared, native, position, spectrum

ARMS = ("B", "R", "Z", "BRZ")
FLUX_UNIT = "1e-17 erg / (s cm2 Angstrom)"
SAME_PIXEL_ANGSTROM = 0.01


def recognises(hdus: fits.HDUList) -> bool:
    """Tell whether this is a DESI file of spectra."""
    names = {hdu.name for hdu in hdus}
    return "FIBERMAP" in names and any(f"{arm}_FLUX" in names for arm in ARMS)


class _Arms:
    """All arms of a file, and where each pixel of each goes on the joined grid."""

    def __init__(self, hdus: fits.HDUList) -> None:
        present = [arm for arm in ARMS if f"{arm}_FLUX" in hdus]
        # Sections read one row at a time: a night's file does not fit into memory.
        self.flux = [hdus[f"{arm}_FLUX"].section for arm in present]
        self.ivar = [hdus[f"{arm}_IVAR"].section for arm in present]
        self.mask = [hdus[f"{arm}_MASK"].section if f"{arm}_MASK" in hdus else None for arm in present]
        self.pixels = [hdus[f"{arm}_FLUX"].shape[1] for arm in present]
        wavelength = np.concatenate([native(hdus[f"{arm}_WAVELENGTH"].data, np.float64) for arm in present])
        keys = np.round(wavelength / SAME_PIXEL_ANGSTROM).astype(np.int64)
        _, first, self.pixel = np.unique(keys, return_index=True, return_inverse=True)
        self.wavelength: NDArray[np.float64] = wavelength[first]

    def joined(self, row: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return flux and ivar of one spectrum on the joined grid."""
        flux = np.concatenate([native(arm[row, :], np.float64) for arm in self.flux])
        ivar = np.concatenate([native(arm[row, :], np.float64) for arm in self.ivar])
        masked = np.concatenate(
            [
                np.zeros(pixels, bool) if mask is None else np.asarray(mask[row, :]) != 0
                for pixels, mask in zip(self.pixels, self.mask, strict=True)
            ]
        )
        weight = np.where(masked | ~np.isfinite(flux) | ~(ivar > 0), 0.0, ivar)
        n = self.wavelength.size
        total = np.bincount(self.pixel, weight, n)
        mean = np.bincount(self.pixel, weight * np.where(weight > 0, flux, 0.0), n) / np.where(
            total > 0, total, 1
        )
        return mean.astype(np.float32), total.astype(np.float32)


def read(hdus: fits.HDUList, file: str, declared: Declared) -> Iterator[Spectrum | ReadError]:
    """Yield one spectrum for each row of the fibermap."""
    fibermap = hdus["FIBERMAP"].data
    arms = _Arms(hdus)
    targets = [int(target) for target in fibermap["TARGETID"]]
    repeated = len(set(targets)) < len(targets)
    names = set(fibermap.columns.names)
    for row, target in enumerate(targets):
        values: dict[str, Any] = {
            key: float(fibermap[key][row])
            for key in ("TARGET_RA", "TARGET_DEC", "MJD", "MEAN_MJD")
            if key in names
        }
        # A `spectra` file has a target once an exposure.
        exposure = f"-{int(fibermap['EXPID'][row])}" if repeated and "EXPID" in names else ""
        flux, ivar = arms.joined(row)
        yield spectrum(
            file,
            row,
            spectrum_id=f"{target}{exposure}" if exposure or not repeated else f"{target}-{row}",
            target_id=str(target),
            survey="desi",
            wavelength=arms.wavelength,
            flux=flux,
            ivar=ivar,
            flux_unit=FLUX_UNIT,
            **position(values),
        )
