"""What every format's reader gives: the spectra of one file, by row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers.source import Source

Medium: TypeAlias = Literal["vacuum", "air"]

Item: TypeAlias = Spectrum | ReadError
"""A spectrum, or why there is none in its place."""

Note: TypeAlias = Callable[[str], None]
"""Takes a sentence about what had to be assumed of a file."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the user says of files that do not say it themselves; what a file says comes first.

    Parameters
    ----------
    medium
        What the wavelengths are measured in.
    wavelength_unit
        Their unit, as astropy writes units: "angstrom", "nm", "um", ...
    """

    medium: Medium | None = None
    wavelength_unit: str | None = None


class Rows(Protocol):
    """The spectra of one open file. Nothing of a row is read before it is asked for."""

    def __len__(self) -> int:
        """Number of spectra."""

    def spectrum(self, row: int) -> Spectrum:
        """Read one spectrum.

        Raises
        ------
        ReadError
            Where the row holds none.
        """


@dataclass(frozen=True, slots=True)
class Format:
    """One file format.

    Parameters
    ----------
    name
        As `--format` takes it.
    summary
        What it is, in a few words.
    recognises
        Whether a file looks like it, from its headers alone.
    rows
        Opens the spectra of a file of this format.
    """

    name: str
    summary: str
    recognises: Callable[[Source], bool]
    rows: Callable[[Source, Assumed, Note], Rows]


def unique_ids(names: Sequence[str], further: Sequence[str] | None = None) -> list[str]:
    """Make names unique within a file.

    A name that occurs more than once is continued with what tells its rows apart (`further`, for instance
    the exposure), and with the row where that does not help.
    """
    unique = list(names)
    for tails in (further, range(len(unique))):
        if tails is None:
            continue
        count = Counter(unique)
        unique = [
            f"{name}-{tail}" if count[name] > 1 else name for name, tail in zip(unique, tails, strict=True)
        ]
    return unique


class Held:
    """Keeps remarks back until there is a spectrum of which they are: beside an error they would mislead.

    Parameters
    ----------
    note
        Takes them then.
    """

    def __init__(self, note: Note) -> None:
        self._note = note
        self._kept: list[str] | None = []

    def __call__(self, sentence: str) -> None:
        """Keep a remark, or pass it on."""
        if self._kept is None:
            self._note(sentence)
        else:
            self._kept.append(sentence)

    def release(self) -> None:
        """Pass on what was kept, and all that comes."""
        kept, self._kept = self._kept or [], None
        for sentence in kept:
            self._note(sentence)


def once(note: Note) -> Note:
    """Say the same of a file's rows only once."""
    said: set[str] = set()

    def say(sentence: str) -> None:
        if sentence not in said:
            said.add(sentence)
            note(sentence)

    return say
