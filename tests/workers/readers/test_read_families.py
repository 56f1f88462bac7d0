"""Files of surveys as their documentation describes them: small, each with what is peculiar to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.support import made_files as made

N = made.N
FLUX, IVAR = made.pixels()
GOOD = IVAR > 0
ERROR = np.where(GOOD, 1 / np.sqrt(np.where(GOOD, IVAR, 1)), 0).astype("f4")
WAVE = 4000 + 2.0 * np.arange(N)


def vectors(units: dict[str, str], name: str = "", **columns: Any) -> fits.BinTableHDU:
    """A table of one row of vectors."""
    hdu = made.table(**{key: np.asarray(values)[None] for key, values in columns.items()})
    for key, unit in units.items():
        hdu.columns[key].unit = unit
    hdu.name = name
    return hdu


def file(path: Path, *hdus: Any, **cards: Any) -> Path:
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, *hdus]).writeto(path)
    return path


def notes(path: Path) -> list[str]:
    said: list[str] = []
    list(made.read(path, note=said.append))
    return said


CGS = "erg s**(-1) cm**(-2) angstrom**(-1)"


def test_lega_c(tmp_path: Path) -> None:
    """ESO Phase 3: one row of WAVE, FLUX, ERR and QUAL, flux in 1e-19 erg/s/cm2/A."""
    quality = np.zeros(N, "i4")
    quality[40:50] = 1
    units = {"WAVE": "angstrom", "FLUX": f"10**(-19) {CGS}", "ERR": f"10**(-19) {CGS}"}
    hdu = vectors(units, "SPECTRUM", WAVE=WAVE, FLUX=FLUX, ERR=ERROR, QUAL=quality)
    path = file(tmp_path / "legac_M1_v3.11_207825.fits", hdu, OBJECT="207825", RA=150.1, DEC=2.2)
    (spectrum,) = made.spectra(path)
    np.testing.assert_allclose(spectrum.flux, FLUX / 100, rtol=1e-5)
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD & (quality == 0))
    assert (spectrum.target_id, spectrum.ra, spectrum.dec) == ("207825", 150.1, 2.2)


def test_zcosmos(tmp_path: Path) -> None:
    """ESO Phase 3: flux is called FLUX_REDUCED, and ERR is zero, as the noise is not known."""
    hdu = vectors(
        {"WAVE": "angstrom", "FLUX_REDUCED": CGS, "ERR": CGS},
        "SPECTRAL CONTAINER", WAVE=WAVE, FLUX_REDUCED=FLUX * 1e-17, ERR=np.zeros(N, "f4"),
    )  # fmt: skip
    path = file(tmp_path / "zCOSMOS_BRIGHT_DR3_000960004.fits", hdu, OBJECT="000960004", RA=150.1, DEC=2.13)
    (spectrum,) = made.spectra(path)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-5)
    assert spectrum.ivar is None and spectrum.target_id == "000960004"
    assert any("err is zero in every pixel" in said for said in notes(path))


def test_vandels(tmp_path: Path) -> None:
    """ESO Phase 3: further columns of flux that is not corrected, and of sky."""
    units = {"WAVE": "angstrom", "FLUX": CGS, "ERR": CGS}
    hdu = vectors(
        units, "SPECTRUM", WAVE=WAVE, FLUX=FLUX * 1e-17, ERR=ERROR * 1e-17, UNCORR_FLUX=FLUX * 9, SKY=FLUX * 5
    )
    (spectrum,) = made.spectra(file(tmp_path / "VANDELS_CDFS_1.fits", hdu, OBJECT="CDFS017433"))
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-5)
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-4)


def test_vipers(tmp_path: Path) -> None:
    """A pixel a row: WAVES, FLUXES, NOISE, and MASK, which is 0 where a pixel is good."""
    mask = (np.arange(N) < 7).astype("i4")
    hdu = made.table(WAVES=WAVE, FLUXES=FLUX, NOISE=ERROR, EDIT=FLUX * 3, MASK=mask)
    (spectrum,) = made.spectra(file(tmp_path / "VIPERS_406064719.fits", hdu))
    np.testing.assert_array_equal(spectrum.flux[mask == 0], FLUX[mask == 0])
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD & (mask == 0))


def euclid(number: int, scale: float = 1e-16) -> list[Any]:
    """An object of Euclid's combined spectra: its name, its spectrum, and an exposure of it."""
    meta = fits.ImageHDU(name=f"{number}_META")
    meta.header.update({"OBJ_ID": 2731173428682078040 + number, "RA_OBJ": 269.7, "DEC_OBJ": 66.0})
    mask = np.zeros(N, "i4")
    mask[20], mask[21], mask[22] = 1, 2, 64
    columns = {
        "WAVELENGTH": (9300 + 8.0 * np.arange(N)).astype("f4"), "SIGNAL": FLUX * 10, "MASK": mask,
        "QUALITY": np.ones(N, "f4"), "VAR": (ERROR * 10) ** 2, "NDITH": np.full(N, 4, "i4"),
    }  # fmt: skip
    combined = made.table(**columns)
    exposure = made.table(**(columns | {"SIGNAL": FLUX * 99}))
    combined.name, exposure.name = f"{number}_COMBINED1D_SIGNAL", f"{number}_DITH1D_2683_SIGNAL"
    for hdu in (combined, exposure):
        hdu.header["FSCALE"] = scale * 1e-2
    return [meta, combined, exposure]


