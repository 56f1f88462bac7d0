"""How many things a message says it holds, counted without making any of them.

A million empty headers are two megabytes of Avro, and hundreds of them once they are read; with a schema of
somebody else's a few bytes may say that they hold as many nulls as one can count.
"""

from __future__ import annotations

from typing import Any

MAX_ITEMS = 10_000
"""Entries of all arrays and maps of one message together; the largest of ours have some hundreds."""

LONG_BITS = 64
FIXED_BYTES = {"null": 0, "boolean": 1, "float": 4, "double": 8}


class TooManyItemsError(ValueError):
    """More entries than any message of ours has."""


def check_items(body: bytes, begin: int, schema: Any, most: int = MAX_ITEMS) -> None:
    """Refuse a record of too many entries.

    Parameters
    ----------
    body, begin
        Avro in binary encoding, and where it begins.
    schema
        What it was written with, as fastavro parses it.
    most
        Entries that are taken.

    Raises
    ------
    TooManyItemsError
        Where there are more, or records lie in records a hundredfold. What is no Avro of that schema passes:
        whoever reads it will say so.
    """
    try:
        _Skim(body, begin, most, schema.get("__named_schemas", {})).over(schema)
    except IndexError:
        return
    except RecursionError:
        raise TooManyItemsError("records in records without end") from None


def long_at(body: bytes, place: int) -> tuple[int, int]:
    """Return a number in zigzag encoding, seven bits a byte, and where what follows it begins.

    Raises
    ------
    IndexError
        Where it does not end.
    """
    number = 0
    for shift in range(0, LONG_BITS, 7):
        byte = body[place]
        place += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return (number >> 1) ^ -(number & 1), place
    raise IndexError


class _Skim:
    """Goes over a body from one value to the next."""

    def __init__(self, body: bytes, begin: int, most: int, named: dict[str, Any]) -> None:
        self._body = body
        self._at = begin
        self._left = self._most = most
        self._named: dict[str, Any] = dict(named)

    def over(self, schema: Any) -> None:
        """Go over one value."""
        if isinstance(schema, list):
            branch = self._long()
            if branch < 0:
                raise IndexError
            self.over(schema[branch])
            return
        kind = schema["type"] if isinstance(schema, dict) else schema
        if kind == "record":
            self._named[schema["name"]] = schema
            for field in schema["fields"]:
                self.over(field["type"])
        elif kind in ("array", "map"):
            self._blocks(schema, keyed=kind == "map")
        elif kind in ("string", "bytes"):
            self._on(self._long())
        elif kind in ("int", "long", "enum"):
            self._long()
        elif kind == "fixed":
            self._on(schema["size"])
        elif kind in FIXED_BYTES:
            self._on(FIXED_BYTES[kind])
        elif not isinstance(kind, str):
            self.over(kind)
        else:
            self.over(self._named[kind])

    def _blocks(self, schema: Any, keyed: bool) -> None:
        while count := self._long():
            if count < 0:
                count = -count
                self._long()  # bytes of the block
            self._left -= count
            if self._left < 0:
                raise TooManyItemsError(f"more than {self._most} entries in arrays and maps")
            for _ in range(count):
                if keyed:
                    self.over("string")
                self.over(schema["values" if keyed else "items"])

    def _long(self) -> int:
        number, self._at = long_at(self._body, self._at)
        return number

    def _on(self, length: int) -> None:
        if length < 0 or self._at + length > len(self._body):
            raise IndexError
        self._at += length
