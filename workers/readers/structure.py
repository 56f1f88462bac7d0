"""Why a FITS file can't be read: the keyword of its structure that is missing or of the wrong type."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.keywords import value
from spectraq.workers.readers.limits import COLUMNS, EXTENSIONS
from spectraq.workers.readers.strict_fits import StrictImage, StrictTable

BLOCK, CARD = 2880, 80
_SIZE = re.compile(rb"(BITPIX|NAXIS\d{0,3}|PCOUNT|GCOUNT) *= *(-?\d+)(?![\d.])")
_SUM = re.compile(rb"(?:CHECKSUM|DATASUM )=(?! *')")
"""A card of a checksum that is no text."""
_END = b"END" + b" " * 77
AXES = 999
"""An array has at most so many, by the standard."""
KINDS = ("IMAGE", "BINTABLE", "TABLE")
_BITPIX = (8, 16, 32, 64, -32, -64)
_FORM = re.compile(r"\d*[LXBIJKAEDCMPQ].*|[AIFED]\d+(\.\d+)?")


def _is_count(said: Any) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**47


def _is_number(said: Any) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool)


def fault(path: Path) -> str | None:
    """Find the first keyword that keeps a FITS file from being read; None where none does.

    Parameters
    ----------
    path
        Of a file that could not be read: this is slow, and never part of reading.
    """
    for number, header in _headers(path):
        if number > 0 and value(header, "XTENSION") not in KINDS:
            return f"HDU {number}: the keyword XTENSION is none of {', '.join(KINDS)}"
        for name, right, what in _expected(header):
            if not right(value(header, name)):
                said = value(header, name)
                has = "is missing or can't be read" if said is None else f"is {said!r}"
                return f"HDU {number}: the keyword {name} {has}, where {what} is needed"
    return None


def check_axes(path: Path) -> None:
    """Refuse a FITS file with more axes than can be: each would be looked for.

    Raises
    ------
    ReadError
        Naming the extension and the number.
    """
    with path.open("rb") as file:
        for number in range(EXTENSIONS):
            sizes = _sizes(file)
            axes = sizes.get(b"NAXIS", 0)
            if axes > AXES:
                raise ReadError(f"HDU {number}: the keyword NAXIS is {axes}; FITS allows 0 to {AXES}")
            try:
                shape = [sizes[b"NAXIS%d" % (axis + 1)] for axis in range(axes)]
                elements = math.prod(shape) + sizes.get(b"PCOUNT", 0) if shape else 0
                data = abs(sizes[b"BITPIX"]) // 8 * abs(sizes.get(b"GCOUNT", 1) * elements)
                file.seek(-(-data // BLOCK) * BLOCK, 1)
            except (KeyError, OSError, OverflowError, ValueError):
                return  # what is wrong is said by whoever reads it


def _sizes(file: IO[bytes]) -> dict[bytes, int]:
    """What a header says of the size of its data, by the bytes: parsing it is slow, and left to astropy."""
    block = file.read(BLOCK)
    sizes = {match[1]: int(match[2]) for match in _SIZE.finditer(block) if match.start() % CARD == 0}
    while len(block) == BLOCK and _END not in block:
        block = file.read(BLOCK)
    return sizes


def unknown_extensions(hdus: Iterable[Any]) -> Iterator[str]:
    """Yield a sentence on each extension of a kind that is none of FITS's, and is not read."""
    for number, hdu in enumerate(hdus):
        if number > 0 and not isinstance(hdu, (StrictImage, StrictTable)) and not _is_known(hdu):
            kind = value(hdu.header, "XTENSION")
            said = "has no XTENSION" if kind is None else f"is {kind!r} (XTENSION)"
            yield f"extension {number} {said}, where one of {', '.join(KINDS)} is expected: not read"


def _is_known(hdu: Any) -> bool:
    from astropy.io import fits

    return isinstance(hdu, (fits.ImageHDU, fits.BinTableHDU, fits.TableHDU, fits.CompImageHDU))


def without_sums(path: Path, out: IO[bytes]) -> bool:
    """Copy a FITS file without the checksums that can't be read, for which astropy gives up a whole HDU.

    Returns
    -------
    bool
        Whether there are any; nothing is copied otherwise.
    """
    with path.open("rb") as file:
        cards = list(_bad_sums(file, path))
        if cards:
            file.seek(0)
            shutil.copyfileobj(file, out)
    for card in cards:
        out.seek(card)
        out.write(b"COMMENT ")
    out.flush()
    return bool(cards)


def _bad_sums(file: IO[bytes], path: Path) -> Iterator[int]:
    """Yield where the cards of checksums that can't be read begin."""
    start = 0
    for _, header in _headers(path):
        file.seek(start)
        _sizes(file)
        stop = file.tell()
        file.seek(start)
        cards = _SUM.finditer(file.read(stop - start))
        yield from (start + match.start() for match in cards if match.start() % CARD == 0)
        try:
            start = stop + _data_bytes(header)
        except (TypeError, ValueError, OverflowError):
            return


def _headers(path: Path) -> Iterator[tuple[int, Any]]:
    from astropy.io import fits

    with path.open("rb") as file:
        for number in range(EXTENSIONS):
            try:
                header = fits.Header.fromfile(file, endcard=False)
            except (EOFError, OSError, ValueError):
                return
            yield number, header
            try:
                file.seek(_data_bytes(header), 1)
            except (TypeError, ValueError, OverflowError, OSError):
                return


def _data_bytes(header: Any) -> int:
    """How many bytes lie between a header and the next."""
    axes = [value(header, f"NAXIS{axis + 1}") for axis in range(value(header, "NAXIS"))]
    if not axes:
        return 0
    groups, heap = value(header, "GCOUNT"), value(header, "PCOUNT") or 0
    size: int = (
        abs(value(header, "BITPIX")) // 8 * (1 if groups is None else groups) * (heap + math.prod(axes))
    )
    return -(-size // BLOCK) * BLOCK


def _expected(header: Any) -> Iterator[tuple[str, Callable[[Any], bool], str]]:
    """Yield the keywords of a header's structure in order, what each must be, and that in words."""
    yield "BITPIX", lambda said: said in _BITPIX, "one of 8, 16, 32, 64, -32, -64"
    yield "NAXIS", lambda said: _is_count(said) and said <= AXES, "a number of axes"
    for axis in range(value(header, "NAXIS")):
        yield f"NAXIS{axis + 1}", _is_count, "a number of elements"
    if "EXTNAME" in header:
        yield "EXTNAME", lambda said: said is not None, "a name"
    if "XTENSION" in header:
        yield "PCOUNT", _is_count, "a number of bytes"
        yield "GCOUNT", _is_count, "a number of groups"
    if "XTENSION" in header and value(header, "XTENSION") in ("BINTABLE", "TABLE"):
        yield "TFIELDS", lambda said: _is_count(said) and said <= COLUMNS, "a number of columns"
        for column in range(value(header, "TFIELDS")):
            yield f"TFORM{column + 1}", _is_form, "the format of a column"
            yield f"TTYPE{column + 1}", _is_name, "the name of a column"
    for name in header:
        if re.fullmatch(r"BSCALE|BZERO|TSCAL\d+|TZERO\d+", name):
            yield name, _is_number, "a number"


def _is_name(said: Any) -> bool:
    return isinstance(said, str) and bool(said.strip())


def _is_form(said: Any) -> bool:
    return isinstance(said, str) and _FORM.fullmatch(said.strip()) is not None
