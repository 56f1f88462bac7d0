"""Lines of text files: their encoding, and how a line falls into cells."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from pathlib import Path

from spectraq.workers.errors import ReadError

BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""What Excel and .NET begin text with; the longer marks come before those that they begin with."""

LONGEST_LINE = 1 << 20
CHUNK = 1 << 20
NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x19\x1b-\x1f]")
COMMENTS = ("#", "%", "!", "\\", "//")
DELIMITERS = ("\t", ";", "|", ",", None)
"""Between cells, in the order of preference where several fit; None is white space of any length."""

NOTHING = frozenset(
    (
        "", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "indef", "undef", "masked", "missing", "-",
        "--", "---", "...", "?", "#div/0!", "#value!",
    )
)  # fmt: skip
"""Words for a number that is not there, in lower case."""

_NUMBER = re.compile(
    r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eEdDqQ][+-]?\d+|[+-]\d{3})?|[+-]?inf(?:inity)?", re.I
)


def byte_order_mark(head: bytes) -> str | None:
    """Return the encoding that a file's first bytes name, if they do."""
    return next((encoding for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def encoding_of(path: Path) -> str:
    """Return the encoding of a text file: what its byte order mark says, else UTF-8, else Latin-1."""
    with path.open("rb") as file:
        marked = byte_order_mark(file.read(4))
        if marked:
            return marked
        file.seek(0)
        decoder = codecs.getincrementaldecoder("utf-8")()
        try:
            while chunk := file.read(CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield the lines that are not blank, with their numbers from 1, without their ends.

    Raises
    ------
    ReadError
        Where this is no text, or a line is longer than any table's.
    """
    with path.open(encoding=encoding) as file:
        number = 0
        try:
            while line := file.readline(LONGEST_LINE):
                number += 1
                if len(line) == LONGEST_LINE:
                    raise ReadError(
                        f"line {number} has more than {LONGEST_LINE} characters: no table has such"
                    )
                if NO_TEXT.search(line):
                    raise ReadError(f"this is no text file: line {number} holds control characters")
                if line.strip().strip("\x1a"):
                    yield number, line.rstrip("\r\n")
        except UnicodeError as error:
            raise ReadError(f"this is no text file: {error}") from error


def is_comment(line: str) -> bool:
    """Whether a line begins with one of the marks of a comment."""
    return line.lstrip().startswith(COMMENTS)


def cells(line: str, delimiter: str | None) -> list[str]:
    """Return the cells of a line, without blanks and quotes around them."""
    if delimiter is None:
        return line.split()
    if delimiter == "|":
        line = line.strip().strip("|")
    if '"' in line:
        try:
            row = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True))
        except csv.Error as error:
            raise ReadError(f"a line can't be split into cells: {error}") from error
        return [cell.strip() for cell in row]
    return [cell.strip() for cell in line.split(delimiter)]


def is_number(cell: str) -> bool:
    """Whether a cell holds a number, with a decimal point or comma, and an exponent of Fortran's or none."""
    return _NUMBER.fullmatch(cell) is not None


def is_nothing(cell: str) -> bool:
    """Whether a cell says that there is no number, in a word or with asterisks, as Fortran does."""
    return cell.lower() in NOTHING or not cell.strip("*")
