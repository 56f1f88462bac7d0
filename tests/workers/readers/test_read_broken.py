"""What can't be read is one clear line, and what stands around it is read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read
from tests.support import made_files as made


@pytest.fixture(autouse=True)
def without_specutils(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is installed must not decide what a file is said to be."""
    monkeypatch.setitem(sys.modules, "specutils", None)


MAKERS: dict[str, Callable[[Path], Path]] = {
    "sdss": made.sdss_spec,
    "desi": lambda path: made.desi(path, [1, 2]),
    "lamost_old": made.lamost_old,
    "lamost_new": made.lamost_new,
}


def text(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_truncated_fits_file_is_said_to_be_truncated(tmp_path: Path, kind: str, part: float) -> None:
    whole = MAKERS[kind](tmp_path / "whole.fits").read_bytes()
    cut = text(tmp_path / "cut.fits", whole[: int(part * len(whole))])
    assert "truncated" in str(made.error(cut))


def test_a_truncated_gzip_file_is_said_to_be_truncated(tmp_path: Path) -> None:
    whole = made.sdss_spec(tmp_path / "whole.fits.gz").read_bytes()
    assert "truncated" in str(made.error(text(tmp_path / "cut.fits.gz", whole[: len(whole) // 2])))


def test_a_truncated_npz_is_said_to_be_damaged(tmp_path: Path) -> None:
    np.savez(tmp_path / "whole.npz", wave=np.arange(4000.0, 5000.0), flux=np.ones(1000))
    whole = (tmp_path / "whole.npz").read_bytes()
    assert "damaged" in str(made.error(text(tmp_path / "cut.npz", whole[: len(whole) // 2])))


@pytest.mark.parametrize("kind", MAKERS)
def test_bytes_gone_wrong_never_raise(tmp_path: Path, kind: str) -> None:
    whole = MAKERS[kind](tmp_path / "whole.fits").read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(30):
        bad = bytearray(whole)
        for place in rng.integers(0, min(len(bad), 12_000), 20):
            bad[place] = rng.integers(32, 127)  # headers first: data of any value are data
        for item in read(text(tmp_path / "bad.fits", bytes(bad))):
            assert isinstance(item, (Spectrum, ReadError))
            assert "\n" not in str(item)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.fits", b"", "empty"),
        ("empty.csv", b"", "empty"),
        ("text.fits", "wavelength,flux\n1,2\n", "does not begin as FITS"),
        ("noise.dat", bytes(range(256)) * 10, "no format is known"),
        ("m.mat", b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(200, b"\0"), "a MATLAB file"),
        ("s.pkl", b"\x80\x04\x95" + bytes(200), "a pickle of Python"),
        ("words.csv", "name,colour\na,red\n", "no table of numbers"),
        ("names.csv", "age,height\n12,150\n", "no flux"),
        ("dark.csv", "wavelength,error\n4000,1\n4001,1\n", "the columns are wavelength, error"),
        ("nowhere.csv", "flux,error\n1,1\n", "no wavelength"),
        ("numbers.csv", "4000,1\n4007,1\n4002,1\n", "have no titles"),
        ("comments.txt", "# nothing\n# at all\n", "comments alone"),
        ("prose.csv", "wavelength,flux\n4000,bright\n4001,dark\n", "no table of numbers"),
        ("word.csv", "wavelength,flux\n4000,1\n4001,dark\n4002,1\n", "'dark', which is no number"),
        ("ragged.csv", "wavelength,flux\n4000,1\n4001\n4002,1\n4003,1\n", "line 3 has 1 columns"),
        ("titles.csv", "wavelength,flux\n4000,1,1\n4001,1,1\n", "name 2 columns"),
        ("control.txt", b"wavelength flux\n4000 1\n\x01 3\n", "control characters"),
        ("fnu.csv", "wavelength,fnu\n4000,1\n4001,1\n", "no unit"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: str | bytes, said: str) -> None:
    errors = made.spectra_errors(text(tmp_path / name, content))
    assert len(errors) == 1
    assert said in str(errors[0])


def test_a_missing_file_is_an_error_in_its_place(tmp_path: Path) -> None:
    assert "No such file" in str(made.error(tmp_path / "missing.fits"))


def test_an_unknown_format_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    assert "table, image, specutils" in str(made.error(tmp_path / "any.fits", format="hdf5"))


def test_a_fits_file_without_spectra_says_what_could_be_done(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((5, 5), "f4")).writeto(tmp_path / "image.fits")
    assert "no format is known" in str(made.error(tmp_path / "image.fits"))


def test_without_specutils_its_extra_is_named(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros(50, "f4")).writeto(tmp_path / "image.fits")
    for options in ({}, {"format": "specutils"}):
        assert "spectraq[specutils]" in str(made.error(tmp_path / "image.fits", **options))


def test_a_pickle_in_an_npz_is_not_run(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=np.arange(4000.0, 4010.0), flux=np.array([{}] * 10, dtype=object))
    assert "flux" in str(made.error(tmp_path / "t.npz"))


def test_a_column_of_another_length_is_said(tmp_path: Path) -> None:
    np.savez(tmp_path / "t.npz", wave=np.arange(4000.0, 4010.0), flux=np.ones(10), ivar=np.ones(9))
    (error,) = made.spectra_errors(tmp_path / "t.npz")
    assert "ivar has 9" in str(error)
    assert error.row == 0


def test_a_table_made_for_spectra_without_any_is_said_to_be_empty(tmp_path: Path) -> None:
    columns = [fits.Column(name, "900E", array=np.zeros((0, 900))) for name in ("WAVELENGTH", "FLUX")]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "t.fits")
    assert "no rows" in str(made.error(tmp_path / "t.fits"))


@pytest.mark.parametrize("way", [1, -1])
def test_orders_of_an_echelle_are_one_error_and_not_one_each(tmp_path: Path, way: int) -> None:
    where = np.array([np.linspace(4000 + 60 * k, 4070 + 60 * k, 200) for k in range(12)])[::way]
    names = {"FLUX": np.random.default_rng(0).normal(5, 1, where.shape), "WAVELENGTH": where}
    hdus = [fits.ImageHDU(values, name=name) for name, values in names.items()]
    fits.HDUList([fits.PrimaryHDU(), *hdus]).writeto(tmp_path / "t.fits")
    assert "orders of an echelle" in str(made.error(tmp_path / "t.fits"))


def test_a_file_of_fits_that_ends_in_its_first_header_is_said_to_be_damaged(tmp_path: Path) -> None:
    said = str(made.error(text(tmp_path / "t.fits", b"SIMPLE  =")))
    assert "damaged or cut off" in said and "ignore_missing" not in said


def test_one_bad_row_does_not_hide_the_others(tmp_path: Path) -> None:
    wave = np.tile(np.arange(4000.0, 4200.0), (3, 1))
    wave[1] = np.nan
    table = Table({"wavelength": wave, "flux": np.random.default_rng(0).normal(5, 1, (3, 200))})
    table["wavelength"].unit = "Angstrom"
    table.write(tmp_path / "t.fits")
    first, second, third = read(tmp_path / "t.fits")
    assert isinstance(first, Spectrum) and isinstance(third, Spectrum)
    assert isinstance(second, ReadError) and second.row == 1
    assert third.source_row == 2


def test_an_all_masked_spectrum_is_read_and_left_to_whoever_analyses_it(tmp_path: Path) -> None:
    (spectrum,) = made.spectra(made.sdss_spec(tmp_path / "spec.fits", ivar=np.zeros(made.N, "f4")))
    assert spectrum.ivar is not None and not spectrum.ivar.any()


def test_files_are_closed_when_the_reading_stops_early(tmp_path: Path) -> None:
    items = read(made.desi(tmp_path / "coadd.fits", [1, 2, 3]))
    assert isinstance(next(items), Spectrum)
    items.close()  # type: ignore[attr-defined]
