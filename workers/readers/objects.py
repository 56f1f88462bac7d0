"""Long tables: a pixel a row, and a column that says which object it is of.

Each object is a spectrum of its own. Where wavelengths begin again and no column says whose they are, that is
an error: the average of two objects looks like a spectrum, and is none.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.columns import Columns

NAMES = (
    *names.IDENTITY, "object", "objname", "obj_id", "obj", "target", "source", "source_id", "spec_id",
    "specid", "cname", "sn_name", "source_name", "object_name", "obj_name", "target_name",
    "fiberid", "fiber_id", "fiber", "fibre", "star", "galaxy",
)  # fmt: skip
"""Columns that say whose pixel a row is."""

FEWEST_PIXELS = 10
"""Where a column tells apart less than so many pixels each, on average, it names pixels and no objects."""
RUN = 50
"""Pixels in which wavelengths rise or fall without a break: fewer are disorder, and no spectrum."""
SHARED = 0.5
"""Of the shorter of two arms' range: arms laid end to end share less, two spectra more."""


def by_object(columns: Columns) -> Columns:
    """Return a long table with an object a row, and any other table as it is.

    Parameters
    ----------
    columns
        Of a file, as it is laid out.

    Raises
    ------
    ReadError
        Where it holds several spectra, and no column says whose a pixel is.
    """
    flux, wavelength = columns.first(names.FLUX), columns.wavelength
    if flux is None or wavelength is None:
        return columns
    pixels, where = columns.arrays[flux], columns.arrays[wavelength]
    if pixels.ndim != 1 or where.shape != pixels.shape or "O" in (pixels.dtype.kind, where.dtype.kind):
        return columns
    column = next((name for name in NAMES if _tells_apart(columns.arrays, name, pixels.size)), None)
    if column is None:
        try:
            check_one_spectrum(where, wavelength)
            return columns
        except ReadError:
            column = _only_key(columns, where)
            if column is None:
                raise
    return Columns(_grouped(columns, column, pixels.size), columns.units, columns.meta)


def check_one_spectrum(wavelength: NDArray[Any], name: str) -> None:
    """Refuse wavelengths, shape (n,), that are those of several spectra.

    Raises
    ------
    ReadError
        Saying where the second one begins.
    """
    if wavelength.dtype.kind not in "fiu":
        return
    where = wavelength[np.isfinite(wavelength) & (wavelength > 0)].astype(np.float64)
    remedy = "add a column object_id that says whose each row is, or split the file"
    if where.size >= 2 * RUN and np.unique(where).size <= 0.6 * where.size:
        raise ReadError(f"most values of {name} come more than once: these are several spectra; {remedy}")
    for first, second in pairwise(_runs(where)):
        (low, high), (other_low, other_high) = ((np.min(run), np.max(run)) for run in (first[1], second[1]))
        common = min(high, other_high) - max(low, other_low)
        if common > SHARED * min(high - low, other_high - other_low):
            raise ReadError(f"{name} begins again at row {second[0]}: these are several spectra; {remedy}")


def _runs(where: NDArray[np.float64]) -> list[tuple[int, NDArray[np.float64]]]:
    """Return the stretches in which wavelengths go one way, each with its first row."""
    if where.size < 2 * RUN:
        return []
    steps = np.diff(where)
    way = np.sign(np.median(np.sign(steps))) or 1.0
    breaks = np.flatnonzero(steps * way < 0) + 1
    starts = np.concatenate([[0], breaks]).tolist()
    parts = np.split(where, breaks)
    return [(start, part) for start, part in zip(starts, parts, strict=True) if part.size >= RUN]


def _tells_apart(arrays: Any, name: str, n: int) -> bool:
    if name not in arrays:
        return False
    array = arrays[name]
    if array.shape != (n,) or array.dtype.kind not in "iuSUO":
        return False
    return bool(len(set(array.tolist())) * FEWEST_PIXELS <= n)


def _only_key(columns: Columns, where: NDArray[Any]) -> str | None:
    """Return the one column of text by which no wavelength comes twice; None for none."""
    keys = []
    for name in columns.arrays:
        array = columns.arrays[name]
        if array.dtype.kind not in "SUO" or not _tells_apart(columns.arrays, name, where.size):
            continue
        _, group = np.unique(array.astype(np.str_), return_inverse=True)
        if np.unique(np.stack([group.ravel(), where]), axis=1).shape[1] == where.size:
            keys.append(name)
    return keys[0] if len(keys) == 1 else None


def _grouped(columns: Columns, column: str, n: int) -> dict[str, Any]:
    """Return the columns with an object a row, in the order in which the objects come."""
    labels = np.asarray(columns.arrays[column]).astype(np.str_)
    _, first, group = np.unique(labels, return_index=True, return_inverse=True)
    order = np.argsort(first, kind="stable")
    members = [np.flatnonzero(group == number) for number in order]
    per_object = {*NAMES, *names.RA, *names.DEC, *names.MJD, *names.SURVEY}
    grouped: dict[str, Any] = {"spectrum_id": labels[first[order]], column: labels[first[order]]}
    for name, array in columns.arrays.items():
        if name == column or array.shape[:1] != (n,) or array.ndim != 1:
            continue
        if name in per_object:
            grouped.setdefault(name, array[first[order]])
        else:
            rows = np.empty(len(members), dtype=object)
            rows[:] = [array[member] for member in members]
            grouped[name] = rows
    return grouped
