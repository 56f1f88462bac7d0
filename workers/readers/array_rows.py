"""Named arrays seen as rows: which are pixels of all spectra, which hold a spectrum a row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.mistaken import taken_for

FEWEST_PIXELS = 20
"""Of rows of fewer numbers none can be a spectrum."""


class ByRow:
    """The arrays of a file, one spectrum at a time.

    Parameters
    ----------
    columns
        The arrays; flux says how many spectra there are: vectors, or two dimensions, are one a row.

    Attributes
    ----------
    flux
        Name of the flux column.
    length
        Number of spectra.

    Raises
    ------
    ReadError
        Where there is no flux, of too many dimensions, or of rows of a few numbers, or no wavelength.
    """

    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        need_pixels(columns)
        self.flux = str(columns.first(names.FLUX))
        array = columns.arrays[self.flux]
        if array.ndim > 2:
            raise ReadError(
                f"{self.flux} has the shape {array.shape}; one spectrum, or one a row, has at most two"
                " numbers there (a cube is no spectrum); extract spectra first"
            )
        if array.ndim == 2 and array.shape[1] < FEWEST_PIXELS:
            raise ReadError(
                f"{self.flux} has {array.shape[1]} numbers a row, as magnitudes of a catalogue have;"
                f" a spectrum has at least {FEWEST_PIXELS}"
            )
        self.many = array.ndim == 2 or _is_ragged(array)
        self.length = len(array) if self.many else 1

    def is_shared(self, name: str) -> bool:
        """Whether all spectra share this array."""
        array = self.columns.arrays[name]
        return not self.many or bool(array.ndim == 1 and not _is_ragged(array))

    def values(self, name: str, row: int) -> Any:
        """Return one spectrum's part of an array."""
        array = self.columns.arrays[name]
        if self.is_shared(name):
            return array
        if len(array) != self.length:
            raise ReadError(f"{self.flux} has {self.length} rows and {name} has {len(array)}")
        return array[row]

    def pixels(self, name: str, row: int, n: int | None = None) -> NDArray[np.float64]:
        """Copy one spectrum's part of an array, shape (n,), in double precision.

        Raises
        ------
        ReadError
            Where it does not hold numbers, or not n of them.
        """
        values = self.values(name, row)
        if np.iscomplexobj(values):
            raise ReadError(f"the column {name} holds complex numbers; give its real part")
        try:
            numbers = np.array(values, dtype=np.float64).ravel()
        except (TypeError, ValueError) as error:
            raise ReadError(f"the column {name} does not hold numbers") from error
        if n is not None and numbers.size != n:
            raise ReadError(f"{self.flux} has {n} pixels and {name} has {numbers.size}")
        return numbers


def need_pixels(columns: Columns) -> None:
    """Raise `ReadError` where there is no flux, or nothing says where its pixels lie; reads no array."""
    if columns.first(names.FLUX) is None:
        _missing("flux", names.FLUX, columns)
    if not columns.says_where():
        _missing("wavelength", (*names.WAVELENGTH[:3], *names.LOGLAM), columns)


def _is_ragged(array: Any) -> bool:
    """Whether the rows are arrays of their own lengths."""
    return bool(array.dtype.kind == "O")


def _missing(what: str, choices: tuple[str, ...], columns: Columns) -> None:
    there = _listed(columns.arrays) or "none"
    raise ReadError(
        f"no {what}: it may be called {', '.join(choices[:4])}; the columns are {there}"
        f"{taken_for(columns.arrays)}"
    )


def _listed(arrays: Mapping[str, Any]) -> str:
    names_there = list(arrays)
    return ", ".join(names_there[:12]) + (", ..." if len(names_there) > 12 else "")
