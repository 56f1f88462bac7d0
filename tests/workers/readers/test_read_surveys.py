"""The surveys' own formats, on files made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from spectraq.workers.readers.units import FLUX_UNIT
from tests.support import made_files as made


def test_an_sdss_spectrum_lies_where_loglam_says_not_where_the_plates_header_does(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits"))
    assert (spectrum.loglam0, spectrum.dloglam) == (made.START, made.STEP)
    np.testing.assert_allclose(spectrum.vacuum_wavelength(), 10**made.LOGLAM, rtol=1e-12)


def test_an_sdss_spectrum_keeps_its_pixels_bit_by_bit(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits"))
    flux, ivar = made.pixels()
    np.testing.assert_array_equal(spectrum.flux, flux)
    np.testing.assert_array_equal(spectrum.ivar, ivar)
    assert spectrum.mask is None  # bright sky in every pixel is a warning, not a fault
    assert spectrum.flux_unit == FLUX_UNIT


def test_an_sdss_spectrum_is_where_its_fibre_was_not_where_the_telescope_pointed(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits"))
    assert (spectrum.ra, spectrum.dec, spectrum.mjd) == (146.9341, -0.7, 51602)


def test_an_sdss_spectrum_is_called_plate_mjd_fibre(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "renamed.fits"))
    assert spectrum.spectrum_id == "0266-51602-0013"
    assert (spectrum.source_file, spectrum.source_row) == (str(tmp_path / "renamed.fits"), 0)


def test_identity_is_found_in_the_second_table_where_the_header_has_none(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits", plate=5400, header=False))
    assert spectrum.spectrum_id == "5400-51602-0013"


@pytest.mark.parametrize(("plate", "survey"), [(266, "sdss"), (3509, "sdss"), (3510, "boss"), (9367, "boss")])
def test_the_plate_tells_the_spectrograph(tmp_path: Path, plate: int, survey: str) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits", plate=plate))
    assert spectrum.survey == survey


def test_an_sdss_file_off_the_usual_grid_keeps_its_own_wavelengths(tmp_path: Path) -> None:
    loglam = (made.START + 2.3e-4 * np.arange(made.N)).astype("f4")
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits", loglam=loglam))
    np.testing.assert_array_equal(spectrum.wavelength, 10.0 ** loglam.astype("f8"))


def test_an_sdss_file_without_ivar_is_read_without(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits", ivar=None))
    assert spectrum.ivar is None


def test_a_table_of_sdss_spectra_gives_one_a_row(tmp_path: Path) -> None:
    flux, ivar = (np.array(rows) for rows in zip(*(made.pixels(seed) for seed in range(3)), strict=True))
    hdu = made.table(
        PLATE=np.array([7680, 7680, 7681], "i4"), MJD=np.full(3, 58131, "i4"), FIBERID=np.ones(3, "i4"),
        flux=flux, ivar=ivar,
    )  # fmt: skip
    hdu.header.update({"COEFF0": 3.5563025, "COEFF1": 1e-4})
    hdu.writeto(tmp_path / "many.fits")
    found = made.spectra(tmp_path / "many.fits")
    assert [s.spectrum_id for s in found] == ["7680-58131-0001-0", "7680-58131-0001-1", "7681-58131-0001"]
    assert [s.source_row for s in found] == [0, 1, 2]
    assert [s.loglam0 for s in found] == [3.5563025] * 3
    np.testing.assert_array_equal(found[2].flux, flux[2])


def test_desi_arms_are_joined_by_ivar_where_they_overlap(tmp_path: Path) -> None:
    path = made.desi(tmp_path / "coadd.fits", [39627866878511337, -17])
    found = made.spectra(path)
    with fits.open(path) as hdus:
        b, r, wb, wr = (hdus[name].data[1].astype("f8") for name in ("B_FLUX", "R_FLUX", "B_IVAR", "R_IVAR"))
        blue, red = hdus["B_WAVELENGTH"].data, hdus["R_WAVELENGTH"].data
    joined = found[1]
    assert joined.ivar is not None and joined.wavelength is not None
    np.testing.assert_allclose(joined.wavelength, np.concatenate([blue, red[5:]]), rtol=1e-12)
    np.testing.assert_array_equal(joined.flux[:10], b[:10].astype("f4"))
    np.testing.assert_array_equal(joined.flux[300:], r[105:].astype("f4"))
    both = (wb[195:] * b[195:] + wr[:5] * r[:5]) / (wb[195:] + wr[:5])
    np.testing.assert_array_equal(joined.flux[195:200], both.astype("f4"))
    np.testing.assert_array_equal(joined.ivar[195:200], (wb[195:] + wr[:5]).astype("f4"))


@pytest.mark.parametrize("compressed", [False, True])
def test_a_masked_desi_pixel_has_no_weight(tmp_path: Path, compressed: bool) -> None:
    (spectrum,) = made.spectra(made.desi(tmp_path / "coadd.fits", [1], compressed=compressed))
    assert spectrum.ivar is not None
    assert np.flatnonzero(spectrum.ivar == 0).tolist() == [10, 205]


def test_desi_spectra_are_called_by_target_and_where_needed_by_exposure(tmp_path: Path) -> None:
    found = made.spectra(made.desi(tmp_path / "spectra.fits", [5, 6, 5, 7, 7], [90, 90, 91, 92, 92]))
    assert [s.spectrum_id for s in found] == ["5-90", "6", "5-91", "7-92-3", "7-92-4"]
    assert [s.target_id for s in found] == ["5", "6", "5", "7", "7"]
    assert (found[0].ra, found[0].dec, found[0].mjd) == (10.5, -3.25, 59311.5)


def test_a_desi_file_with_an_arm_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = made.desi(tmp_path / "coadd.fits", [1, 2])
    with fits.open(path) as hdus:
        hdus["R_IVAR"].data = hdus["R_IVAR"].data[:1].copy()
        hdus.writeto(tmp_path / "short.fits")
    assert "R_IVAR" in str(made.error(tmp_path / "short.fits"))


def test_a_desi_mask_of_another_shape_is_refused(tmp_path: Path) -> None:
    path = made.desi(tmp_path / "coadd.fits", [1, 2])
    with fits.open(path) as hdus:
        hdus["R_MASK"].data = hdus["R_MASK"].data[:1].copy()
        hdus.writeto(tmp_path / "short.fits")
    assert "R_MASK has the shape" in str(made.error(tmp_path / "short.fits"))


def test_lamost_spectra_of_both_layouts_hold_the_same(tmp_path: Path) -> None:
    (old,) = made.spectra(made.lamost_old(tmp_path / "old.fits"))
    (new,) = made.spectra(made.lamost_new(tmp_path / "new.fits"))
    flux, ivar = made.pixels()
    for spectrum in (old, new):
        np.testing.assert_array_equal(spectrum.flux, flux)
        np.testing.assert_array_equal(spectrum.ivar, ivar)
        assert (spectrum.loglam0, spectrum.dloglam, spectrum.survey) == (made.START, made.STEP, "lamost")
        assert (spectrum.ra, spectrum.dec) == (99.36558, 27.277239)
        assert spectrum.mjd == pytest.approx(55861.8351, abs=1e-4)
        assert spectrum.target_id == "LAMOST J063727.73+271638.0"


def test_lamost_spectra_are_called_by_observation_else_by_their_released_name(tmp_path: Path) -> None:
    (old,) = made.spectra(made.lamost_old(tmp_path / "old.fits"))
    (new,) = made.spectra(made.lamost_new(tmp_path / "new.fits"))
    assert (old.spectrum_id, new.spectrum_id) == ("spec-55862-B6212_sp06-007", "101001")


def test_any_format_may_be_gzipped(tmp_path: Path) -> None:
    (packed,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits.gz"))
    (plain,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits"))
    assert packed.digest == plain.digest


def test_a_format_that_is_named_is_believed(tmp_path: Path) -> None:
    path = made.lamost_new(tmp_path / "new.fits")
    (spectrum,) = made.spectra(path, format="table")
    assert spectrum.survey is None
    assert "flux and loglam" in str(made.error(path, format="sdss"))
    assert "FIBERMAP" in str(made.error(path, format="desi"))


def test_spectra_say_of_which_exposure_plate_and_fibre_they_are(tmp_path: Path) -> None:
    def groups(path: Path) -> tuple[str | None, ...]:
        (spectrum,) = made.spectra(path)
        return spectrum.exposure, spectrum.plate, spectrum.fiber

    sdss = made.sdss_spec(tmp_path / "spec.fits")
    assert groups(sdss) == (None, "0266-51602-1", "0013"), "the first of two spectrographs"
    boss = made.sdss_spec(tmp_path / "boss.fits", plate=5400)
    fits.setval(boss, "FIBERID", value=501)
    assert groups(boss) == (None, "5400-51602-2", "0501")
    assert groups(made.lamost_old(tmp_path / "lamost.fits")) == (None, "55862-B6212-sp06", "sp06-007")
    desi = made.desi(tmp_path / "spectra.fits", [7], exposures=[98])
    assert groups(desi) == (None, None, None), "without its petal an exposure has ten spectrographs"
    with fits.open(desi, mode="update") as hdus:
        places = made.table(TARGETID=[7], EXPID=[98], TILEID=[1000], NIGHT=[20210401], FIBER=[1513])
        places.name = "FIBERMAP"
        hdus["FIBERMAP"] = places
    assert groups(desi) == ("00000098-3", "1000-20210401-3", "1513")
