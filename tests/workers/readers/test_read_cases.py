"""FITS files as people have them, each with the class and redshift that is known of its pixels."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import pytest

import spectraq
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read

SHARED = Path(__file__).parents[4] / "shared"
GAL, QSO, STAR = ("GALAXY", 0.12313, 2e-4), ("QSO", 0.87617, 2e-3), ("STAR", -0.00017, 2e-4)
AIR: dict[str, Any] = {"medium": "air"}


@pytest.fixture(scope="module")
def shared() -> Path:
    if not (SHARED / "cases").is_dir():
        message = "no files of people's beside the checkout (../shared/cases)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return SHARED


def answers(path: Path, **options: Any) -> list[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(spectraq.analyze(path, **options))


CASES: dict[str, tuple[list[tuple[str, float, float]], dict[str, Any]]] = {
    "several-spectra/three-extensions.fits": ([GAL, QSO, STAR], {}),
    "several-spectra/mwmStar-two-observatories.fits": ([GAL, STAR], {}),
    "quality-columns/eso-p3-qual.fits": ([("GALAXY", 0.12313, 3e-4)], AIR),
    "quality-columns/fourmost-l1.fits": ([GAL], {}),
    "quality-columns/pypeit-onespec.fits": ([GAL], {}),
    "images-with-axis/iraf-log-linear.fits": ([GAL], {}),
    "images-with-axis/iraf-apall-4-bands.fits": ([GAL], {}),
    "images-with-axis/iraf-multispec-linear.fits": ([GAL, GAL], {}),
    "images-with-axis/iraf-multispec-log-linear.fits": ([GAL, GAL], {}),
    "images-with-axis/2dfdr-aaomega.fits": ([GAL], {}),
    "images-with-axis/weave-l1.fits": ([GAL, QSO], {}),
    "through-specutils/spSpec-51602-0266-107.fit": ([("GALAXY", 0.12313, 3e-5)], {}),
    "through-specutils/spPlate-0266-51602.fits": ([GAL] * 6, {}),
    "through-specutils/gama.fits": ([GAL], {}),
    "column-names/vipers.fits": ([GAL], {}),
}


@pytest.mark.parametrize("name", CASES)
def test_each_spectrum_of_a_file_has_the_class_and_redshift_of_its_pixels(shared: Path, name: str) -> None:
    right, options = CASES[name]
    found = answers(shared / "cases" / name, **options)
    assert [answer.classification.spectype for answer in found] == [spectype for spectype, _, _ in right]
    for answer, (_, z, tolerance) in zip(found, right, strict=True):
        assert answer.redshift.z == pytest.approx(z, abs=tolerance)


SNR = {
    "images-with-axis/iraf-apall-4-bands.fits": (17, 22),
    "images-with-axis/2dfdr-aaomega.fits": (17, 22),
    "column-names/vipers.fits": (17.3, 21.1),
    "quality-columns/fourmost-l1.fits": (17.3, 21.1),
}


@pytest.mark.parametrize("name", SNR)
def test_the_noise_of_a_file_is_used(shared: Path, name: str) -> None:
    (answer,) = answers(shared / "cases" / name)
    low, high = SNR[name]
    assert low < answer.classification.snr < high


@pytest.mark.parametrize("name", ["continuum-without-axis", "image-without-axis", "image-axis-of-pixels"])
def test_a_file_without_wavelengths_is_an_error_that_says_so(shared: Path, name: str) -> None:
    (item,) = read(shared / "cases" / "no-wavelengths" / f"{name}.fits", note=lambda sentence: None)
    assert isinstance(item, ReadError)
    assert "nothing in the file gives wavelengths" in str(item)


IDENTITIES = {
    "several-spectra/three-extensions.fits": [f"three-extensions-OBJ{n}" for n in (1, 2, 3)],
    "several-spectra/mwmStar-two-observatories.fits": ["54459273-BOSS/APO", "54459273-BOSS/LCO"],
    "images-with-axis/2dfdr-aaomega.fits": ["gal-107"],
    "images-with-axis/weave-l1.fits": ["WVE_a", "WVE_b"],
    "through-specutils/spSpec-51602-0266-107.fit": ["0266-51602-0107"],
    "through-specutils/spPlate-0266-51602.fits": [f"0266-51602-000{n}" for n in range(1, 7)],
}


@pytest.mark.parametrize("name", IDENTITIES)
def test_identities_are_those_of_the_file(shared: Path, name: str) -> None:
    found = list(read(shared / "cases" / name, note=lambda sentence: None))
    assert [getattr(item, "spectrum_id", str(item)) for item in found] == IDENTITIES[name]


def test_a_fibre_is_where_its_table_says(shared: Path) -> None:
    (fibre,) = read(shared / "cases/images-with-axis/2dfdr-aaomega.fits", note=lambda sentence: None)
    assert not isinstance(fibre, ReadError)
    assert (fibre.ra, fibre.dec) == (pytest.approx(146.5053, abs=1e-3), pytest.approx(-0.3667, abs=1e-3))
    first, second = read(shared / "cases/images-with-axis/weave-l1.fits", note=lambda sentence: None)
    assert [(s.ra, s.dec) for s in (first, second) if not isinstance(s, ReadError)] == [(1, 4), (2, 5)]


def test_what_is_left_out_is_said(shared: Path) -> None:
    said: list[str] = []
    assert len(list(read(shared / "cases/through-specutils/gama.fits", note=said.append))) == 1
    assert any("Spectrum_nocalib" in sentence and "Sky" in sentence for sentence in said)


FORMATS: dict[str, tuple[str, float, float]] = {
    "spSpec-51993-0542-631.fit": ("QSO", 2.2319, 0.01),
    "spec-4455-55539-0692-full.fits": ("STAR", 0.0, 1e-3),
    "spec-60591-LN042429N340750BM01_sp01-004.fits.gz": ("STAR", 0.00004916, 3e-4),
    "VANDELS_CDFS_017433.fits": ("GALAXY", 1.039, 0.005),
    "qso_z2.5_G20.1_1hr_obs.fits": ("QSO", 2.5, 0.02),
    "SDSSJ0842+1218_VIS.fits.gz": ("QSO", 6.07, 0.05),
    "spec1d.A773.WHT_R316R.Q1_EXT1.008.fits": ("GALAXY", 0.26284, 1e-3),
    "SDSSJ220248.31+123656.3.fits": ("QSO", 2.50, 0.02),
}


@pytest.mark.parametrize("name", FORMATS)
def test_real_files_of_each_format_have_the_class_and_redshift_of_their_objects(
    shared: Path, name: str
) -> None:
    (answer,) = answers(shared / "data" / "formats" / name)
    spectype, z, tolerance = FORMATS[name]
    assert answer.classification.spectype == spectype
    assert answer.redshift.z == pytest.approx(z, abs=tolerance)


@pytest.mark.parametrize(
    ("name", "spectype"), [("spec-55859-F5902_sp01-002.fits.gz", "STAR"), ("PH957_f.fits", "QSO")]
)
def test_where_the_redshift_of_a_real_file_is_not_sure_it_is_flagged(
    shared: Path, name: str, spectype: str
) -> None:
    # One is badly calibrated in flux, the other divided by its continuum: the class is right, zwarn is set.
    (answer,) = answers(shared / "data" / "formats" / name)
    assert answer.classification.spectype == spectype
    assert answer.redshift.zwarn != 0


def test_arms_of_medium_resolution_are_one_star(shared: Path) -> None:
    (item,) = read(
        shared / "data/formats/med-58408-TD230151N343645T01_sp01-015.fits.gz", note=lambda sentence: None
    )
    assert not isinstance(item, ReadError)
    wavelength = item.vacuum_wavelength()
    assert wavelength[0] < 5000 < 6800 < wavelength[-1]


def test_an_image_that_calls_itself_an_error_is_no_spectrum(shared: Path) -> None:
    (item,) = read(shared / "data/formats/PH957_e.fits", note=lambda sentence: None)
    assert isinstance(item, ReadError)
