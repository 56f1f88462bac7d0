"""Which files are meant by the names that a user gives."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path

from workers.errors import ReadError
from workers.readers.source import FITS_SUFFIXES, PACKED_SUFFIXES

PLAIN_SUFFIXES = (*FITS_SUFFIXES, ".ecsv", ".csv", ".npz")
SUFFIXES = (
    *PLAIN_SUFFIXES,
    *(f"{suffix}{packed}" for suffix in PLAIN_SUFFIXES for packed in PACKED_SUFFIXES),
)
"""What is taken for spectra in a folder; a file that is named itself may be called anything."""


def find(names: Iterable[str | Path]) -> Iterator[str | ReadError]:
    """Yield the files meant, in order, each as it is asked for.

    Parameters
    ----------
    names
        Files; folders, which stand for all spectra in them and below, sorted; patterns with * ? [ ] or **,
        for where no shell has expanded them.

    Yields
    ------
    str or ReadError
        A file, or an error in the place of a name that stands for none.
    """
    for name in names:
        text, path = str(name), Path(name)
        if path.is_dir():
            ends, packed = ", ".join(PLAIN_SUFFIXES), ", ".join(PACKED_SUFFIXES)
            inside = (str(file) for file in sorted(path.rglob("*")) if _is_spectra(file, path))
            error = f"no spectra in this folder; they end in {ends}, or in these and {packed}"
            yield from _or_error(inside, text, error)
        elif path.exists():
            yield text
        elif glob.has_magic(text):
            matching = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no whole path
            files = (file for file in matching if Path(file).is_file())
            yield from _or_error(files, text, "no file matches this pattern")
        else:
            yield ReadError("no such file or folder", file=text)


def _or_error(files: Iterator[str], name: str, error: str) -> Iterator[str | ReadError]:
    none = True
    for file in files:
        none = False
        yield file
    if none:
        yield ReadError(error, file=name)


def _is_spectra(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.name.lower().endswith(SUFFIXES) and file.is_file() and not hidden
