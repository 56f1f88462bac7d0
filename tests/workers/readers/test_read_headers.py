"""What a header says beside the pixels may be anything, or missing: the spectrum is read all the same."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from astropy.io import fits
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read
from tests.support import made_files as made
from tests.support.header_cards import VALUES, Card, cards, changed

NEEDED = re.compile(
    r"SIMPLE|BITPIX|NAXIS\d*|XTENSION|PCOUNT|GCOUNT|TFIELDS|TTYPE\d+|TFORM\d+|TDIM\d+|BZERO|BSCALE|TZERO\d+|TSCAL\d+"
    r"|COEFF[01]|EXTNAME|EXTEND|Z[A-Z]+\d*"
)
"""What FITS is made of, and what places or names the pixels."""
MEANT = re.compile(r"TUNIT\d+|[BC]UNIT\d?|VACUUM")
"""Units and the medium change what the pixels mean where they say something else."""


def images(path: Path) -> Path:
    """Flux, ivar and wavelength as images."""
    flux, ivar = made.pixels()
    arrays = {"FLUX": flux, "IVAR": ivar, "WAVELENGTH": 10**made.LOGLAM}
    hdus = [fits.PrimaryHDU(), *(fits.ImageHDU(array, name=name) for name, array in arrays.items())]
    hdus[0].header.update({"RA": 10.0, "DEC": 3.0, "MJD": 55555.5, "SURVEY": "mine", "OBJECT": "x"})
    fits.HDUList(hdus).writeto(path)
    return path


def header_grid(path: Path) -> Path:
    """A table whose header says where the pixels lie."""
    flux, ivar = made.pixels()
    table = made.table(flux=flux, ivar=ivar)
    table.header.update({"COEFF0": made.START, "COEFF1": made.STEP, "RA": 10.0, "DEC": 3.0, "MJD": 55555})
    fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    return path


def sdss_table(path: Path) -> Path:
    """SDSS spectra, one a row."""
    flux, ivar = (np.array(rows) for rows in zip(*(made.pixels(seed) for seed in range(2)), strict=True))
    table = made.table(
        PLATE=np.array([7680, 7681], "i4"), MJD=np.full(2, 58131, "i4"), FIBERID=np.ones(2, "i4"),
        flux=flux, ivar=ivar,
    )  # fmt: skip
    table.header.update({"COEFF0": 3.5563025, "COEFF1": 1e-4})
    table.writeto(path)
    return path


MAKERS: dict[str, Callable[[Path], Path]] = {
    "sdss": made.sdss_spec,
    "sdss_table": sdss_table,
    "desi": lambda path: made.desi(path, [1, 2], exposures=[3, 4]),
    "lamost_old": made.lamost_old,
    "lamost_new": made.lamost_new,
    "images": images,
    "header_grid": header_grid,
}
REAL = {
    "sdss": "spectra/sdss-pyqsofit/*.fits",
    "boss": "spectra/boss-squeze/*/*.fits",
    "lamost": "spectra/lamost-learninglamost/*.fits*",
}


def contents(path: Path) -> list[tuple[bytes, ...] | str]:
    """Pixels and wavelengths of each spectrum, or the error in its place."""
    found: list[tuple[bytes, ...] | str] = []
    for item in read(path, note=lambda _: None, known_only=True):
        if isinstance(item, ReadError):
            assert item.file == str(path)
            found.append(str(item))
            continue
        wavelength = item.wavelength if item.wavelength is not None else item.vacuum_wavelength()
        arrays = (item.flux, item.ivar, wavelength)
        found.append(tuple(b"" if array is None else array.tobytes() for array in arrays))
    return found


def check(whole: bytes, right: list[tuple[bytes, ...] | str], card: Card, value: str | None) -> None:
    """Assert that a changed keyword costs nothing, or is named where it is needed."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.fits"
        path.write_bytes(changed(whole, card, value))
        found = contents(path)
    if found == right or MEANT.fullmatch(card.keyword):
        return
    assert NEEDED.fullmatch(card.keyword), (card.keyword, value, found)
    errors = [item for item in found if isinstance(item, str)]
    assert not any("unknown variant" in error for error in errors), (card.keyword, value, errors)


@cache
def made_file(kind: str) -> tuple[bytes, tuple[Card, ...]]:
    """A right file of a kind, and its cards."""
    with TemporaryDirectory() as folder:
        whole = MAKERS[kind](Path(folder) / "file.fits").read_bytes()
    return whole, tuple(cards(whole))


