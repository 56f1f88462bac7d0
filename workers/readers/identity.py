"""Whose spectrum a row of a plain table is, as far as the table says it."""

from __future__ import annotations

import math
from typing import Any

from schemas.text import escaped
from workers.readers import columns as names
from workers.readers.byrow import ByRow
from workers.readers.rows import unique_ids
from workers.readers.source import Source

MAX_ID = 200
"""Characters that an identity may have."""


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
            given = [_text(columns.arrays[column][row]) for row in range(length)]
            self._ids = unique_ids([name or own for name, own in zip(given, self._ids, strict=True)])

    def fields(self, row: int) -> dict[str, Any]:
        """Give identity and position of one row as fields of a Spectrum."""
        target = self._value(("targetid", "target_id"), row)
        return {
            "spectrum_id": self._ids[row],
            "target_id": None if target is None else _text(target),
            "ra": _number(self._value(names.RA, row), 0, 360),
            "dec": _number(self._value(names.DEC, row), -90, 90),
            "mjd": _number(self._value(names.MJD, row), 0, 1e6),
            "survey": (_text(self._value(names.SURVEY, row)) or "").lower() or None,
        }

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


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return escaped(text.strip().strip("\0"))[: MAX_ID - 20] or None


def _number(value: Any, low: float, high: float) -> float | None:
    """A number within bounds; surveys write -999 or nothing where they do not know."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and low <= number <= high else None
