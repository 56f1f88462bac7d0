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
        self._usual = _NAMES.fullmatch("".join(self._places)) is not None and "HIERARCH" not in self._places

    @cached_property
    def whole(self) -> Any:
        """The header as astropy reads it."""
        from astropy.io import fits

        return fits.Header.fromstring(self._text + "END".ljust(CARD))

    def __getitem__(self, name: str) -> Any:
        """Return the value of a keyword, that of its first card.

        Raises
        ------
        KeyError
            Where it is not there.
        """
        if not (self._usual and isinstance(name, str) and _NAME.fullmatch(name)):
            return self.whole[name]
        place = self._places.get(name)
        if place is None:
            raise KeyError(f"Keyword {name!r} not found.")
        if self._text.startswith("CONTINUE", place + CARD):
            return self.whole[name]
        match = _VALUE.fullmatch(self._text, place + 8, place + CARD)
        return self.whole[name] if match is None else self._value(name, match)

    def _value(self, name: str, match: re.Match[str]) -> Any:
        kind, said = match.lastgroup, match[match.lastgroup or 0]
        if kind == "text":
            text = said.rstrip().replace("''", "'")
            return self.whole[name] if text.endswith("&") or _RECORD.search(text) else text
        if kind == "logical":
            return said == "T"
        if kind == "whole":
            return int(said)
        return float(said) if kind == "number" else self.whole[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a keyword, or what stands for it where it is not there."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        """Whether there is a card of this keyword."""
        if self._usual and isinstance(name, str) and _NAME.fullmatch(name):
            return name in self._places
        return name in self.whole

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
        return (StrictHeader(text), stop) if text.isprintable() else None
    return None


def _end(block: bytearray) -> int | None:
    """Where the card END stands; None where it does not."""
    place = block.find(_END)
    while place >= 0 and place % CARD:
        place = block.find(_END, place + 1)
    return place if place >= 0 else None
