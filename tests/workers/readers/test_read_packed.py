"""Packed files are read as the files they hold; archives and other kinds are named for what they are."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import zstandard
from astropy.table import Table
from pyarrow import parquet

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import find, limits, read
from tests.support import made_files as made

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_content_size=False).compress,
}

N = 300
WAVE = 4000.0 + 1.25 * np.arange(N)
FLUX, IVAR = made.pixels(seed=5, n=N)


def packed(path: Path, suffix: str, streams: int = 1) -> Path:
    """A file packed whole, or as some streams end to end."""
    content = path.read_bytes()
    step = -(-len(content) // streams)
    parts = [PACKERS[suffix](content[start : start + step]) for start in range(0, len(content), step)]
    made_path = path.with_name(f"{path.name}.{suffix}")
    made_path.write_bytes(b"".join(parts))
    return made_path


@pytest.mark.parametrize("suffix", PACKERS)
@pytest.mark.parametrize("streams", [1, 3])
def test_a_packed_file_gives_what_the_file_itself_gives(tmp_path: Path, suffix: str, streams: int) -> None:
    plain = made.sdss_spec(tmp_path / "spec.fits")
    path = packed(plain, suffix, streams)
    (expected,), (found,) = made.spectra(plain), made.spectra(path)
    assert found.model_copy(update={"source_file": None}) == expected.model_copy(update={"source_file": None})
    assert str(path) in list(find([tmp_path]))


@pytest.mark.parametrize("suffix", PACKERS)
def test_text_may_be_packed_and_is_called_as_its_file(tmp_path: Path, suffix: str) -> None:
    plain = tmp_path / "sn.dat"
    plain.write_text("".join(f"{w} {f}\n" for w, f in zip(WAVE, FLUX, strict=True)))
    (spectrum,) = made.spectra(packed(plain, suffix))
    assert spectrum.spectrum_id == "sn" and spectrum.n_pixels == N


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_that_is_cut_is_said_to_be_truncated(tmp_path: Path, suffix: str) -> None:
    path = packed(made.sdss_spec(tmp_path / "spec.fits"), suffix)
    path.write_bytes(path.read_bytes()[:-20])
    assert "truncated" in str(made.error(path))


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_that_is_damaged_is_said_to_be_so(tmp_path: Path, suffix: str) -> None:
    path = packed(made.sdss_spec(tmp_path / "spec.fits"), suffix)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 50] = bytes(50)
    path.write_bytes(content)
    assert "unpacked" in str(made.error(path)) or "truncated" in str(made.error(path))


@pytest.mark.parametrize("suffix", ["bz2", "xz", "zst"])
def test_a_small_file_that_grows_without_bounds_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bomb.fits.{suffix}"
    piece = PACKERS[suffix](bytes(1 << 24))
    path.write_bytes(PACKERS[suffix](b"SIMPLE  =") + piece * (limits.UNPACKED_BYTES // (1 << 24) + 2))
    assert "at most 100 times as many are taken" in str(made.error(path))


def test_the_file_that_grows_a_million_times_is_refused_and_packed_spectra_keep_their_identity(
    shared_data: Path,
) -> None:
    cases = shared_data.parent / "cases/packed"
    if not cases.is_dir():
        pytest.skip("the cases are not in ../shared")
    assert "at most 100 times" in str(made.error(cases / "grows-a-million-times.fits.bz2"))
    for name in ("spec.fits.bz2", "spec.fits.xz"):
        (spectrum,) = made.spectra(cases / name)
        assert (spectrum.spectrum_id, spectrum.survey) == ("0266-51602-0107", "sdss")
        assert spectrum.ra is not None and spectrum.medium == "vacuum"


def votable(path: Path) -> None:
    table = Table({"wave": WAVE, "flux": FLUX, "ivar": IVAR})
    table["wave"].unit = "0.1 nm"
    table.write(path, format="votable")


def a_parquet(path: Path) -> None:
    parquet.write_table(pyarrow.table({"wavelength": WAVE, "flux": FLUX, "ivar": IVAR}), path)


@pytest.mark.parametrize("write", [votable, a_parquet])
def test_tables_of_archives_are_read(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "any.name")
    (spectrum,) = made.spectra(tmp_path / "any.name")
    assert spectrum.wavelength is not None and spectrum.ivar is not None
    np.testing.assert_allclose(spectrum.wavelength, WAVE, rtol=1e-9)
    np.testing.assert_allclose(spectrum.flux, FLUX, rtol=1e-6)
    np.testing.assert_allclose(spectrum.ivar, IVAR, rtol=1e-6)


def test_a_list_a_row_of_parquet_is_a_spectrum(tmp_path: Path) -> None:
    rows = {"object_id": ["a", "b"], "wavelength": [WAVE, WAVE[:200]], "flux": [FLUX, FLUX[:200]]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "many.parquet")
    found = made.spectra(tmp_path / "many.parquet")
    assert [(s.spectrum_id, s.n_pixels) for s in found] == [("a", N), ("b", 200)]


def test_a_votable_whose_numbers_lie_at_an_address_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "away.vot"
    votable(path)
    path.write_text(path.read_text().replace("<TABLEDATA>", '<STREAM href="file:///etc/passwd"/><TABLEDATA>'))
    assert "in another file" in str(made.error(path))


def a_zip(path: Path, name: str = "spec.txt") -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "4000 1\n")


def a_packed_tar(path: Path) -> None:
    a_tar(path)
    path.write_bytes(gzip.compress(path.read_bytes()))


def a_tar(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("spec.txt")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"text"))


def a_database(path: Path) -> None:
    with sqlite3.connect(path) as database:
        database.execute("create table spectra (flux real)")
    database.close()


NAMED: dict[str, tuple[Callable[[Path], object], str]] = {
    "zip": (a_zip, "a zip archive of 1 files"),
    "xlsx": (lambda path: a_zip(path, "xl/workbook.xml"), "an Excel workbook; save the sheet as CSV"),
    "tar": (a_tar, "a tar archive"),
    "tar.gz": (a_packed_tar, "a tar archive"),
    "gz.gz": (lambda path: path.write_bytes(gzip.compress(gzip.compress(b"text"))), "within a packed one"),
    "npy": (lambda path: np.save(path, FLUX), "numpy.savez"),
    "db": (a_database, "an SQLite database"),
    "h5": (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100)), "an HDF5 file"),
    "pdf": (lambda path: path.write_bytes(b"%PDF-1.4\n" + bytes(100)), "a PDF document"),
    "html": (lambda path: path.write_text("<!DOCTYPE html><html></html>"), "a download that failed"),
    "Z": (lambda path: path.write_bytes(b"\x1f\x9d\x90" + bytes(100)), "compress"),
    "fits": (lambda path: path.write_text("<html>404</html>"), "a page of HTML"),
}  # fmt: skip


@pytest.mark.parametrize("suffix", NAMED)
def test_what_holds_no_spectra_is_named_for_what_it_is(tmp_path: Path, suffix: str) -> None:
    write, said = NAMED[suffix]
    path = tmp_path / f"file.{suffix}"
    write(path)
    (item,) = read(path)
    assert isinstance(item, ReadError) and not isinstance(item, Spectrum)
    assert said in str(item)
