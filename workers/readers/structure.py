"""Why a FITS file can't be read: the keyword of its structure that is missing or of the wrong type."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any

from spectraq.workers.readers.content import Content
from spectraq.workers.readers.header_text import AXES, BLOCK, CARD, header_text
from spectraq.workers.readers.keywords import value
from spectraq.workers.readers.limits import COLUMNS, EXTENSIONS

_SUM = re.compile(rb"(?:CHECKSUM|DATASUM )=(?! *')")
"""A card of a checksum that is no text."""
KINDS = ("IMAGE", "BINTABLE", "TABLE")
_BITPIX = (8, 16, 32, 64, -32, -64)
_FORM = re.compile(r"\d*[LXBIJKAEDCMPQ].*|[AIFED]\d+(\.\d+)?")


def _is_count(said: Any) -> bool:
    return isinstance(said, int) and not isinstance(said, bool) and 0 <= said < 2**47


def _is_number(said: Any) -> bool:
    return isinstance(said, int | float) and not isinstance(said, bool)


def fault(content: Content) -> str | None:
    """Find the first keyword that keeps a FITS file from being read; None where none does.

    Parameters
    ----------
    content
        Of a file that could not be read: this is slow, and never part of reading.
    """
    for number, header in _headers(content):
        if number > 0 and value(header, "XTENSION") not in KINDS:
            return f"HDU {number}: the keyword XTENSION is none of {', '.join(KINDS)}"
        for name, right, what in _expected(header):
            if not right(value(header, name)):
                said = value(header, name)
                has = "is missing or can't be read" if said is None else f"is {said!r}"
                return f"HDU {number}: the keyword {name} {has}, where {what} is needed"
    return None


def unknown_extensions(hdus: Iterable[Any]) -> Iterator[str]:
    """Yield a sentence on each extension of a kind that is none of FITS's, and is not read."""
    for number, hdu in enumerate(hdus):
        if number > 0 and not _is_known(hdu):
            kind = value(hdu.header, "XTENSION")
            said = "has no XTENSION" if kind is None else f"is {kind!r} (XTENSION)"
            yield f"extension {number} {said}, where one of {', '.join(KINDS)} is expected: not read"


def _is_known(hdu: Any) -> bool:
    from astropy.io import fits

    return isinstance(hdu, (fits.ImageHDU, fits.BinTableHDU, fits.TableHDU, fits.CompImageHDU))


def without_sums(content: Content, out: IO[bytes]) -> bool:
    """Copy a FITS file without the checksums that can't be read, for which astropy gives up a whole HDU.

    Returns
    -------
    bool
        Whether there are any; nothing is copied otherwise.
    """
    with content.open() as file:
        cards = list(_bad_sums(file, content))
        if cards:
            file.seek(0)
            shutil.copyfileobj(file, out)
    for card in cards:
        out.seek(card)
        out.write(b"COMMENT ")
    out.flush()
    return bool(cards)


def _bad_sums(file: IO[bytes], content: Content) -> Iterator[int]:
    """Yield where the cards of checksums that can't be read begin."""
    start = 0
    for _, header in _headers(content):
        file.seek(start)
        whole = header_text(file)
        cards = _SUM.finditer(whole.text)
        yield from (start + match.start() for match in cards if match.start() % CARD == 0)
        try:
            start = whole.stop + _data_bytes(header)
        except (TypeError, ValueError, OverflowError):
            return


def _headers(content: Content) -> Iterator[tuple[int, Any]]:
    from astropy.io import fits

    with content.open() as file:
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
