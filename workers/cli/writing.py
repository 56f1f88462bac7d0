"""Files that a command is to write: never one that it reads, and none that is there unless that is wished."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from spectraq.workers.cli.terminal import print_error

WRONG_USE = 2

Overwrite: TypeAlias = Annotated[
    bool, typer.Option("--overwrite", help="Replace files that are there already.")
]


def check_new(option: str, path: Path, overwrite: bool, inputs: Iterable[str] = ()) -> None:
    """See, before anything is read, that a file may be written.

    Parameters
    ----------
    option
        Of the command line, that names the file.
    path
        The file to write.
    overwrite
        Whether a file of that name may be replaced.
    inputs
        Files, folders and patterns that the command reads.

    Raises
    ------
    typer.Exit
        With the code of wrong use, after one line on stderr: where the file is one of the inputs, by
        whatever name or link; where there is one already; where its folder is missing.
    """
    why = _refusal(path, overwrite, inputs)
    if why:
        print_error(f"{option} {path}: {why}")
        raise typer.Exit(WRONG_USE)


def _refusal(path: Path, overwrite: bool, inputs: Iterable[str]) -> str | None:
    if not path.absolute().parent.is_dir():
        return f"there is no folder {path.absolute().parent}"
    if path.is_dir():
        return "it is a folder, and a file is needed; name a file"
    if not (path.exists() or path.is_symlink()):
        return None
    if _is_read(path, inputs):
        return "this file is one of the inputs; write to another one"
    return None if overwrite else "there is such a file already; name another one, or say --overwrite"


def _is_read(path: Path, inputs: Iterable[str]) -> bool:
    from spectraq.workers.readers import find

    return any(_same(path, Path(name)) for name in find(inputs) if isinstance(name, str))


def _same(path: Path, other: Path) -> bool:
    try:
        return path.samefile(other)
    except OSError:
        return False
