"""Plain tables: wavelength, flux, and ivar or error, as FITS tables or images, NPZ, ECSV, CSV and other text.

One number a row of the table is one spectrum; vectors (or a flux of two dimensions) are one spectrum a row.
What the file does not say of its wavelengths is taken from the user, else assumed, and then said aloud.
"""

from __future__ import annotations

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.readers import columns as names
from spectraq.workers.readers import fitsspectra
from spectraq.workers.readers.arrays import columns_of
from spectraq.workers.readers.column_rows import ColumnRows
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.objects import by_object
from spectraq.workers.readers.raw import finished
from spectraq.workers.readers.source import Source


def recognises(source: Source) -> bool:
    """Whether it is a file of named arrays, one of them flux."""
    if source.kind in ("npz", "ecsv", "parquet", "votable", "text"):
        return True  # nothing else is one of these, and the error says which column is missing
    if source.kind != "fits":
        return False
    columns = columns_of(source)
    return columns.first(names.FLUX) is not None and columns.says_where()


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a file of named arrays."""
    if fitsspectra.recognises(source):
        return fitsspectra.rows(source, assumed, note)
    return Table(source, columns_of(source, note), assumed, note)


FORMAT = Format("table", "plain tables: FITS, NPZ, ECSV, CSV", recognises, rows)


class Table:
    """The spectra of one set of named arrays, an object a row where it is a long table."""

    def __init__(self, source: Source, columns: Columns, assumed: Assumed, note: Note) -> None:
        self._source = source
        self._note = once(note)
        self._rows = ColumnRows(source, by_object(columns), assumed, self._note)

    def __len__(self) -> int:
        return len(self._rows)

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        return finished(self._rows.raw(row), self._source, row, self._note)
