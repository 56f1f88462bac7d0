"""What the text of a FITS header says plainly of its size and name, before any of it is parsed.

To parse the hundreds of cards of a table that is not used is most of what reading a survey's file would cost.
What is not written plainly here is left to astropy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import IO

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.content import Content
from spectraq.workers.readers.limits import EXTENSIONS

BLOCK, CARD = 2880, 80
END = b"END" + b" " * 77
AXES = 999
"""An array has at most so many, by the standard."""
MOST_BLOCKS = 1000
"""Of a header that are kept."""
_SIZE = re.compile(rb"(BITPIX|NAXIS\d{0,3}|PCOUNT|GCOUNT) *= *(-?\d+)(?![\d.])")
_COUNT = rb"%-8s= +(\d{1,9}) *(?:/.*)?"
_NAME = re.compile(rb"EXTNAME = '([A-Z0-9_]+) *' *(?:/.*)?")


@dataclass(frozen=True, eq=False)
class HeaderText:
    """The text of one header, up to the block with END.

    Attributes
    ----------
    start, stop
        Bytes of the file between which it stands.
    text
        The cards, 80 bytes each.
    """

    start: int
    stop: int
    text: bytes

    @cached_property
    def sizes(self) -> dict[bytes, int]:
        """Numbers of the first block that say how much data follow."""
        head = self.text[:BLOCK]
        return {match[1]: int(match[2]) for match in _SIZE.finditer(head) if match.start() % CARD == 0}

    @property
    def is_whole(self) -> bool:
        """Whether it ends with a card END, as far as is known without parsing."""
        return self.text.rstrip(b" ").endswith(b"END") and len(self.text.rstrip(b" ")) % CARD == 3

    @cached_property
    def _capitals(self) -> bytes:
        return self.text.upper()

    def lacks(self, keyword: str) -> bool:
        """Return whether a keyword is nowhere in it."""
        return keyword.encode() not in self._capitals

    def count(self, keyword: str) -> int | None:
        """Return a whole number that stands plainly on the keyword's only card; None for no such one."""
        card = self._only_card(keyword.encode())
        match = re.fullmatch(_COUNT % keyword.encode(), card)
        return int(match[1]) if match else None

    @property
    def name(self) -> str | None:
        """What EXTNAME says, if that is a word in capitals on its only card; empty for none; else None.

        Primary headers and packed images are called something without it, too.
        """
        if self.lacks("EXTNAME") and self.lacks("ZIMAGE") and self.text.startswith(b"XTENSION="):
            return ""
        match = _NAME.fullmatch(self._only_card(b"EXTNAME"))
        return match[1].decode() if match else None

    def _only_card(self, keyword: bytes) -> bytes:
        place = self._capitals.find(keyword.ljust(8))
        if place % CARD or self._capitals.count(keyword) > 1:
            return b""
        return self.text[place : place + CARD]


def header_text(file: IO[bytes]) -> HeaderText:
    """Return the text of the header that begins where a file stands, which then stands behind it."""
    start, block = file.tell(), file.read(BLOCK)
    blocks = [block]
    while len(block) == BLOCK and END not in block:
        block = file.read(BLOCK)
        blocks += [block] if len(blocks) < MOST_BLOCKS else []
    return HeaderText(start, file.tell(), b"".join(blocks))


def header_texts(content: Content) -> dict[int, HeaderText]:
    """Return the texts of a FITS file's headers by where they begin, as far as sizes of data lead to them.

    Raises
    ------
    ReadError
        Where an array has more axes than can be: each would be looked for.
    """
    texts = {}
    for number, header in enumerate(_walk(content)):
        axes = header.sizes.get(b"NAXIS", 0)
        if axes > AXES:
            raise ReadError(f"HDU {number}: the keyword NAXIS is {axes}; FITS allows 0 to {AXES}")
        if header.is_whole:
            texts[header.start] = header
    return texts


def _walk(content: Content) -> Iterator[HeaderText]:
    with content.open() as file:
        for _ in range(EXTENSIONS):
            header = header_text(file)
            yield header
            try:
                file.seek(_data_bytes(header.sizes), 1)
            except (KeyError, OSError, OverflowError, ValueError):
                return  # what is wrong is said by whoever reads it


def _data_bytes(sizes: dict[bytes, int]) -> int:
    axes = sizes.get(b"NAXIS", 0)
    shape = [sizes[b"NAXIS%d" % (axis + 1)] for axis in range(axes)]
    elements = math.prod(shape) + sizes.get(b"PCOUNT", 0) if shape else 0
    data = abs(sizes[b"BITPIX"]) // 8 * abs(sizes.get(b"GCOUNT", 1) * elements)
    return -(-data // BLOCK) * BLOCK
