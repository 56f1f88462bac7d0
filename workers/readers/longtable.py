"""A long table: a pixel a row, and a column that says whose pixel it is."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.columns import FLUX, IDENTITY, Columns
from spectraq.workers.readers.fitsparts import Part
from spectraq.workers.readers.keywords import text

FEWEST = 20
"""A spectrum has at least so many pixels: a column with more names than that allows counts pixels."""


def split(part: Part) -> list[Part]:
    """Return a part an object, in the order in which they come; the part itself where it is one object's.

    Raises
    ------
    ReadError
        Where some objects have hardly any pixels.
    """
    columns = part.columns
    flux = columns.first(FLUX)
    if flux is None or columns.arrays[flux].ndim != 1 or columns.arrays[flux].dtype.kind == "O":
        return [part]
    n = len(columns.arrays[flux])
    for name in IDENTITY:
        if name not in columns.arrays:
            continue
        values = np.asarray(columns.arrays[name])
        if values.shape != (n,):
            continue
        distinct, first, inverse = np.unique(values, return_index=True, return_inverse=True)
        if 1 < distinct.size <= max(1, n // FEWEST):
            return [_of(part, inverse.ravel() == key, values[first[key]], n) for key in np.argsort(first)]
        if 1 < distinct.size < n:
            raise ReadError(f"the column {name} has {distinct.size} names for {n} rows: those are no spectra")
    return [part]


def _of(part: Part, mine: Any, name: Any, n: int) -> Part:
    arrays = {
        key: np.asarray(values)[mine] for key, values in part.columns.arrays.items() if len(values) == n
    }
    for key in IDENTITY:
        arrays.pop(key, None)
    said = text(name) or "unnamed"
    arrays["spectrum_id"] = np.array([said])
    return Part(said, Columns(arrays, part.columns.units, part.columns.meta))
