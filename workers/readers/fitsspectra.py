"""Spectra in FITS tables: a table an object or a row a spectrum, arms joined, with noise and quality.

ESO Phase 3, 4MOST L1, SDSS-V's mwmStar and mwmVisit, LAMOST's medium resolution, PypeIt, VIPERS, JWST's x1d,
and whatever else holds flux and wavelength by common names.
"""

from __future__ import annotations

import numpy as np

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers.column_rows import ColumnRows
from spectraq.workers.readers.fitsparts import Part, chosen, joined, parts
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once, unique_ids
from spectraq.workers.readers.objects import by_object
from spectraq.workers.readers.raw import finished
from spectraq.workers.readers.source import Source


def recognises(source: Source) -> bool:
    """Whether a table has columns of flux and of wavelength."""
    return source.kind == "fits" and bool(parts(source))


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open the tables of a FITS file.

    Raises
    ------
    ReadError
        Where there is none with flux and wavelength.
    """
    say = once(note)
    tables = parts(source, say)
    if not tables:
        raise ReadError("no table with columns of flux and wavelength")
    return FitsSpectra(source, chosen(tables, say), assumed, say)


FORMAT = Format(
    "fits", "FITS tables of spectra: ESO Phase 3, 4MOST, SDSS-V, PypeIt and alike", recognises, rows
)


class FitsSpectra:
    """The spectra of a file's tables."""

    def __init__(self, source: Source, kept: list[Part], assumed: Assumed, note: Note) -> None:
        self._source, self._note = source, note
        by_name = [Part(part.name, by_object(part.columns)) for part in kept]
        long = any(after.columns is not before.columns for after, before in zip(by_name, kept, strict=True))
        self._groups = [
            [ColumnRows(source, part.columns, assumed, note, part.name) for part in group]
            for group in ([[part] for part in by_name] if long else joined(kept, note))
        ]
        for group in self._groups:
            if len({len(arm) for arm in group}) > 1:
                raise ReadError(
                    f"the arms {', '.join(arm.name for arm in group)} have different numbers of rows"
                )
        self._places = [(group, row) for group in self._groups for row in range(len(group[0]))]
        self._ids = self._named()

    def __len__(self) -> int:
        return len(self._places)

    def spectrum(self, row: int) -> Spectrum:
        """Read one, its arms joined."""
        group, place = self._places[row]
        arms = [arm.raw(place) for arm in group]
        raw = arms[0]
        if len(arms) > 1:
            with_noise = all(arm.ivar is not None for arm in arms)
            raw.grid = None
            raw.wavelength = np.concatenate([arm.wavelength for arm in arms])
            raw.flux = np.concatenate([arm.flux for arm in arms])
            raw.ivar = (
                np.concatenate([arm.ivar for arm in arms if arm.ivar is not None]) if with_noise else None
            )
            if len({str(arm.unit) for arm in arms}) > 1:
                raise ReadError("the arms have different units of flux; give them one")
        raw.fields["spectrum_id"] = self._ids[row]
        return finished(raw, self._source, row, self._note)

    def _named(self) -> list[str]:
        """Identities, told apart by the table's name where there are several."""
        several = len(self._groups) > 1
        given, further = [], []
        for group, row in self._places:
            own = group[0].fields(row)["spectrum_id"]
            by_file = own == self._source.stem or own.startswith(f"{self._source.stem}-")
            given.append(f"{self._source.stem}-{group[0].name}" if several and by_file else own)
            further.append(group[0].name)
        return unique_ids(given, further if several else None)
