"""Whose spectrum a row of a plain table is, as far as the table says it."""

from __future__ import annotations

from typing import Any

from spectraq.workers.readers import columns as names
from spectraq.workers.readers import keywords
from spectraq.workers.readers.array_rows import ByRow
from spectraq.workers.readers.format import unique_ids
from spectraq.workers.readers.source import Source


class Identity:
    """Names and positions of the rows.

    Parameters
    ----------
    source
        The file: where no column names the spectra, they are called as the file and their row.
    arrays
        Its arrays and header.
    """

    def __init__(self, source: Source, arrays: ByRow) -> None:
        self._columns = columns = arrays.columns
        self._length = length = arrays.length
        stem = source.stem
        self._ids = [stem] if length == 1 else [f"{stem}-{row}" for row in range(length)]
        column = next((name for name in names.IDENTITY if self._is_by_row(name)), None)
        if column:
            given = [keywords.text(columns.arrays[column][row]) for row in range(length)]
            self._ids = unique_ids([name or own for name, own in zip(given, self._ids, strict=True)])

    def fields(self, row: int) -> dict[str, Any]:
        """Return identity and position of one row as fields of a Spectrum."""
        target = self._value(names.TARGET, row)
        return {
            "spectrum_id": self._ids[row],
            "target_id": keywords.text(target),
            "ra": keywords.number(self._value(names.RA, row), keywords.RIGHT_ASCENSION),
            "dec": keywords.number(self._value(names.DEC, row), keywords.DECLINATION),
            "mjd": keywords.number(self._value(names.MJD, row), keywords.DAYS) or self._utc(row),
            "survey": (keywords.text(self._value(names.SURVEY, row)) or "").lower() or None,
        }

    def _utc(self, row: int) -> float | None:
        """Return the row's time where it is said in TAI."""
        tai = keywords.number(self._value(names.MJD_TAI, row), keywords.DAYS)
        if tai is None:
            return None
        from astropy.time import Time

        return float(Time(tai, format="mjd", scale="tai").utc.mjd)

    def _is_by_row(self, name: str) -> bool:
        if name not in self._columns.arrays:
            return False
        array = self._columns.arrays[name]
        return array.ndim == 1 and len(array) == self._length

    def _value(self, choices: tuple[str, ...], row: int) -> Any:
        """The row's value of the first of these columns, else of the header's keys."""
        for name in choices:
            if self._is_by_row(name):
                return self._columns.arrays[name][row]
        return next((self._columns.meta[name] for name in choices if name in self._columns.meta), None)
