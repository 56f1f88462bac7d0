"""What the readers of FITS files share: finding tables and columns, whatever the case of their names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.keywords import is_bad_card, value
from spectraq.workers.readers.source import Source

_OPTIONAL = re.compile(r"T(UNIT|NULL|DISP|DIM|BCOL|CTYP|CUNI|CRPX|CRVL|CDLT|RPOS)\d+")
_RAGGED = re.compile(r"\d*[PQ]")


def tables(source: Source) -> list[Any]:
    """Return the tables of a file, binary or of text; none where it is no FITS file."""
    return [hdu for hdu in source.hdus or () if is_table(hdu)]


def is_table(hdu: Any) -> bool:
    """Return whether an HDU is a table, binary or of text."""
    from astropy.io import fits

    return isinstance(hdu, fits.BinTableHDU | fits.TableHDU)


def columns(hdu: Any) -> dict[str, str]:
    """Return a table's column names by their lower-case form; the first of two that differ in case only.

    Raises
    ------
    ReadError
        Where the formats of the columns do not make up a row.
    """
    return {name.lower(): name for name in reversed(_definitions(hdu).names)}


def _definitions(hdu: Any) -> Any:
    """What astropy knows of a table's columns; what can't be read beside their formats is left out."""
    try:
        definitions = hdu.columns
    except Exception as error:
        if not is_bad_card(error):
            raise
        for key in [key for key in hdu.header if _OPTIONAL.fullmatch(key) and value(hdu.header, key) is None]:
            del hdu.header[key]
        definitions = hdu.columns
    width, said = definitions.dtype.itemsize, value(hdu.header, "NAXIS1")
    if width != said and value(hdu.header, "XTENSION") != "TABLE":
        raise ReadError(
            f"the columns' formats (TFORMn) of the table {hdu.name or 'without a name'} make rows of {width}"
            f" bytes, and NAXIS1 is {said}"
        )
    return definitions


def shapes(hdu: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of one row of each column, by lower-case name: () is a number, (n,) a vector.

    A vector whose length is another in each row has the shape (-1,).
    """
    definitions = _definitions(hdu)
    dtype = definitions.dtype
    ragged = {column.name for column in definitions if _RAGGED.match(str(column.format))}
    return {
        name.lower(): (-1,) if name in ragged else dtype[name].shape for name in reversed(definitions.names)
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
