"""Which files are meant by the names that a user gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from workers.errors import ReadError

SUFFIXES = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz", ".ecsv", ".csv", ".npz")


def find(names: Iterable[str | Path]) -> Iterator[str | ReadError]:
    """Yield the files meant, in order: a file as given, a folder as all spectra in it, sorted.

    A name that matches nothing is yielded as a `ReadError`.
    """
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(SUFFIXES))
            if not inside:
                yield ReadError(
                    f"no spectra in this folder; names that end in {', '.join(SUFFIXES)} are read",
                    file=str(name),
                )
            yield from map(str, inside)
        elif path.exists():
            yield str(name)
        else:
            yield ReadError("no such file or folder", file=str(name))