def test_euclid(tmp_path: Path) -> None:
    """Combined spectra in units of FSCALE; exposures are left out, and bits 1 and 64 of the mask are bad."""
    path = file(tmp_path / "EUC_SIR.fits", *euclid(0), *euclid(1), FITS_DEF="sir.combinedSpectra")
    found = made.spectra(path)
    assert [spectrum.target_id for spectrum in found] == ["2731173428682078040", "2731173428682078041"]
    assert len({spectrum.spectrum_id for spectrum in found}) == 2 and found[0].ra == 269.7
    np.testing.assert_allclose(found[1].flux, FLUX, rtol=1e-5)
    used = GOOD.copy()
    used[[20, 22]] = False
    np.testing.assert_array_equal(found[0].ivar > 0, used)
    np.testing.assert_allclose(found[0].ivar[used], IVAR[used], rtol=1e-3)
    assert any("DITH1D" in said for said in notes(path))


def test_sdss_v_mwm_visit(tmp_path: Path) -> None:
    """A visit a row; the axis is in the header, log-linear in vacuum, and ivar says which pixels count."""
    flux, ivar = np.array([FLUX, FLUX * 2]), np.array([IVAR, IVAR])
    hdu = made.table(
        flux=flux, ivar=ivar, pixel_flags=np.ones((2, N), "i4"), sdss_id=np.full(2, 54459273, "i8"),
        mjd=np.array([59146, 59150], "i4"), telescope=np.array(["apo25m", "apo25m"]),
    )  # fmt: skip
    hdu.name = "BOSS/APO"
    hdu.header.update({"CRVAL": made.START, "CDELT": made.STEP, "NPIXELS": N})
    path = file(tmp_path / "mwmVisit-0.6.0-54459273.fits", hdu, SDSS_ID=54459273, RA=10.5, DEC=-3.5)
    found = made.spectra(path)
    assert [spectrum.spectrum_id for spectrum in found] == ["54459273-0", "54459273-1"]
    assert [spectrum.mjd for spectrum in found] == [59146, 59150]
    np.testing.assert_array_equal(found[1].flux, FLUX * 2)
    np.testing.assert_array_equal(found[1].ivar, IVAR)
    np.testing.assert_allclose(found[0].vacuum_wavelength(), 10**made.LOGLAM, rtol=1e-9)
    assert [spectrum.target_id for spectrum in found] == ["54459273", "54459273"]
    assert notes(path) == []


def pfs(path: Path, with_axis: bool) -> Path:
    """A pfsObject: images of one row, flux in nJy, wavelengths in nm, either in an image or in the header."""
    nano_jansky = FLUX * 1e-17 * 1e23 * 1e9 * WAVE**2 / 2.99792458e18
    per_unit = nano_jansky / FLUX
    variance = np.where(GOOD, per_unit**2 / np.where(GOOD, IVAR, 1), 0)
    mask = np.zeros(N, "i4")
    mask[60], mask[61] = 1 << 8, 1 << 5
    hdus = [
        fits.ImageHDU(nano_jansky.astype("f4"), name="FLUX"),
        fits.ImageHDU(mask, name="MASK"),
        fits.ImageHDU(np.array([variance, variance * 0, variance * 0]).astype("f4"), name="COVAR"),
        fits.ImageHDU(nano_jansky.astype("f4") * 9, name="SKY"),
    ]
    hdus[1].header.update({"HIERARCH MP_NO_DATA": 8, "HIERARCH MP_DETECTED": 5, "MP_BAD": 0})
    if with_axis:
        hdus[0].header.update({"CRPIX1": 1.0, "CRVAL1": WAVE[0] / 10, "CD1_1": 0.2, "CTYPE1": "WAVE"})
    else:
        hdus.append(fits.ImageHDU(WAVE / 10, name="WAVELENGTH"))
    target = made.table(
        catId=np.array([10], "i4"), objId=np.array([55], "i8"), ra=np.array([30.5]), dec=np.array([-5.0])
    )
    target.name = "TARGET"
    table = made.table(wavelength=WAVE / 10, flux=nano_jansky.astype("f4"), error=ERROR, mask=mask)
    table.name = "FLUX_TABLE"
    return file(path, *hdus, target, table)


