"""FITS files that keep to the standard to the letter, read from their bytes as far as they are asked for.

A survey's file has hundreds of cards and columns, of which a dozen are used; astropy parses all of them. What
is not plain here (scaled numbers, rows of their own lengths, text, a card that bends the standard) is
astropy's to read: the whole file where its structure is not plain, else the part that is asked for.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.readers.strict_header import BLOCK, StrictHeader, read_header

MOST_BYTES = 32 << 20
"""Of a file that is taken into memory."""
MOST_HDUS, MOST_AXES, MOST_COLUMNS = 200, 9, 999
_IMAGES = {8: "u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_COLUMNS = {"B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8"}
_WIDTHS = {"A": 1, "L": 1, "C": 8, "M": 16}
"""Bytes of an element of columns whose values are left to astropy."""
_FORM = re.compile(r"(\d{0,9})([BIJKEDLACM]) *")
_ODD = {"GROUPS", "ZIMAGE", "THEAP", "BSCALE", "BZERO", "BLANK"}
"""Keywords of arrays that are not what they seem."""
_OPTIONAL = ("TUNIT", "TNULL", "TDISP", "TDIM", "TSCAL", "TZERO", "TBCOL", "TC", "TRPOS")
"""How the keywords of columns begin that astropy must be able to read."""
_ODD_COLUMN = re.compile(r"T(?:DIM|SCAL|ZERO|NULL)(\d+)")
"""Keywords of columns that are folded, scaled, or know a number for nothing."""


class _StrictHdu:
    """One HDU; what is not plain of it is asked of astropy's.

    Parameters
    ----------
    header, content, start
        Its header, the file, and where its data begin.
    original
        Opens the same HDU with astropy.
    """

    def __init__(
        self, header: StrictHeader, content: bytearray, start: int, original: Callable[[], Any]
    ) -> None:
        self.header = header
        self._content, self._start, self._open = content, start, original

    @cached_property
    def original(self) -> Any:
        """The same as astropy reads it."""
        return self._open()

    def __getattr__(self, name: str) -> Any:
        """Return all else of astropy's HDU."""
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.original, name)


class StrictImage(_StrictHdu):
    """An image without scaling, or a header alone."""

    is_image = True

    @cached_property
    def name(self) -> str:
        """The name in capitals, PRIMARY of the first without one."""
        return str(self.header.get("EXTNAME", "PRIMARY" if "SIMPLE" in self.header else "")).upper()

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """As numpy has it: the fastest axis is the last."""
        return tuple(self.header[f"NAXIS{axis}"] for axis in range(self.header["NAXIS"], 0, -1))

    @cached_property
    def data(self) -> NDArray[Any] | None:
        """The pixels; None where there are none."""
        if not math.prod(self.shape) or not self.shape:
            return None
        kind = np.dtype(_IMAGES[self.header["BITPIX"]])
        flat = np.frombuffer(self._content, kind, math.prod(self.shape), self._start)
        return flat.reshape(self.shape)

    @property
    def section(self) -> Any:
        """The pixels, any part of which may be asked for."""
        return self.original.section if self.data is None else self.data

    @property
    def columns(self) -> Any:
        """No image has any."""
        raise AttributeError("columns")


class StrictTable(_StrictHdu):
    """A binary table."""

    is_image = False

    @cached_property
    def name(self) -> str:
        """The name as it is written, empty where there is none."""
        return str(self.header.get("EXTNAME", ""))

    @cached_property
    def columns(self) -> Any:
        """What columns there are: of plain ones by their header, else as astropy tells it."""
        return _columns(self.header, lambda: self.original.columns) or self.original.columns

    @cached_property
    def data(self) -> Any:
        """The rows."""
        columns = self.columns
        if not isinstance(columns, StrictColumns) or columns.dtype.itemsize != self.header["NAXIS1"]:
            return self.original.data
        rows = np.frombuffer(self._content, columns.dtype, self.header["NAXIS2"], self._start)
        return StrictRows(rows, self)


class StrictColumns:
    """Names and types of columns, none of which has another length in each row.

    Attributes
    ----------
    are_plain
        Whether the shapes are right, too: a folded or scaled column is bytes here.
    """

    def __init__(self, names: Sequence[str], kinds: Sequence[Any], original: Callable[[], Any]) -> None:
        self.names, self._original = list(names), original
        self.dtype = np.dtype(list(zip(names, kinds, strict=True)))
        self.are_plain = not any(isinstance(kind, str) and kind.startswith("V") for kind in kinds)

    def __getitem__(self, name: str) -> Any:
        """Return a column as astropy knows it."""
        return self._original()[name]