@cache
def read_right(kind: str) -> list[tuple[bytes, ...] | str]:
    """What is in it."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "file.fits"
        path.write_bytes(made_file(kind)[0])
        found = contents(path)
    assert found and not any(isinstance(item, str) for item in found)
    return found


@pytest.mark.parametrize("kind", MAKERS)
def test_a_keyword_of_any_type_or_none_at_all_costs_no_spectrum(kind: str) -> None:
    whole, places = made_file(kind)

    @given(st.sampled_from(places), st.sampled_from(sorted(VALUES)))
    @settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
    def holds(card: Card, value: str) -> None:
        check(whole, read_right(kind), card, VALUES[value])

    holds()


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        ("lamost_old", "FIBERID"),
        ("lamost_old", "RA"),
        ("lamost_new", "OBSID"),
        ("lamost_new", "DATE-OBS"),
        ("sdss", "PLATEID"),
        ("sdss", "PLUG_DEC"),
        ("images", "MJD"),
    ],
)
def test_identity_position_and_date_may_be_anything(kind: str, keyword: str, value: str) -> None:
    whole, places = made_file(kind)
    card = next(place for place in places if place.keyword == keyword)
    check(whole, read_right(kind), card, VALUES[value])


@pytest.mark.parametrize("survey", REAL)
def test_no_keyword_of_a_real_file_beside_its_pixels_is_needed(survey: str, shared_data: Path) -> None:
    path = next(iter(sorted(shared_data.glob(REAL[survey]))))
    with fits.open(path) as hdus, TemporaryDirectory() as folder:
        hdus.writeto(Path(folder) / "file.fits", output_verify="ignore", checksum=False)
        whole = (Path(folder) / "file.fits").read_bytes()
        right = contents(Path(folder) / "file.fits")

    @given(st.sampled_from(cards(whole)), st.sampled_from(sorted(VALUES)))
    @settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
    def holds(card: Card, value: str) -> None:
        check(whole, right, card, VALUES[value])

    holds()


@pytest.mark.parametrize("keyword", ["COEFF0", "COEFF1"])
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("lamost_old", None),
        *itertools.product(["lamost_old", "header_grid", "sdss_table"], ["'unknown'", "T", "NaN", "= = '"]),
    ],
)
def test_a_keyword_that_places_the_pixels_is_named_where_it_is_no_number(
    tmp_path: Path, kind: str, keyword: str, value: str | None
) -> None:
    whole, places = made_file(kind)
    card = next(place for place in places if place.keyword == keyword)
    path = tmp_path / "file.fits"
    path.write_bytes(changed(whole, card, value))
    for error in made.spectra_errors(path):
        assert keyword in str(error) and error.file == str(path)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("NAXIS1", "'wide'"),
        ("TFORM1", "12345"),
        ("TFORM2", "'some text'"),
        ("BITPIX", "12345"),
        ("TFIELDS", "T"),
        ("NAXIS", "9" * 40),
        ("BITPIX", "9" * 40),
    ],
)
def test_a_keyword_that_fits_is_made_of_is_named_where_it_is_wrong(
    tmp_path: Path, keyword: str, value: str
) -> None:
    whole, places = made_file("images" if keyword == "BITPIX" else "header_grid")
    card = [place for place in places if place.keyword == keyword][-1]
    path = tmp_path / "file.fits"
    path.write_bytes(changed(whole, card, value))
    assert keyword in str(made.error(path, known_only=True))


def test_numbers_that_are_written_as_text_are_numbers(tmp_path: Path) -> None:
    whole, places = made_file("lamost_old")
    for keyword, value in (("FIBERID", "'27'"), ("SPID", "'6'"), ("RA", "'99.5'")):
        card = next(place for place in places if place.keyword == keyword)
        whole = changed(whole, card, value)
    (tmp_path / "file.fits").write_bytes(whole)
    (spectrum,) = made.spectra(tmp_path / "file.fits")
    assert isinstance(spectrum, Spectrum)
    assert (spectrum.spectrum_id, spectrum.ra) == ("spec-55862-B6212_sp06-027", 99.5)


@pytest.mark.parametrize(("ra", "dec"), [("-9999.0", "-9999.0"), ("400.0", "91.0"), ("'unknown'", "T")])
def test_a_position_that_can_be_none_is_unknown(tmp_path: Path, ra: str, dec: str) -> None:
    whole, places = made_file("lamost_new")
    for keyword, value in (("RA", ra), ("DEC", dec)):
        card = next(place for place in places if place.keyword == keyword)
        whole = changed(whole, card, value)
    (tmp_path / "file.fits").write_bytes(whole)
    (spectrum,) = made.spectra(tmp_path / "file.fits")
    assert (spectrum.ra, spectrum.dec) == (None, None)


def test_real_files_with_text_where_numbers_are_expected_are_read(shared_data: Path) -> None:
    for name in (
        "normal/lamost-petrskoda/spec-56769-HD184250N365730V_sp16-027.fits.gz",
        "normal/lamost-bopy/spec-56309-GAC088N20V1_sp08-126.fits.gz",
    ):
        (spectrum,) = made.spectra(shared_data / name)
        assert spectrum.spectrum_id == Path(name).name.removesuffix(".fits.gz")


@pytest.mark.parametrize("name", ["CHECKSUM", "DATASUM"])
@pytest.mark.parametrize("value", ["-INF", "= = '"])
def test_a_checksum_that_cannot_be_read_costs_no_spectrum(tmp_path: Path, name: str, value: str) -> None:
    path = made.sdss_spec(tmp_path / "spec.fits")
    with fits.open(path, mode="update", checksum=True):
        pass
    whole = path.read_bytes()
    for card in cards(whole):
        if card.keyword == name:
            path.write_bytes(changed(whole, card, value))
            (spectrum,) = made.spectra(path)
            np.testing.assert_array_equal(spectrum.flux, made.pixels()[0])
