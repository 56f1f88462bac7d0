"""What the readers of FITS files share: finding tables and columns, whatever the case of their names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from astropy.io import fits
from numpy.typing import ArrayLike, NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.keywords import value
from spectraq.workers.readers.source import Source

_RAGGED = re.compile(r"\d*[PQ]")


def tables(source: Source) -> list[Any]:
    """Return the binary tables of a file; none where it is no FITS file."""
    return [hdu for hdu in source.hdus or () if isinstance(hdu, fits.BinTableHDU)]


def columns(hdu: Any) -> dict[str, str]:
    """Return a table's column names by their lower-case form; the first of two that differ in case only."""
    return {name.lower(): name for name in reversed(hdu.columns.names)}


def shapes(hdu: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of one row of each column, by lower-case name: () is a number, (n,) a vector.

    A vector whose length is another in each row has the shape (-1,).
    """
    dtype = hdu.columns.dtype
    ragged = {column.name for column in hdu.columns if _RAGGED.match(str(column.format))}
    return {
        name.lower(): (-1,) if name in ragged else dtype[name].shape for name in reversed(hdu.columns.names)
    }


def header(hdu: Any) -> dict[str, Any]:
    """Return a header's values by lower-case keyword; None where one can't be read."""
    return {key.lower(): value(hdu.header, key) for key in hdu.header if key}


def pixels(values: ArrayLike) -> NDArray[np.float32]:
    """Copy pixels out of a memory-mapped file, in this machine's byte order, shape (n,).

    Raises
    ------
    ReadError
        Where they are no numbers.
    """
    with np.errstate(over="ignore"):  # beyond float32 is infinite, and such a pixel is not used
        try:
            return np.array(values, dtype=np.float32).ravel()
        except (ValueError, TypeError) as error:
            raise ReadError("a column or image that should hold pixels does not hold numbers") from error