@pytest.mark.parametrize("with_axis", [False, True])
def test_pfs(tmp_path: Path, with_axis: bool) -> None:
    path = pfs(tmp_path / "pfsObject-10.fits", with_axis)
    (spectrum,) = made.spectra(path)
    np.testing.assert_allclose(spectrum.vacuum_wavelength(), WAVE, rtol=1e-9)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-5)
    used = GOOD.copy()
    used[60] = False
    np.testing.assert_array_equal(spectrum.ivar > 0, used)
    np.testing.assert_allclose(spectrum.ivar[used], IVAR[used], rtol=1e-4)
    assert (spectrum.target_id, spectrum.ra, spectrum.dec, spectrum.survey) == ("55", 30.5, -5.0, "pfs")
    assert notes(path) == []


def chebyshev(wavelength: Any) -> dict[str, str]:
    """IRAF's header of one row whose wavelengths are a sum of Chebyshev polynomials."""
    n = len(wavelength)
    terms = np.polynomial.Chebyshev.fit(np.arange(1, n + 1), wavelength, 5, domain=[1, n]).coef
    numbers = " ".join(f"{term:.12g}" for term in terms)
    said = f'wtype=multispec spec1 = "1 1 2 {wavelength[0]} 2.0 {n} 0. 10. 20. 1. 0. 1 6 1. {n}. {numbers}"'
    pieces = [said[start : start + 68] for start in range(0, len(said), 68)]
    return {f"WAT2_{number:03d}": piece for number, piece in enumerate(pieces, 1)}


def named_images(flux: Any = FLUX) -> list[Any]:
    """DESI's arms joined before, and the exposures they are of."""
    arrays = {"BRZ_WAVELENGTH": WAVE, "BRZ_FLUX": flux[None], "BRZ_IVAR": IVAR[None]}
    targets, exposures = made.table(TARGETID=np.array([39627], "i8")), made.table(EXPID=np.arange(3))
    targets.name, exposures.name = "FIBERMAP", "EXP_FIBERMAP"
    return [targets, exposures, *(fits.ImageHDU(values, name=name) for name, values in arrays.items())]


SPARCL = {"wavelength": WAVE, "flux": FLUX, "model": FLUX * 2}
SEEN = GOOD.astype("i4")
ROW = {"WAVELENGTH": WAVE, "FLUX": FLUX, "ERROR": ERROR}
AXIS = {"CRVAL1": 4000.0, "CDELT1": 2.0, "CRPIX1": 1.0}
OTHERS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "HST x1d": ([vectors({}, "SCI", **ROW, GROSS=FLUX * 9, NET=FLUX * 5, DQ=np.zeros(N, "i4"))], {}),
    "PypeIt spec1d": (
        [
            made.table(
                OPT_WAVE=WAVE,
                OPT_COUNTS=FLUX * 9,
                OPT_FLAM=FLUX,
                OPT_FLAM_SIG=ERROR,
                OPT_MASK=GOOD.astype("i4"),
            )
        ],
        {"PYP_SPEC": "keck_lris_red", "DMODCLS": "SpecObjs"},
    ),
    "SPARCL": ([vectors({}, "", ivar=IVAR, mask=np.zeros(N, "i4"), **SPARCL)], {}),
    "DESI, arms joined": (named_images(), {}),
    "packed by fpack": (
        [
            fits.CompImageHDU(FLUX[None].copy(), fits.Header(AXIS), "SCI", "GZIP_2", quantize_level=0),
            fits.ImageHDU(ERROR[None], name="ERR"),
        ],
        {},
    ),
    "IRAF, Chebyshev polynomials": (
        [fits.ImageHDU(FLUX[None], name="SCI"), fits.ImageHDU(ERROR[None], name="ERR")],
        {"WCSDIM": 2, "CTYPE1": "MULTISPE", "CTYPE2": "MULTISPE", "WAT1_001": "wtype=multispec"}
        | chebyshev(WAVE),
    ),
    "amateurs' FITS": (
        [fits.ImageHDU(FLUX, fits.Header(AXIS), "SCI"), fits.ImageHDU(ERROR, name="ERR")],
        {"BSS_VHEL": 0.0, "OBJNAME": "x", "OBSERVER": "y"},
    ),
}


@pytest.mark.parametrize("family", OTHERS)
def test_others(tmp_path: Path, family: str) -> None:
    hdus, cards = OTHERS[family]
    (spectrum,) = made.spectra(file(tmp_path / "spectrum.fits", *hdus, **cards))
    np.testing.assert_allclose(spectrum.vacuum_wavelength(), WAVE, rtol=1e-9)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-6)
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-4)
