"""Which files a user's names stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import find


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (
        "b.fits",
        "p.fits.fz",
        "a.FITS.gz",
        "sub/deep/c.npz",
        "sub/d.csv",
        "notes.txt",
        ".hidden/e.fits",
        ".f.fits",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def names(folder: Path, *given: str) -> list[str]:
    return [str(Path(str(found)).relative_to(folder)) for found in find(given)]


def test_a_folder_stands_for_the_spectra_in_it_and_below(folder: Path) -> None:
    assert names(folder, str(folder)) == [
        "a.FITS.gz", "b.fits", "p.fits.fz", "sub/d.csv", "sub/deep/c.npz",
    ]  # fmt: skip


def test_a_file_that_is_named_may_be_called_anything(folder: Path) -> None:
    assert names(folder, f"{folder}/notes.txt", f"{folder}/.f.fits") == ["notes.txt", ".f.fits"]


def test_a_pattern_stands_for_what_it_matches(folder: Path) -> None:
    assert names(folder, f"{folder}/*.fits") == ["b.fits"]
    assert names(folder, f"{folder}/**/*.npz") == ["sub/deep/c.npz"]


def test_a_name_is_given_back_as_it_was_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert list(find(["./b.fits", "sub/../b.fits"])) == ["./b.fits", "sub/../b.fits"]


def test_a_file_with_the_marks_of_a_pattern_in_its_name_is_that_file(folder: Path) -> None:
    (folder / "x[1].fits").touch()
    assert names(folder, f"{folder}/x[1].fits") == ["x[1].fits"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("missing.fits", "no such file"), ("*.ecsv", "no file matches"), ("empty", "no spectra in this folder")],
)
def test_a_name_that_stands_for_nothing_is_an_error_in_its_place(folder: Path, name: str, said: str) -> None:
    (folder / "empty").mkdir()
    found = list(find([f"{folder}/{name}", f"{folder}/b.fits"]))
    assert isinstance(found[0], ReadError) and said in str(found[0])
    assert found[0].file == f"{folder}/{name}"
    assert found[1] == f"{folder}/b.fits"
