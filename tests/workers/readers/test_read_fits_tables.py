"""FITS tables: several spectra in a file, and what it says of its own noise, quality and units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.support import made_files as made

FLUX, IVAR = made.pixels()
GOOD = IVAR > 0
ERROR = np.where(GOOD, 1 / np.sqrt(np.where(GOOD, IVAR, 1)), 0).astype("f4")
WAVE = 4000 + 2.0 * np.arange(made.N)


def part(
    name: str = "", units: dict[str, str] | None = None, cards: dict[str, Any] | None = None, **arrays: Any
) -> Any:
    """A table of wavelength, flux, error and whatever else; None takes a column away."""
    columns = {"wave": WAVE, "flux": FLUX, "error": ERROR} | arrays
    hdu = made.table(**{key: values for key, values in columns.items() if values is not None})
    for key, unit in (units or {}).items():
        hdu.columns[key].unit = unit
    hdu.name = name
    hdu.header.update(cards or {})
    return hdu


def file(path: Path, *parts: Any, **cards: Any) -> Path:
    primary = fits.PrimaryHDU()
    primary.header.update(cards)
    fits.HDUList([primary, *parts]).writeto(path)
    return path


def notes(path: Path, **options: Any) -> list[str]:
    said: list[str] = []
    list(made.read(path, note=said.append, **options))
    return said


def one(path: Path, *parts: Any, **cards: Any) -> Any:
    (spectrum,) = made.spectra(file(path, *parts, **cards))
    return spectrum


def test_each_table_of_a_file_is_a_spectrum_with_a_name_of_its_own(tmp_path: Path) -> None:
    found = made.spectra(file(tmp_path / "f.fits", *(part(f"OBJ{n}", flux=FLUX * n) for n in (1, 2, 3))))
    assert [s.spectrum_id for s in found] == ["f-OBJ1", "f-OBJ2", "f-OBJ3"]
    assert [s.source_row for s in found] == [0, 1, 2]
    np.testing.assert_array_equal(found[2].flux, FLUX * 3)


def test_tables_without_names_are_told_apart_by_number(tmp_path: Path) -> None:
    found = made.spectra(file(tmp_path / "f.fits", part(), part(flux=FLUX * 2)))
    assert [s.spectrum_id for s in found] == ["f-HDU1", "f-HDU2"]


def test_several_tables_of_flux_and_loglam_are_no_spec_file_of_the_first(tmp_path: Path) -> None:
    parts = [part(f"OBJ{n}", wave=None, loglam=made.LOGLAM.astype("f4"), flux=FLUX * n) for n in (1, 2)]
    assert len(made.spectra(file(tmp_path / "f.fits", *parts))) == 2


@pytest.mark.parametrize("names", [("B", "R"), ("COADD_B", "COADD_R"), ("BLUE", "RED"), ("UVB", "VIS")])
def test_arms_are_joined(tmp_path: Path, names: tuple[str, str]) -> None:
    spectrum = one(tmp_path / "f.fits", part(names[0]), part(names[1], wave=WAVE + 1000.0))
    assert spectrum.n_pixels == 2 * made.N
    assert (spectrum.wavelength[0], spectrum.wavelength[-1]) == (4000.0, 5598.0)


def test_arms_of_one_range_are_spectra_of_their_own(tmp_path: Path) -> None:
    assert len(made.spectra(file(tmp_path / "f.fits", part("B"), part("R")))) == 2


def test_sky_and_single_exposures_are_left_out_and_said(tmp_path: Path) -> None:
    path = file(tmp_path / "f.fits", part("COADD"), part("SKY"), part("EXP-0012345"))
    assert len(made.spectra(path)) == 1
    assert any("SKY" in said and "EXP-0012345" in said for said in notes(path))


def test_a_long_table_has_a_spectrum_a_name(tmp_path: Path) -> None:
    names = np.repeat(["b", "a"], made.N)
    hdu = part(
        object_id=names, wave=np.tile(WAVE, 2), flux=np.concatenate([FLUX, FLUX * 2]), error=np.tile(ERROR, 2)
    )
    first, second = made.spectra(file(tmp_path / "f.fits", hdu))
    assert (first.spectrum_id, second.spectrum_id) == ("b", "a")
    np.testing.assert_array_equal(second.flux, FLUX * 2)


def test_a_number_a_pixel_is_no_name_of_an_object(tmp_path: Path) -> None:
    assert one(tmp_path / "f.fits", part(id=np.arange(made.N, dtype="i4"))).spectrum_id == "f"


MARKED = np.zeros(made.N, "i4")
MARKED[100:110] = 4


@pytest.mark.parametrize("name", ["QUAL", "DQ", "flags", "mask", "quality", "BADPIX", "data_quality"])
def test_pixels_that_a_column_of_quality_marks_are_not_used(tmp_path: Path, name: str) -> None:
    spectrum = one(tmp_path / "f.fits", part(**{name: MARKED}))
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD & (MARKED == 0))


@pytest.mark.parametrize(
    ("name", "cards"),
    [("good", {}), ("goodpix", {}), ("mask", {"DMODCLS": "OneSpec"}), ("mask", {"PYP_SPEC": "x"})],
)
def test_where_1_is_good_it_is_taken_so(tmp_path: Path, name: str, cards: dict[str, Any]) -> None:
    spectrum = one(tmp_path / "f.fits", part(**{name: (MARKED == 0).astype("i4")}, cards=cards))
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD & (MARKED == 0))


def test_a_mask_of_the_other_sense_is_known_by_what_was_not_measured(tmp_path: Path) -> None:
    path = file(tmp_path / "f.fits", part(mask=GOOD.astype("i4")))
    (spectrum,) = made.spectra(path)
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD)
    assert any("0 bad" in said for said in notes(path))


def test_a_mask_of_unknown_sense_that_takes_most_pixels_is_refused(tmp_path: Path) -> None:
    mask = (np.arange(made.N) % 10 != 3).astype("i4")
    assert "sense" in str(made.spectra_errors(file(tmp_path / "f.fits", part(mask=mask)))[0])


CGS = "erg / (s cm2 Angstrom)"


@pytest.mark.parametrize(
    ("name", "unit", "values"),
    [
        ("error", "1e-17 erg / (s cm2 Angstrom)", ERROR),
        ("error", None, ERROR * 1e-17),
        ("error", "W / m3", ERROR * 1e-10),
        ("ivar", None, IVAR * 1e34),
        ("ivar", "1e34 s2 cm4 Angstrom2 / erg2", IVAR),
        ("variance", "1e-34 erg2 / (s2 cm4 Angstrom2)", ERROR**2),
    ],
)
def test_noise_has_a_unit_of_its_own(tmp_path: Path, name: str, unit: str | None, values: Any) -> None:
    units = {"flux": CGS} | ({name: unit} if unit else {})
    columns = {"error": None} | {name: np.asarray(values, "f8")}
    spectrum = one(tmp_path / "f.fits", part(units=units, flux=FLUX.astype("f8") * 1e-17, **columns))
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-4)


def test_noise_whose_unit_does_not_go_with_flux_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "f.fits", part(units={"flux": CGS, "error": "Angstrom"}))
    assert "error has the unit Angstrom" in str(made.spectra_errors(path)[0])


def test_a_unit_that_is_not_understood_is_named(tmp_path: Path) -> None:
    said = notes(file(tmp_path / "f.fits", part(units={"flux": "wombat"})))
    assert any("wombat" in sentence for sentence in said)
    assert not any("no unit" in sentence and "flux" in sentence for sentence in said)
    path = file(tmp_path / "w.fits", part(units={"wave": "wombat"}))
    assert "wombat" in str(made.error(path))
    assert len(made.spectra(path, wavelength_unit="angstrom")) == 1


def test_wavelengths_that_begin_where_no_angstrom_do_need_a_unit(tmp_path: Path) -> None:
    path = file(tmp_path / "f.fits", part(wave=np.linspace(380, 1260, made.N)))
    assert "--wavelength-unit" in str(made.spectra_errors(path)[0])
    assert len(made.spectra(path, wavelength_unit="nm")) == 1


def test_a_column_of_noise_that_is_not_known_is_said(tmp_path: Path) -> None:
    assert any(
        "my_noise" in said for said in notes(file(tmp_path / "f.fits", part(error=None, my_noise=ERROR)))
    )


@pytest.mark.parametrize("value", [0.0, -999.0, -9999.0, 1e30, 3.4e38])
@pytest.mark.parametrize("noise", [True, False])
def test_what_stands_for_no_measurement_is_no_flux(tmp_path: Path, value: float, noise: bool) -> None:
    flux = FLUX.copy()
    flux[30:45] = value
    spectrum = one(tmp_path / "f.fits", part(flux=flux, error=ERROR if noise else None))
    used = np.isfinite(spectrum.flux) if spectrum.ivar is None else spectrum.ivar > 0
    assert not used[30:45].any()
    assert used[46:49].all()


def test_single_zeros_are_flux(tmp_path: Path) -> None:
    flux = FLUX.copy()
    flux[30:33] = 0
    assert (one(tmp_path / "f.fits", part(flux=flux)).ivar[30:33] > 0).all()


def test_eso_descriptors_say_that_wavelengths_are_in_air(tmp_path: Path) -> None:
    cards = {"TUCD1": "em.wl;obs.atmos"}
    assert one(tmp_path / "f.fits", part(units={"wave": "nm"}, wave=WAVE / 10, cards=cards)).medium == "air"


def test_position_and_target_come_from_the_header(tmp_path: Path) -> None:
    spectrum = one(tmp_path / "f.fits", part(), OBJECT="NGC 1", RA=10.5, DEC=-3.0)
    assert (spectrum.target_id, spectrum.ra, spectrum.dec) == ("NGC 1", 10.5, -3.0)


def test_a_file_without_wavelengths_says_so(tmp_path: Path) -> None:
    assert "wavelength" in str(made.error(file(tmp_path / "f.fits", part(wave=None))))


def test_the_format_table_gives_the_same_spectra(tmp_path: Path) -> None:
    path = file(tmp_path / "f.fits", part("OBJ1"), part("OBJ2"))
    assert len(made.spectra(path, format="table")) == 2


def test_a_desi_frame_of_one_arm_is_read(tmp_path: Path) -> None:
    fibermap = made.table(TARGETID=np.array([7, 8], "i8"), TARGET_RA=np.ones(2), TARGET_DEC=np.ones(2))
    fibermap.name = "FIBERMAP"
    images = {"FLUX": np.array([FLUX, FLUX]), "IVAR": np.array([IVAR, IVAR]), "WAVELENGTH": WAVE}
    hdus = [fits.ImageHDU(values, name=name) for name, values in images.items()]
    found = made.spectra(file(tmp_path / "cframe.fits", *hdus, fibermap))
    assert [(s.spectrum_id, s.survey) for s in found] == [("7", "desi"), ("8", "desi")]
    np.testing.assert_array_equal(found[1].flux, FLUX)


def test_a_coadd_whose_fibermap_is_called_so_is_desis(tmp_path: Path) -> None:
    made.desi(tmp_path / "c.fits", [5, 6])
    with fits.open(tmp_path / "c.fits") as hdus:
        hdus["FIBERMAP"].name = "COADD_FIBERMAP"
        hdus.writeto(tmp_path / "d.fits")
    assert [s.spectrum_id for s in made.spectra(tmp_path / "d.fits")] == ["5", "6"]


def test_an_sdss_v_spectrum_is_called_by_field_mjd_and_catalogue(tmp_path: Path) -> None:
    coadd = made.table(FLUX=FLUX, LOGLAM=made.LOGLAM.astype("f4"), IVAR=IVAR, AND_MASK=np.zeros(made.N, "i4"))
    coadd.name = "COADD"
    spall = made.table(
        FIELD=np.array([15000], "i4"), MJD=np.array([59146], "i4"), CATALOGID=np.array([4375924064], "i8"),
        PLUG_RA=np.array([10.5]), PLUG_DEC=np.array([-3.5]),
    )  # fmt: skip
    spall.name = "SPALL"
    spectrum = one(tmp_path / "spec.fits", coadd, spall)
    assert (spectrum.spectrum_id, spectrum.ra, spectrum.dec) == ("15000-59146-4375924064", 10.5, -3.5)
    assert (spectrum.survey, spectrum.mjd) == ("boss", 59146)


def test_a_table_of_loglam_that_is_none_of_sdss_keeps_its_own_noise_and_quality(tmp_path: Path) -> None:
    hdu = part(wave=None, loglam=made.LOGLAM, mask=MARKED)
    spectrum = one(tmp_path / "f.fits", hdu)
    np.testing.assert_array_equal(spectrum.ivar > 0, GOOD & (MARKED == 0))
    assert spectrum.survey is None


def test_lines_of_a_catalogue_are_no_spectrum(tmp_path: Path) -> None:
    places = np.random.default_rng(5).uniform(4000, 9000, made.N)
    assert "at random" in str(made.spectra_errors(file(tmp_path / "f.fits", part(wave=places)))[0])


def test_pixels_in_any_order_are_a_spectrum(tmp_path: Path) -> None:
    order = np.random.default_rng(6).permutation(made.N)
    hdu = part(wave=WAVE[order], flux=FLUX[order], error=ERROR[order])
    np.testing.assert_array_equal(one(tmp_path / "f.fits", hdu).flux, FLUX)


def test_noise_named_after_its_flux_goes_with_it(tmp_path: Path) -> None:
    hdu = part(error=ERROR * 9, flux=None, spec=FLUX, spec_err=ERROR)
    np.testing.assert_allclose(one(tmp_path / "f.fits", hdu).ivar, IVAR, rtol=1e-5)


def test_tables_of_one_name_are_told_apart(tmp_path: Path) -> None:
    found = made.spectra(file(tmp_path / "f.fits", part("EXTRACT1D"), part("EXTRACT1D")))
    assert [s.spectrum_id for s in found] == ["f-EXTRACT1D-1", "f-EXTRACT1D-2"]
