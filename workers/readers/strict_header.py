"""A FITS header that keeps to the standard, each value read when it is asked for; the rest is astropy's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

CARD, BLOCK = 80, 2880
_NAME = re.compile(r"[A-Z0-9_ -]+")
"""Longer ones than 8 characters, and those with blanks, stand on cards that begin with HIERARCH."""
_NAMES = re.compile(r"[A-Z0-9_\- ]*")
_END = b"END" + b" " * 5
_VALUE = re.compile(
    r"= (?:"
    r"'(?P<text>(?:[^']|'')*)' *"
    r"| *(?:(?P<logical>[TF])|(?P<whole>[+-]?\d{1,18})"
    r"|(?P<number>[+-]?(?:\d{1,18}\.\d*|\.\d+|\d{1,18}(?=E))(?:E[+-]?\d{1,3})?))? *"
    r")(?:/.*)?"
)
_RECORD = re.compile(r": +[+-]?[\d.]")
"""In a text: it may be a number by the convention of record values, as astropy reads it."""


class StrictHeader:
    """The cards of one header.

    Parameters
    ----------
    text
        All cards up to END, without it: of printable ASCII, a multiple of 80.

    Attributes
    ----------
    names
        The keyword of each card.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        places = range(0, len(text), CARD)
        self.names = [text[place : place + 8].rstrip() for place in places]
        self._places = dict(zip(reversed(self.names), reversed(places), strict=True))  # the first of several
        self._hierarchic = "HIERARCH" in self._places

    @cached_property
    def whole(self) -> Any:
        """The header as astropy reads it."""
        from astropy.io import fits

        return fits.Header.fromstring(self._text + "END".ljust(CARD))

    def plain(self, name: str) -> str | int | float | None:
        """Return the value of a keyword's first card; None where there is none, or none written plainly."""
        place = self._places.get(name)
        if place is None or self._text.startswith("CONTINUE", place + CARD):
            return None
        match = _VALUE.fullmatch(self._text, place + 8, place + CARD)
        kind = match and match.lastgroup
        if not match or not kind:
            return None
        said = match[kind]
        if kind == "text":
            text = said.rstrip().replace("''", "'")
            return None if text.endswith("&") or _RECORD.search(text) else text
        if kind == "logical":
            return said == "T"
        return int(said) if kind == "whole" else float(said)

    def __getitem__(self, name: str) -> Any:
        """Return the value of a keyword, that of its first card.

        Raises
        ------
        KeyError
            Where it is not there.
        """
        if not self._is_here(name):
            return self.whole[name]
        if name not in self._places:
            raise KeyError(f"Keyword {name!r} not found.")
        said = self.plain(name)
        return self.whole[name] if said is None else said

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a keyword, or what stands for it where it is not there."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        """Whether there is a card of this keyword."""
        return name in self._places if self._is_here(name) else name in self.whole

    def _is_here(self, name: object) -> bool:
        """Whether the first eight characters of the cards say all of a keyword."""
        return not self._hierarchic and isinstance(name, str) and _NAME.fullmatch(name) is not None

    def __iter__(self) -> Iterator[str]:
        """Yield the keywords as astropy does."""
        return iter(self.whole)

    def __getattr__(self, name: str) -> Any:
        """Return all else of astropy's header."""
        if name.startswith("__") or name == "whole":
            raise AttributeError(name)
        return getattr(self.whole, name)


def read_header(content: bytearray, start: int) -> tuple[StrictHeader, int] | None:
    """Return the header that begins at a byte, and the byte behind it; None where it is no strict one.

    What follows END in its block is blank, and all of it is ASCII that can be printed.
    """
    stop = start
    while stop + BLOCK <= len(content):
        block = content[stop : stop + BLOCK]
        stop += BLOCK
        end = _end(block)
        if end is None:
            continue
        cards = content[start : stop - BLOCK + end]
        if block[end + 3 :].strip(b" ") or not cards.isascii():
            return None
        text = cards.decode("ascii")
        header = StrictHeader(text) if text.isprintable() else None
        return None if header is None or not _NAMES.fullmatch("".join(header.names)) else (header, stop)
    return None


def _end(block: bytearray) -> int | None:
    """Where the card END stands; None where it does not."""
    place = block.find(_END)
    while place >= 0 and place % CARD:
        place = block.find(_END, place + 1)
    return place if place >= 0 else None