class StrictRows:
    """The rows of a table, a column at a time."""

    def __init__(self, rows: NDArray[Any], table: StrictTable) -> None:
        self._rows, self._table = rows, table

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: Any) -> Any:
        """Return a column of numbers, else what astropy makes of it."""
        kinds: Mapping[Any, Any] = self._rows.dtype.fields or {}
        if isinstance(key, str) and key in kinds and kinds[key][0].base.kind in "iuf":
            return self._rows[key]
        return self._table.original.data[key]

    def __getattr__(self, name: str) -> Any:
        """Return all else of astropy's rows."""
        return getattr(self._table.original.data, name)


def strict_hdus(content: bytearray, original: Callable[[int], Any]) -> list[Any] | None:
    """Return the HDUs of a file; None where its structure is not plain to the letter.

    Parameters
    ----------
    content
        All of the file.
    original
        Opens an HDU with astropy, by its place.
    """
    hdus: list[Any] = []
    start = 0
    while start < len(content):
        read = read_header(content, start)
        if read is None or len(hdus) == MOST_HDUS:
            return None
        header, data = read
        size = _data_bytes(header, first=not hdus)
        if size is None or data + size > len(content):
            return None
        number = len(hdus)
        kind = StrictTable if header.plain("XTENSION") == "BINTABLE" else StrictImage
        hdus.append(kind(header, content, data, partial(original, number)))
        start = data + size
    return hdus


def _data_bytes(header: StrictHeader, first: bool) -> int | None:
    """Return how many bytes the data take, blocks being full; None where the header is not plain."""
    axes = header.plain("NAXIS")
    if type(axes) is not int or not 0 <= axes <= MOST_AXES:
        return None
    wanted = ["SIMPLE" if first else "XTENSION", "BITPIX", "NAXIS"]
    wanted += [f"NAXIS{axis + 1}" for axis in range(axes)] + ([] if first else ["PCOUNT", "GCOUNT"])
    if header.names[: len(wanted)] != wanted or not _ODD.isdisjoint(header.names):
        return None
    said = [header.plain(name) for name in wanted]
    bits, sizes = said[1], [size for size in said[3 : 3 + axes] if type(size) is int and size >= 0]
    if type(bits) is not int or bits not in _IMAGES or len(sizes) < axes:
        return None
    if first and "EXTEND" in header.names and header.plain("EXTEND") is None:
        return None
    if "EXTNAME" in header.names and (first or header.plain("EXTNAME") in (None, "", "PRIMARY")):
        return None
    if (said[0] is not True) if first else not _is_plain_extension(header, said):
        return None
    size = abs(bits) // 8 * math.prod(sizes) if axes else 0
    return -(-size // BLOCK) * BLOCK


def _is_plain_extension(header: StrictHeader, said: Sequence[Any]) -> bool:
    """Whether it is an image, or a table of a number of columns, without anything behind its rows."""
    if said[-2:] != [0, 1] or said[0] not in ("IMAGE", "BINTABLE"):
        return False
    if said[0] == "IMAGE":
        return True
    fields = header.plain("TFIELDS")
    return said[1:3] == [8, 2] and type(fields) is int and 0 < fields <= MOST_COLUMNS


def _columns(header: StrictHeader, original: Callable[[], Any]) -> StrictColumns | None:
    """Return the columns by their cards; None where one is not plain, or two are of one name."""
    if any(name.startswith(_OPTIONAL) and header.plain(name) is None for name in header.names):
        return None
    odd = {int(match[1]) for match in map(_ODD_COLUMN.fullmatch, header.names) if match}
    names: list[str] = []
    kinds: list[Any] = []
    for number in range(1, header["TFIELDS"] + 1):
        name, form = header.plain(f"TTYPE{number}"), header.plain(f"TFORM{number}")
        match = _FORM.fullmatch(form) if isinstance(form, str) else None
        if not isinstance(name, str) or not name or name != name.strip() or match is None:
            return None
        count, code = int(match[1] or 1), match[2]
        if not count:
            return None
        kind = _COLUMNS.get(code) or f"S{_WIDTHS[code]}"
        names.append(name)
        if number in odd:
            kinds.append(f"V{np.dtype(kind).itemsize * count}")
        elif code == "A":
            kinds.append(f"S{count}")
        else:
            kinds.append(kind if count == 1 else (kind, (count,)))
    if len({name.lower() for name in names}) < len(names):
        return None
    return StrictColumns(names, kinds, original)
