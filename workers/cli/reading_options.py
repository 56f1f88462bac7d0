"""What the commands that read files of spectra have in common: their options, and what is said on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from spectraq.workers.cli.terminal import print_error, print_note, print_table

if TYPE_CHECKING:
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.errors import ReadError

Files: TypeAlias = Annotated[
    list[str], typer.Argument(help="Files, folders, or patterns in quotes.", show_default=False)
]
Format: TypeAlias = Annotated[
    str | None,
    typer.Option(help="A name that --formats lists; by default each file's content decides."),
]
Air: TypeAlias = Annotated[
    bool, typer.Option("--air", help="Wavelengths are in air where the file does not say it.")
]
WavelengthUnit: TypeAlias = Annotated[
    str | None, typer.Option(help="Unit of wavelengths where the file does not say it: nm, um, ...")
]


def spectra(
    names: list[str], format: str | None = None, air: bool = False, wavelength_unit: str | None = None
) -> Iterator[Spectrum | ReadError]:
    """Return the spectra of files, folders and patterns, an error in the place of each that can't be read.

    Raises
    ------
    typer.BadParameter
        At once, where there is no such format or unit.
    """
    from spectraq.workers.readers import FORMATS
    from spectraq.workers.readers.units import unit_of

    if format is not None and format not in FORMATS:
        raise typer.BadParameter(f"{format} is none of {', '.join(FORMATS)}", param_hint="--format")
    if wavelength_unit is not None and unit_of(wavelength_unit) is None:
        raise typer.BadParameter(f"{wavelength_unit} is no unit", param_hint="--wavelength-unit")
    return _spectra(names, format, air, wavelength_unit)


def print_formats(wanted: bool) -> None:
    """Print the table of formats, and end.

    Raises
    ------
    typer.Exit
        Where it is wanted.
    """
    if not wanted:
        return
    from spectraq.workers.readers.described import TITLES, rows

    print_table(TITLES, [[cell.replace("`", "") for cell in row] for row in rows()])
    raise typer.Exit


def describe(error: ReadError) -> str:
    """Return in one line which file, or row of it, can't be read, and why."""
    row = "" if error.row is None else f", row {error.row}"
    return f"{error.file}{row}: {error}" if error.file else str(error)


def complain(error: ReadError) -> None:
    """Say it on stderr."""
    print_error(describe(error))


def _spectra(
    names: list[str], format: str | None, air: bool, wavelength_unit: str | None
) -> Iterator[Spectrum | ReadError]:
    from spectraq.workers.errors import ReadError
    from spectraq.workers.readers import find, read

    notes = _Notes()
    for file in find(names, lambda folder, sentence: print_note(f"{folder}: {sentence}")):
        if isinstance(file, ReadError):
            yield file
            continue
        notes.file = file
        yield from read(
            file, format, medium="air" if air else None, wavelength_unit=wavelength_unit, note=notes
        )
    notes.sum_up()


class _Notes:
    """Says on stderr what was assumed of a file, once, and at the end of how many more."""

    def __init__(self) -> None:
        self.file = ""
        self._files: Counter[str] = Counter()

    def __call__(self, sentence: str) -> None:
        if not self._files[sentence]:
            print_note(f"{Path(self.file).name}: {sentence}")
        self._files[sentence] += 1

    def sum_up(self) -> None:
        for sentence, files in self._files.items():
            if files > 1:
                print_note(f"and in {files - 1} more: {sentence}")
