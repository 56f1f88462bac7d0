"""Formats that only specutils knows, where it is installed."""

from __future__ import annotations

from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import StdDevUncertainty

from spectraq.workers.readers.specutils_files import single
from tests.support import made_files as made

pytest.importorskip("specutils", reason="specutils is an optional extra and not installed")


@pytest.mark.parametrize(("axis", "medium"), [("AWAV", "air"), ("WAVE", "vacuum")])
def test_an_image_with_a_linear_axis_is_read(tmp_path: Path, axis: str, medium: str) -> None:
    flux, _ = made.pixels()
    hdu = fits.PrimaryHDU(flux)
    hdu.header.update({"CRVAL1": 400.0, "CDELT1": 0.2, "CRPIX1": 1.0, "CTYPE1": axis, "CUNIT1": "nm"})
    hdu.header["BUNIT"] = "1e-17 erg / (s cm2 Angstrom)"
    hdu.writeto(tmp_path / "image.fits")
    (spectrum,) = made.spectra(tmp_path / "image.fits")
    assert spectrum.wavelength is not None
    np.testing.assert_allclose(spectrum.wavelength, 4000 + 2 * np.arange(made.N), rtol=1e-9)
    np.testing.assert_allclose(spectrum.flux, flux, rtol=1e-6)
    assert spectrum.medium == medium


def test_a_block_of_spectra_on_one_axis_is_one_a_row_with_its_noise() -> None:
    specutils = pytest.importorskip("specutils")
    flux, _ = made.pixels()
    block_of_two = specutils.Spectrum(
        flux=np.array([flux, flux * 2]) * u.Jy,
        spectral_axis=(4000 + 2 * np.arange(made.N)) * u.AA,
        uncertainty=StdDevUncertainty(np.ones((2, made.N)) * [[1.0], [2.0]], unit=u.Jy),
        mask=np.array([np.arange(made.N) == 5, np.arange(made.N) == 6]),
    )
    first, second = single(block_of_two)
    np.testing.assert_array_equal(second.flux.value, flux * 2)
    assert set(second.uncertainty.array) == {2.0}
    assert np.flatnonzero(first.mask).tolist() == [5]
    assert np.flatnonzero(second.mask).tolist() == [6]


def test_a_picture_with_an_axis_is_refused_through_specutils_too(tmp_path: Path) -> None:
    hdu = fits.PrimaryHDU(np.ones((5, made.N), "f4"))
    hdu.header.update({"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "WAVE", "CUNIT1": "Angstrom"})
    hdu.writeto(tmp_path / "slit.fits")
    assert "which of its rows" in str(made.error(tmp_path / "slit.fits", format="specutils"))
