"""How much a file from a stranger may make of itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.keywords import value

UNPACKED_TIMES = 100
UNPACKED_BYTES = 256 << 20
"""A packed file may grow by this factor, and to this size in any case; real spectra grow by 2 to 10."""

EXTENSIONS = 1000
"""A FITS file may have so many; those of surveys have at most some dozens."""

COLUMNS = 999
"""A FITS table has at most so many, by the standard."""


def room(packed_bytes: int) -> int:
    """Return how many bytes may come out of so many packed ones."""
    return max(UNPACKED_BYTES, UNPACKED_TIMES * packed_bytes)


def unpacked(pieces: Iterable[bytes], packed_bytes: int) -> Iterator[bytes]:
    """Yield what comes out of a packed file.

    Raises
    ------
    ReadError
        Where more comes out than honest packing would put in.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        check_growth(packed_bytes, size)
        yield piece


def check_growth(packed_bytes: int, unpacked_bytes: int) -> None:
    """Refuse what grows too much.

    Raises
    ------
    ReadError
        Naming both sizes and the limit.
    """
    if unpacked_bytes > room(packed_bytes):
        raise ReadError(
            f"{packed_bytes} packed bytes make {unpacked_bytes} or more;"
            f" at most {UNPACKED_TIMES} times as many are taken: unpack it yourself if you trust it"
        )


def check_extensions(hdus: Iterable[Any], file_bytes: int, plain: Callable[[Any], bool]) -> None:
    """Come to every extension, up to the limit, and see what packed images would grow to.

    Parameters
    ----------
    hdus
        As astropy comes to them.
    file_bytes
        The size of the file.
    plain
        Tells of an HDU that its header says no number of columns, or a right one, without parsing it.

    Raises
    ------
    ReadError
        Where there are more, a table has more columns than can be, or images grow too much.
    """
    from astropy.io import fits

    images = 0
    for number, hdu in enumerate(hdus):
        if number > EXTENSIONS:
            raise ReadError(
                f"the FITS file has more than {EXTENSIONS} extensions; split it if they are spectra"
            )
        columns = value(hdu.header, "TFIELDS") if not plain(hdu) and "TFIELDS" in hdu.header else 0
        if type(columns) is not int or not 0 <= columns <= COLUMNS:  # each would be looked for
            raise ReadError(f"HDU {number}: the keyword TFIELDS is {columns!r}; FITS allows 0 to {COLUMNS}")
        if isinstance(hdu, fits.CompImageHDU):
            images += math.prod(hdu.shape) * abs(hdu.header["BITPIX"]) // 8
            check_growth(file_bytes, images)
