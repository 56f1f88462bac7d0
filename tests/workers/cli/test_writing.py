"""Files that commands write: never one that is read, never one that is there, unless that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from spectraq.workers.cli.writing import check_new
from tests.support.commandline import CommandLine

TABLE = b"wavelength,flux,error\n" + b"".join(
    b"%d,1.%d,0.1\n" % (wave, wave % 7) for wave in range(4000, 4400)
)

NAMES: dict[str, Callable[[Path], tuple[Path, str]]] = {
    "itself": lambda path: (path, str(path)),
    "another way to it": lambda path: (path.parent / "." / path.name, str(path)),
    "its folder": lambda path: (path, str(path.parent)),
    "a pattern": lambda path: (path, str(path.parent / "*.csv")),
    "a symbolic link to it": lambda path: (link(path, Path.symlink_to), str(path)),
    "the file behind the link that is read": lambda path: (path, str(link(path, Path.symlink_to))),
    "a hard link to it": lambda path: (link(path, Path.hardlink_to), str(path)),
}


def link(path: Path, make: Callable[[Path, Path], None]) -> Path:
    other = path.with_name("other.csv")
    make(other, path)
    return other


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_is_read_is_never_written_by_whatever_name(
    tmp_path: Path, name: str, overwrite: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "me.csv"
    path.write_bytes(TABLE)
    output, read = NAMES[name](path)
    with pytest.raises(typer.Exit) as caught:
        check_new("--output", output, overwrite, [read])
    assert caught.value.exit_code == 2
    assert path.read_bytes() == TABLE


def test_output_over_an_input_is_one_line_and_the_file_stays_as_it_was(offline: CommandLine) -> None:
    path = offline.folder / "me.csv"
    path.write_bytes(TABLE)
    for more in ((), ("--overwrite",)):
        done = offline("analyze", "me.csv", "--output", "me.csv", *more, code=2)
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1 and "one of the inputs" in done.stderr
        assert path.read_bytes() == TABLE
    assert [file.name for file in offline.folder.iterdir()] == ["me.csv"]


def test_a_file_that_is_there_is_replaced_only_where_that_is_said(offline: CommandLine) -> None:
    (offline.folder / "me.csv").write_bytes(TABLE)
    results = offline.folder / "results.csv"
    results.write_text("of before")
    done = offline("analyze", "me.csv", "--output", "results.csv", code=2)
    assert done.stdout == "" and "--overwrite" in done.stderr and len(done.stderr.splitlines()) == 1
    assert results.read_text() == "of before"
    offline("analyze", "me.csv", "--output", "results.csv", "--overwrite")
    assert "me.csv" in results.read_text()


def test_simulated_spectra_and_their_truth_replace_nothing_unasked(offline: CommandLine) -> None:
    there = offline.folder / "there.csv"
    there.write_text("of before")
    mocks = ("simulate", "2", "--output", "mocks.npz")
    assert "--overwrite" in offline(*mocks, "--truth", "there.csv", code=2).stderr
    assert there.read_text() == "of before" and not (offline.folder / "mocks.npz").exists()
    assert "same file" in offline(*mocks, "--truth", "mocks.npz", code=2).stderr
    offline(*mocks, "--truth", "there.csv", "--overwrite")
    assert "spectype" in there.read_text()
