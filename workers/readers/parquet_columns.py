"""The columns of a Parquet file, each read when it is asked for; of lists, a few rows at a time.

A table of a million spectra is larger than any memory, and often a single row group: its pages are unpacked
in the order of the rows, and what was unpacked before is let go.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import parquet

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.columns import Lazy

ROWS = 64
"""Unpacked at once: of spectra of 4000 pixels, two megabytes of each column."""


@contextmanager
def damage_said() -> Iterator[None]:
    """Turn what is raised of a damaged file into one line.

    Raises
    ------
    ReadError
        Saying what is wrong with it.
    """
    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        why = " ".join(str(error).split())[:200]
        raise ReadError(f"the Parquet file can't be read: {why}") from error


def columns_of_file(file: parquet.ParquetFile, names: dict[str, tuple[int, bool]]) -> Lazy:
    """Return the columns of a file by name.

    Parameters
    ----------
    file
        Open.
    names
        By our name: the number of the column in the file, and whether it holds names of objects.
    """
    schema = file.schema_arrow
    arrays: dict[str, Any] = {}
    for name, (number, is_name) in names.items():
        field = schema.field(number)
        if _is_list(field.type):
            arrays[name] = cache(partial(ListColumn, file, field.name))
        else:
            arrays[name] = cache(partial(_values, file, field.name, is_name))
    return Lazy(arrays)


class ListColumn:
    """A column of lists as an array of arrays, shape (n,): rows of it, each in double precision.

    Rows are read forward; one that lies behind is looked for from the beginning of its row group.

    Parameters
    ----------
    file
        Open.
    name
        As it is written there.
    """

    ndim = 1
    dtype = np.dtype(object)

    def __init__(self, file: parquet.ParquetFile, name: str) -> None:
        self._file, self._name = file, name
        groups = [file.metadata.row_group(number).num_rows for number in range(file.num_row_groups)]
        self._begins = np.concatenate([[0], np.cumsum(groups, dtype=np.int64)]).astype(np.int64)
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._first = self._next = self._group_end = 0  # rows of the batch, and where its group ends

    @property
    def shape(self) -> tuple[int]:
        """Number of rows."""
        return (len(self),)

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __getitem__(self, row: int) -> NDArray[np.float64]:
        if not 0 <= row < len(self):
            raise IndexError(row)
        with damage_said():
            self._advance(row)
        return _pixels(self._batch[row - self._first])

    def _advance(self, row: int) -> None:
        if row < self._first or row >= self._group_end:
            group = int(np.searchsorted(self._begins, row, side="right")) - 1
            self._batches = self._file.iter_batches(ROWS, row_groups=[group], columns=[self._name])
            self._next, self._group_end = int(self._begins[group]), int(self._begins[group + 1])
            self._first = self._next
        while row >= self._next:
            self._batch = next(self._batches).column(0)
            self._first, self._next = self._next, self._next + len(self._batch)


def _pixels(row: Any) -> NDArray[np.float64]:
    """Return a row's numbers; what is null is not a number, and a row that is null has none."""
    if row.values is None:
        return np.empty(0)
    return np.asarray(row.values.to_numpy(zero_copy_only=False), dtype=np.float64)


def _is_list(kind: Any) -> bool:
    types = pyarrow.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _values(file: parquet.ParquetFile, name: str, is_name: bool) -> NDArray[Any]:
    """Return a column of one value a row.

    What is null is not a number, or an empty name: floats round 64-bit ids.
    """
    with damage_said():
        column = file.read(columns=[name]).column(0)
    kind = column.type
    if pyarrow.types.is_integer(kind) and not column.null_count:
        return np.asarray(column.to_numpy())
    is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
    if is_number and not (is_name and pyarrow.types.is_integer(kind)):
        return np.asarray(column.cast(pyarrow.float64()).fill_null(float("nan")).to_numpy())
    return np.array([str(value) if value is not None else "" for value in column.to_pylist()])
