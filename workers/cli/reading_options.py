"""What the commands that read files of spectra have in common: their options, and what is said on stderr."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

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
    read_file = reader(format, air, wavelength_unit)
    return spectra_of(files_of(names), read_file)


def spectra_of(files: Iterable[str | ReadError], read_file: Reader) -> Iterator[Spectrum | ReadError]:
    """Yield the spectra of files, an error in the place of each that can't be read."""
    from spectraq.workers.errors import ReadError

    for file in files:
        if isinstance(file, ReadError):
            yield file
            continue
        yield from read_file(file)
    read_file.sum_up()


def reader(format: str | None, air: bool, wavelength_unit: str | None) -> Reader:
    """Return what reads one file after the other, and says on stderr what had to be assumed.

    Raises
    ------
    typer.BadParameter
        Where there is no such format or unit.
    """
    from spectraq.workers.readers import FORMATS
    from spectraq.workers.readers.units import unit_of

    if format is not None and format not in FORMATS:
        raise typer.BadParameter(f"{format} is none of {', '.join(FORMATS)}", param_hint="--format")
    if wavelength_unit is not None and unit_of(wavelength_unit) is None:
        raise typer.BadParameter(f"{wavelength_unit} is no unit", param_hint="--wavelength-unit")
    return Reader(format, "air" if air else None, wavelength_unit)


def files_of(names: list[str]) -> Iterator[str | ReadError]:
    """Return the files that are meant, an error in the place of each name that stands for none."""
    from spectraq.workers.readers import find

    return find(names, lambda folder, sentence: print_note(f"{folder}: {sentence}"))


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


class Reader:
    """Reads files in one way.

    Parameters
    ----------
    format, medium, wavelength_unit
        As `readers.read` takes them; they are attributes, too.
    """

    def __init__(
        self, format: str | None, medium: Literal["air"] | None, wavelength_unit: str | None
    ) -> None:
        self.format, self.medium, self.wavelength_unit = format, medium, wavelength_unit
        self._notes = _Notes()

    def __call__(
        self, file: str, first_row: int = 0, length: Callable[[int], None] = lambda _: None
    ) -> Generator[Spectrum | ReadError]:
        """Return the spectra of a file from a row on, and tell `length` how many it has."""
        from spectraq.workers.readers import read

        self._notes.file = file
        return read(
            file,
            self.format,
            medium=self.medium,
            wavelength_unit=self.wavelength_unit,
            note=self._notes,
            first_row=first_row,
            length=length,
        )

    def note(self, file: str, sentence: str) -> None:
        """Say what had to be assumed of a file that was read elsewhere."""
        self._notes.file = file
        self._notes(sentence)

    def sum_up(self) -> None:
        """Say of how many files more the same had to be assumed."""
        self._notes.sum_up()


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
