"""Which files are meant by the names that a user gives."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.source import FITS_SUFFIXES, PACKED_SUFFIXES

PLAIN_SUFFIXES = (*FITS_SUFFIXES, ".ecsv", ".csv", ".npz", ".parquet")
SUFFIXES = (
    *PLAIN_SUFFIXES,
    *(f"{suffix}{packed}" for suffix in PLAIN_SUFFIXES for packed in PACKED_SUFFIXES),
)
"""What is taken for spectra in a folder; a file that is named itself may be called anything."""


STDIN = "/dev/stdin"
KINDS = 6
"""Endings of names that are listed of what is left out."""


def _unsaid(file: str, sentence: str) -> None:
    """Take what is left out where nobody asks for it."""


def find(
    names: Iterable[str | Path], note: Callable[[str, str], None] = _unsaid
) -> Iterator[str | ReadError]:
    """Yield the files meant, in order, each as it is asked for.

    Parameters
    ----------
    names
        Files; folders, which stand for all spectra in them and below, sorted; patterns with * ? [ ] or **,
        for where no shell has expanded them; "-" for what comes through a pipe.
    note
        Takes a folder, and a sentence on how many files in it were left out, and why.

    Yields
    ------
    str or ReadError
        A file, or an error in the place of a name that stands for none.
    """
    for name in names:
        text, path = str(name), Path(name)
        if path.is_dir():
            yield from _inside(path, text, note)
        elif text == "-" and not path.exists():
            yield STDIN
        elif path.exists():
            yield text
        elif glob.has_magic(text):
            matching = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no whole path
            files = (file for file in matching if Path(file).is_file())
            yield from _or_error(files, text, "no file matches this pattern")
        else:
            yield ReadError("no such file or folder", file=text)


def _inside(folder: Path, name: str, note: Callable[[str, str], None]) -> Iterator[str | ReadError]:
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    spectra = [str(file) for file in files if _is_spectra(file, folder)]
    left = _left_out(files, folder)
    if not spectra:
        ends, packed = ", ".join(PLAIN_SUFFIXES), ", ".join(PACKED_SUFFIXES)
        error = f"no spectra in this folder; they end in {ends}, or in these and {packed}"
        yield ReadError(f"{error}; {left}" if left else error, file=name)
        return
    if left:
        note(name, left)
    yield from spectra


def _left_out(files: list[Path], folder: Path) -> str:
    """Say how many files of a folder are not taken for spectra, and by what; empty where all are."""
    hidden = sum(_is_hidden(file, folder) for file in files)
    named = [file for file in files if not _is_hidden(file, folder) and not _is_spectra(file, folder)]
    if not (named or hidden):
        return ""
    endings = Counter(file.suffix.lower() or "no ending" for file in named).most_common()
    listed = ", ".join(f"{count} {ending}" for ending, count in endings[:KINDS])
    more = ", ..." if len(endings) > KINDS else ""
    parts = [f"by their names ({listed}{more}; name them to have them read)"] if named else []
    parts += [f"{hidden} hidden"] if hidden else []
    return f"{len(named) + hidden} of {len(files)} files left out: {', and '.join(parts)}"


def _or_error(files: Iterator[str], name: str, error: str) -> Iterator[str | ReadError]:
    none = True
    for file in files:
        none = False
        yield file
    if none:
        yield ReadError(error, file=name)


def _is_spectra(file: Path, folder: Path) -> bool:
    return file.name.lower().endswith(SUFFIXES) and not _is_hidden(file, folder)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)
