"""Every other format, through specutils' loaders, where specutils is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from schemas.spectrum import Spectrum
from workers.errors import ReadError
from workers.readers.record import Declared, native, spectrum

HOW = (
    "known without specutils are SDSS, DESI and LAMOST spectra and tables of wavelength, flux, ivar or error"
)


def read(path: Path, file: str, declared: Declared) -> Iterator[Spectrum | ReadError]:
    """Yield the spectra that specutils finds in a file.

    Wavelengths are taken as vacuum unless the user declares air: specutils does not say which they are.
    """
    if importlib.util.find_spec("specutils") is None:
        yield ReadError(f"unknown format: {HOW}; install spectraq[specutils] for more", file=file)
        return
    from astropy import units
    from specutils import SpectrumList

    for row, found in enumerate(SpectrumList.read(path)):
        wavelength = native(found.spectral_axis.to(units.AA, units.spectral()).value, np.float64)
        flux = np.atleast_2d(np.asarray(found.flux.value))[0]
        uncertainty = found.uncertainty
        ivar = None
        if uncertainty is not None:
            from astropy.nddata import InverseVariance

            ivar = native(np.atleast_2d(uncertainty.represent_as(InverseVariance).array)[0])
        order = np.argsort(wavelength)
        yield spectrum(
            file,
            row,
            spectrum_id=f"{path.stem}-{row}" if row else path.stem,
            wavelength=wavelength[order],
            flux=native(flux)[order],
            ivar=None if ivar is None else ivar[order],
            medium=declared.medium or "vacuum",
            flux_unit=str(found.flux.unit),
        )
