"""Formats that only specutils knows, where it is installed."""

from __future__ import annotations

from pathlib import Path

import made_files as made
import numpy as np
import pytest
from astropy.io import fits

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
