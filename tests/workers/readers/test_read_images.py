"""FITS images whose header says where the pixels lie: each of the ways in which it may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from tests.support import made_files as made

FLUX, IVAR = made.pixels()
LINEAR = 4000 + 2.0 * np.arange(made.N)


def image(path: Path, data: Any = FLUX, *beside: Any, **cards: Any) -> Path:
    """A primary image with these cards in its header; a name like DC_FLAG is DC-FLAG."""
    hdu = fits.PrimaryHDU(np.asarray(data, "f4"))
    hdu.header.update({name.replace("DC_FLAG", "DC-FLAG"): value for name, value in cards.items()})
    fits.HDUList([hdu, *beside]).writeto(path)
    return path


WAYS: dict[str, tuple[dict[str, Any], Any]] = {
    "CDELT": ({"CRVAL1": 4000.0, "CDELT1": 2.0}, LINEAR),
    "CD": ({"CRVAL1": 4000.0, "CD1_1": 2.0, "CTYPE1": "LINEAR"}, LINEAR),
    "reference in the middle": ({"CRVAL1": 4298.0, "CDELT1": 2.0, "CRPIX1": 150.0}, LINEAR),
    "nanometres": ({"CRVAL1": 400.0, "CDELT1": 0.2, "CUNIT1": "nm"}, LINEAR),
    "metres": ({"CRVAL1": 4e-7, "CDELT1": 2e-10, "CUNIT1": "m", "CTYPE1": "WAVE"}, LINEAR),
    "Angstroms": ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CUNIT1": "Angstroms"}, LINEAR),
    "IRAF's words": (
        {"CRVAL1": 4000.0, "CD1_1": 2.0, "WAT1_001": "wtype=linear label=Wavelength units=angstroms"},
        LINEAR,
    ),
    "IRAF's nanometres": ({"CRVAL1": 400.0, "CD1_1": 0.2, "WAT1_001": "wtype=linear units=nm"}, LINEAR),
    "DC-FLAG": ({"CRVAL1": 3.6, "CD1_1": 1e-4, "DC_FLAG": 1}, 10 ** (3.6 + 1e-4 * np.arange(made.N))),
    "LOG": ({"CRVAL1": 3.6, "CDELT1": 1e-4, "CTYPE1": "LOG-LINEAR"}, 10 ** (3.6 + 1e-4 * np.arange(made.N))),
    "bare logarithm": ({"CRVAL1": 3.6, "CDELT1": 1e-4}, 10 ** (3.6 + 1e-4 * np.arange(made.N))),
    "COEFF": ({"COEFF0": 3.6, "COEFF1": 1e-4}, 10 ** (3.6 + 1e-4 * np.arange(made.N))),
    "WAVE-LOG": (
        {"CRVAL1": 4000.0, "CDELT1": 2.0, "CTYPE1": "WAVE-LOG", "CUNIT1": "Angstrom"},
        4000 * np.exp(2 * np.arange(made.N) / 4000),
    ),
    "natural logarithm": (
        {"CRVAL1": 8.3, "CDELT1": 2e-4, "CTYPE1": "WAVE-LOG"},
        np.exp(8.3 + 2e-4 * np.arange(made.N)),
    ),
    "falling": ({"CRVAL1": 4598.0, "CDELT1": -2.0}, LINEAR),
}


@pytest.mark.parametrize("way", WAYS)
def test_the_header_says_where_the_pixels_lie(tmp_path: Path, way: str) -> None:
    cards, right = WAYS[way]
    (spectrum,) = made.spectra(image(tmp_path / "i.fits", **cards))
    assert spectrum.wavelength is not None
    np.testing.assert_allclose(spectrum.wavelength, right, rtol=1e-9)
    np.testing.assert_array_equal(spectrum.flux, FLUX[::-1] if way == "falling" else FLUX)


@pytest.mark.parametrize(
    "cards",
    [
        {},
        {"CTYPE1": "PIXEL", "CRVAL1": 1, "CDELT1": 1},
        {"CRVAL1": 1.0, "CDELT1": 1.0, "CRPIX1": 1.0},
        {"CRVAL1": 0.0, "CDELT1": 1.0},
        {"CRVAL1": 4000.0},
        {"CRVAL1": 4000.0, "CDELT1": 0.0},
        {"CRVAL1": "4000 A", "CDELT1": "two"},
        {"CTYPE1": "RA---TAN", "CRVAL1": 150.0, "CDELT1": 1e-4},
    ],
)
def test_without_an_axis_there_is_no_answer(tmp_path: Path, cards: dict[str, Any]) -> None:
    assert "nothing in the file gives wavelengths" in str(made.error(image(tmp_path / "i.fits", **cards)))


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("IMAGETYP", "comp"), ("IMAGETYP", "flat"), ("OBSTYPE", "ARC"), ("OBJECT", "HeNeAr"),
        ("OBJECT", "SKY"), ("HIERARCH ESO DPR TYPE", "LAMP,WAVE"), ("OBJECT", "Sensitivity function"),
    ],
)  # fmt: skip
def test_what_its_header_calls_a_calibration_or_sky_is_refused(tmp_path: Path, key: str, said: str) -> None:
    error = made.error(image(tmp_path / "i.fits", **(AXIS | {key: said})))
    assert f"= {said}: a calibration or sky" in str(error)


@pytest.mark.parametrize("said", ["Skylark", "NGC 2419 arc", "SN 2011fe", "Comp Cen", "Dark Doodad", "Ar 7"])
def test_objects_whose_names_sound_like_calibrations_are_read(tmp_path: Path, said: str) -> None:
    (spectrum,) = made.spectra(image(tmp_path / "i.fits", **(AXIS | {"OBJECT": said})))
    assert spectrum.target_id == said


@pytest.mark.parametrize("zero", [0.0, 100.0])
def test_whole_numbers_with_a_scale_are_flux(tmp_path: Path, zero: float) -> None:
    hdu = fits.PrimaryHDU(FLUX.copy())
    hdu.header.update(AXIS)
    hdu.scale("int32", bscale=1e-5, bzero=zero)
    hdu.writeto(tmp_path / "i.fits")
    (spectrum,) = made.spectra(tmp_path / "i.fits")
    np.testing.assert_allclose(spectrum.flux, FLUX, atol=2e-5)


@pytest.mark.parametrize(
    ("cards", "said"),
    [
        ({"CRVAL1": 400.0, "CDELT1": 0.2}, "--wavelength-unit"),
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CUNIT1": "wombat"}, "wombat"),
        ({"CRVAL1": 4000.0, "CDELT1": 2.0, "CUNIT1": "m"}, "optical"),
    ],
)
def test_an_axis_that_cannot_be_light_is_refused(tmp_path: Path, cards: dict[str, Any], said: str) -> None:
    assert said in str(made.spectra_errors(image(tmp_path / "i.fits", **cards))[0])


AXIS = {"CRVAL1": 4000.0, "CDELT1": 2.0, "CUNIT1": "Angstrom"}


@pytest.mark.parametrize("shape", [(20, made.N), (30, 30, made.N), (2, made.N)])
def test_rows_of_which_nothing_says_what_they_are_are_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = image(tmp_path / "i.fits", np.ones(shape), **AXIS)
    assert "which of its rows are spectra" in str(made.error(path))


ERROR = np.where(IVAR > 0, 1 / np.sqrt(np.where(IVAR > 0, IVAR, 1)), 0).astype("f4")
NOISE = {
    "IVAR": IVAR,
    "ERROR": ERROR,
    "VARIANCE": ERROR**2,
    "SIGMA": ERROR,
    "ERRS": ERROR,
}


@pytest.mark.parametrize("name", NOISE)
def test_noise_beside_an_image_is_known_by_its_name(tmp_path: Path, name: str) -> None:
    path = image(tmp_path / "i.fits", FLUX, fits.ImageHDU(NOISE[name], name=name), **AXIS)
    (spectrum,) = made.spectra(path)
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-5)


@pytest.mark.parametrize("name", ["IVAR", "ERROR", "VARIANCE"])
def test_noise_without_a_name_is_known_by_the_scatter_of_flux(tmp_path: Path, name: str) -> None:
    error = np.full(made.N, 0.05)
    flux = np.random.default_rng(3).normal(3, error)
    held = {"IVAR": error**-2, "ERROR": error, "VARIANCE": error**2}[name]
    (spectrum,) = made.spectra(image(tmp_path / "i.fits", flux, fits.ImageHDU(held), **AXIS))
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.ivar, error**-2, rtol=1e-5)


def test_bands_are_a_spectrum_its_noise_and_by_products(tmp_path: Path) -> None:
    bands = np.array([[FLUX], [FLUX * 3], [FLUX * 0 + 1], [ERROR]])
    names = (
        "spectrum - background fit",
        "raw - background fit",
        "background - fit",
        "sigma - background fit",
    )
    path = image(
        tmp_path / "i.fits", bands, **AXIS, **{f"BANDID{n + 1}": said for n, said in enumerate(names)}
    )
    (spectrum,) = made.spectra(path)
    np.testing.assert_array_equal(spectrum.flux, FLUX)
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-5)


def multispec(path: Path, *solutions: str) -> Path:
    """Rows with a solution each, the text cut into cards of 68 characters wherever that falls."""
    said = "wtype=multispec " + " ".join(f'spec{n + 1} = "{s}"' for n, s in enumerate(solutions))
    cards = {f"WAT2_{n + 1:03d}": said[68 * n : 68 * n + 68] for n in range(-(-len(said) // 68))}
    data = np.array([FLUX * (n + 1) for n in range(len(solutions))])
    return image(
        path, data, WAT0_001="system=multispec", WAT1_001="wtype=multispec units=angstroms",
        CTYPE1="MULTISPE", CTYPE2="MULTISPE", CD1_1=1.0, **cards,
    )  # fmt: skip


def test_each_row_of_a_multispec_has_its_own_axis(tmp_path: Path) -> None:
    n = made.N
    path = multispec(
        tmp_path / "m.fits",
        f"1 1 0 4000. 2.0 {n} 0. 1. 2.",
        f"2 2 1 3.6 0.0001 {n} 0. 1. 2.",
        f"3 3 2 4000. 2.0 {n} 0. 1. 2. 1. 0. 1 3 1. {n}. 4300. 299. 5.",
        f"4 4 2 4000. 2.0 {n} 0. 1. 2. 1. 0. 2 3 1. {n}. 4300. 299. 5.",
        f"5 5 0 4040. 2.02 {n} 0.01 1. 2.",
        f"6 6 2 4000. 2.0 {n} 0. 1. 2. 1. 0. 4 1 1. {n}. 4000. 4598.",
        f"7 7 2 4000. 2.0 {n} 0. 1. 2. 1. 0. 3 2 1. {n}. 616.8 666.6 716.4 766.2 816.",
    )
    x = np.linspace(-1, 1, n)
    right = [
        LINEAR,
        10 ** (3.6 + 1e-4 * np.arange(n)),
        4300 + 299 * x + 5 * (2 * x**2 - 1),
        4300 + 299 * x + 5 * (3 * x**2 - 1) / 2,
        LINEAR,
        LINEAR,
    ]
    found = made.spectra(path)
    for spectrum, wavelength in zip(found, right, strict=False):
        assert spectrum.wavelength is not None
        np.testing.assert_allclose(spectrum.wavelength, wavelength, rtol=1e-7)
    assert [s.spectrum_id for s in found] == [f"m-{row}" for row in range(7)]
    spline = found[6].wavelength  # even terms make a straight line: six times the term at each knot
    assert spline is not None
    np.testing.assert_allclose(np.diff(spline), np.full(n - 1, 6 * 49.8 * 2 / (n - 1)), rtol=1e-6)
    assert spline[0] == pytest.approx(6 * 666.6)


def test_a_row_without_a_calibration_is_an_error_in_its_place(tmp_path: Path) -> None:
    path = multispec(
        tmp_path / "m.fits", f"1 1 -1 1. 1. {made.N} 0. 1. 2.", f"2 2 0 4000. 2. {made.N} 0. 1. 2."
    )
    first, second = made_items(path)
    assert "dispersion type" in str(first)
    assert second.spectrum_id == "m-1"


def made_items(path: Path) -> list[Any]:
    return list(made.read(path, note=lambda sentence: None))


def test_fibres_on_no_object_are_left_out(tmp_path: Path) -> None:
    table = made.table(NAME=["a", "sky", "b"], RA=np.radians([10.0, 11, 12]), DEC=np.radians([1.0, 2, 3]))
    fibres = fits.BinTableHDU.from_columns([*table.columns, fits.Column("TYPE", "1A", array=["P", "S", "P"])])
    fibres.name = "FIBRES"
    variance = fits.ImageHDU(np.ones((3, made.N), "f4"), name="VARIANCE")
    path = image(tmp_path / "i.fits", np.array([FLUX, FLUX * 2, FLUX * 3]), variance, fibres, **AXIS)
    found = made.spectra(path)
    assert [(s.spectrum_id, round(s.ra or 0, 6), round(s.dec or 0, 6)) for s in found] == [
        ("a", 10.0, 1.0),
        ("b", 12.0, 3.0),
    ]
    np.testing.assert_array_equal(found[1].flux, FLUX * 3)


def test_an_spspec_file_lies_where_coeff_says(tmp_path: Path) -> None:
    rows = np.array([FLUX, FLUX * 0, ERROR, FLUX * 0, FLUX])
    path = image(
        tmp_path / "spSpec.fit", rows, COEFF0=3.5786, COEFF1=1e-4, PLATEID=266, MJD=51602, FIBERID=107,
        CRVAL1=3.5786, CD1_1=1e-4, RAOBJ=146.6, DECOBJ=-0.78, RA=145.0, DEC=0.1,
    )  # fmt: skip
    (spectrum,) = made.spectra(path)
    assert (spectrum.loglam0, spectrum.dloglam, spectrum.spectrum_id) == (3.5786, 1e-4, "0266-51602-0107")
    assert (spectrum.ra, spectrum.dec, spectrum.survey) == (146.6, -0.78, "sdss")
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-5)


def test_sexagesimal_positions_are_read_and_those_of_another_equinox_are_not(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(
        image(tmp_path / "a.fits", RA="10:00:00.0", DEC="-00:30:00", OBJECT="x", **AXIS)
    )
    assert (spectrum.ra, spectrum.dec, spectrum.target_id) == (150.0, -0.5, "x")
    (old,) = made.spectra(
        image(tmp_path / "b.fits", RA="10:00:00.0", DEC="-00:30:00", EQUINOX=1950.0, **AXIS)
    )
    assert (old.ra, old.dec) == (None, None)


def test_an_axis_of_another_image_is_not_taken_for_this_ones(tmp_path: Path) -> None:
    other = fits.ImageHDU(np.ones((9, 50), "f4"))
    other.header.update(AXIS)
    (error,) = made.spectra_errors(image(tmp_path / "i.fits", FLUX, other))
    assert "nothing in the file gives wavelengths" in str(error)


def test_rows_of_one_object_are_told_by_their_labels(tmp_path: Path) -> None:
    labels = ("Spectrum", "Error", "Spectrum_nocalib", "Error_nocalib", "Sky")
    rows = np.array([FLUX, ERROR, FLUX * 9, ERROR * 9, FLUX * 0 + 5])
    cards = {f"ROW{n + 1}": label for n, label in enumerate(labels)}
    (spectrum,) = made.spectra(image(tmp_path / "i.fits", rows, **AXIS, **cards))
    np.testing.assert_array_equal(spectrum.flux, FLUX)
    assert spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-5)


def test_both_arms_of_6dfgs_are_taken_where_they_are_in_one(tmp_path: Path) -> None:
    arms = []
    for name, factor in (("SPECTRUM V", 2), ("SPECTRUM R", 3), ("SPECTRUM VR", 1)):
        hdu = fits.ImageHDU(np.array([FLUX * factor, ERROR**2, FLUX * 0, LINEAR], "f4"), name=name)
        hdu.header.update(AXIS)
        arms.append(hdu)
    fits.HDUList([fits.PrimaryHDU(), *arms]).writeto(tmp_path / "6df.fits")
    (spectrum,) = made.spectra(tmp_path / "6df.fits")
    np.testing.assert_array_equal(spectrum.flux, FLUX)


def test_a_logarithmic_axis_is_known_by_its_size_where_its_flag_is_lost(tmp_path: Path) -> None:
    cards = {"CRVAL1": 3.6, "CD1_1": 1e-4, "WAT1_001": "wtype=linear label=Wavelength units=angstroms"}
    (spectrum,) = made.spectra(image(tmp_path / "i.fits", **cards))
    assert spectrum.vacuum_wavelength()[0] == pytest.approx(10**3.6)


def test_a_place_of_the_axis_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    path = image(tmp_path / "i.fits", **AXIS, CRPIX1="middle")
    assert "CRPIX1" in str(made.spectra_errors(path)[0])


@pytest.mark.parametrize("lost", ["PLATEID", "FIBERID", "MJD", "VACUUM", "BUNIT", "COEFF0", "COEFF1"])
def test_an_spspec_file_that_lost_a_keyword_lies_where_it_did(tmp_path: Path, lost: str) -> None:
    cards = {
        "COEFF0": 3.5786, "COEFF1": 1e-4, "PLATEID": 266, "MJD": 51602, "FIBERID": 107, "VACUUM": True,
        "BUNIT": "1.0E-17 erg/cm/s/Ang", "TELESCOP": "SDSS 2.5-M", "CRVAL1": 3.5786, "CD1_1": 1e-4,
    }  # fmt: skip
    rows = np.array([FLUX, FLUX * 0, ERROR, FLUX * 0, FLUX])
    kept = {key: value for key, value in cards.items() if key != lost}
    (spectrum,) = made.spectra(image(tmp_path / "spSpec.fit", rows, **kept))
    assert (spectrum.loglam0, spectrum.dloglam) == (3.5786, 1e-4)
    np.testing.assert_array_equal(spectrum.flux, FLUX)
