"""How a text file is laid out: where its numbers begin, what lies between them, and what they are called."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers.columns import name_and_unit
from spectraq.workers.readers.textlines import COMMENTS, DELIMITERS, cells, is_comment, is_nothing, is_number
from spectraq.workers.readers.units import unit_of

SAMPLE = 300
"""Lines by which the layout is judged."""

KNOWN = frozenset((*names.FLUX, *names.WAVELENGTH, *names.LOGLAM, *names.LN))
OTHER_AXES = frozenset(
    (
        "freq", "frequency", "wavenumber", "velocity", "vel", "energy", "pixel", "channel", "time", "phase",
        "date", "jd", "mjd", "mag", "magnitude",
    )
)  # fmt: skip
"""Titles of what is no wavelength: a first column that is called so is not taken for one."""

_KEY = re.compile(r"([A-Za-z][\w .-]{0,40}?)\s*[:=]\s*(.*)")
_CARD = re.compile(r"'((?:[^']|'')*)'.*|([^/]*?)\s*(?:/.*)?")
_NUMBERED = re.compile(r"(?:col(?:umn)?s?\.?\s*)?(\d+)\s*[:=.)-]?\s+(.+)", re.I)
_WORDS = re.compile(r"[^\s\[({]+(?:\s*[\[({][^\])}]*[\])}])?")
_LOGARITHM = re.compile(r"(log(?:10)?|ln)[\s_(]*(?:lambda|lam|wavelength|wave|λ).*", re.I)
_TAIL = re.compile(r"(.+?)(?:[\s_]*[/,][\s_]*|_)(angstroms?|aa|ang|a|nm|um|µm|microns?|m)", re.I)
_JANSKY = re.compile(r"(.+?)_([mun\u00b5]?jy)", re.I)
NOISE_OR_FLUX = frozenset((*names.FLUX, *names.ERROR))

_TYPES = frozenset(("double", "float", "real", "int", "long", "char", "date", "string", ""))
"""What IPAC's tables say of their columns below the names."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a text file.

    Attributes
    ----------
    delimiter
        Between cells; None is white space.
    first
        Number of the first line of numbers.
    titles
        Of the columns, with their units if these are written; empty where there are none.
    width
        Number of columns.
    meta
        What `KEY: value`, `KEY = value` and FITS cards before the numbers say, by lower-case key.
    """

    delimiter: str | None
    first: int
    titles: tuple[tuple[str, str | None], ...]
    width: int
    meta: dict[str, Any]


def layout_of(numbered: Iterator[tuple[int, str]]) -> Layout:
    """Judge the layout of a file by its first lines.

    Raises
    ------
    ReadError
        Where they hold no table of numbers, or titles that are not as many as the columns.
    """
    before, sample = [], []
    comments = 0
    for number, line in numbered:
        before.append((number, line))
        if is_comment(line):
            comments += 1
        else:
            sample.append((number, line))
        if len(sample) == SAMPLE:
            break
    if not sample:
        raise ReadError("the file holds comments alone" if comments else "the file holds no lines")
    delimiter, width = _delimiter([line for _, line in sample])
    first = next(number for number, line in sample if _is_data(cells(line, delimiter), width))
    preamble = [line for number, line in before if number < first]
    titles = _titles(preamble, delimiter, width)
    return Layout(delimiter, first, titles, width, dict(_meta(preamble)))


def title(written: str) -> tuple[str, str | None]:
    """Return name and unit of a column as its title has them, the name as `columns` writes names.

    Examples
    --------
    >>> title("Wavelength (nm)"), title("lambda_um"), title("log10(lambda)")
    (('wavelength', 'nm'), ('lambda', 'um'), ('loglam', None))
    """
    if logarithm := _LOGARITHM.fullmatch(written.strip()):
        return "ln_lambda" if logarithm[1].lower() == "ln" else "loglam", None
    name, unit = name_and_unit(written.strip().strip("\"'"))
    name = re.sub(r"\.?[\s-]+", "_", name.replace("λ", "lambda").replace("σ", "sigma"))
    tail = _TAIL.fullmatch(name)
    of_flux = _JANSKY.fullmatch(name)
    if unit is None and of_flux and of_flux[1] in NOISE_OR_FLUX:
        return of_flux[1], of_flux[2].lower().replace("jy", "Jy").replace("µ", "u")
    if unit is None and name not in KNOWN and tail and tail[1] in names.WAVELENGTH:
        return tail[1], {"a": "Angstrom", "aa": "Angstrom"}.get(tail[2].lower(), tail[2])
    return name, unit


def _delimiter(sample: Sequence[str]) -> tuple[str | None, int]:
    """Find what lies between cells: what makes most lines of most numbers, all of the same width."""
    tail = sample[len(sample) // 2 :]
    best: tuple[float, float] = (0.0, 0.0)
    chosen: tuple[str | None, int] | None = None
    for delimiter in DELIMITERS:
        rows = [cells(line, delimiter) for line in tail]
        width = Counter(map(len, rows)).most_common(1)[0][0]
        data = [row for row in rows if _is_data(row, width)]
        numbers = sum(is_number(cell) or is_nothing(cell) for row in data for cell in row)
        score = (len(data) / len(rows), numbers / max(1, len(data) * width))
        if score > best:
            best, chosen = score, (delimiter, width)
    if chosen is None or best[0] < 0.5:
        raise ReadError(
            "no table of numbers: a spectrum has a line a pixel, with its wavelength, flux, and error"
        )
    return chosen


def _is_data(row: Sequence[str], width: int) -> bool:
    return len(row) == width >= 2 and sum(map(is_number, row)) >= 2


def _titles(preamble: Sequence[str], delimiter: str | None, width: int) -> tuple[tuple[str, str | None], ...]:
    """Find the titles among the lines before the numbers: the last that name columns, commented or not."""
    plain = [(number, line) for number, line in enumerate(preamble) if not is_comment(line)]
    split = ((number, _row_of(line, delimiter, width)) for number, line in plain)
    choices = [(number, row) for number, row in split if row and not _TYPES.issuperset(row)]
    naming = [(number, row) for number, row in choices if _names_something(row)]
    for number, row in reversed(naming or choices):
        return _with_units(row, preamble[number + 1 :], delimiter, width)
    if plain and _names_something(words := _words(plain[-1][1], delimiter)):
        raise ReadError(f"the titles name {len(words)} columns, and the lines below have {width}")
    if numbered := _numbered(preamble, width):
        return numbered
    rows = (_row_of(_bare(line), delimiter, width) for line in reversed(preamble))
    return next((_with_units(row, [], delimiter, width) for row in rows if row and _names_something(row)), ())


def _with_units(
    row: Sequence[str], below: Sequence[str], delimiter: str | None, width: int
) -> tuple[tuple[str, str | None], ...]:
    """Read titles, with the units of a line of their own where there is one."""
    titles = [title(written) for written in row]
    for line in below[:3]:
        units = _row_of(line, delimiter, width)
        if units and any(unit_of(unit.strip("[]()")) is not None for unit in units):
            stripped = [unit.strip("[]()") or None for unit in units]
            return tuple((name, own or unit) for (name, own), unit in zip(titles, stripped, strict=True))
    return tuple(titles)


def _row_of(line: str, delimiter: str | None, width: int) -> list[str] | None:
    """Return a line's cells if it can be split into as many; white space within brackets splits nothing."""
    for choice in (delimiter, "|", "\t", ",", ";"):
        if choice is not None and len(row := cells(line, choice)) == width:
            return row
    for row in (_WORDS.findall(line), line.split(), re.split(r"\s{2,}", line.strip())):
        if delimiter is None and len(row) == width:
            return list(row)
    return None


def _words(line: str, delimiter: str | None) -> list[str]:
    return _WORDS.findall(line) if delimiter is None else cells(line, delimiter)


def _names_something(row: Sequence[str]) -> bool:
    names_there = {title(cell)[0] for cell in row}
    return bool(names_there & (KNOWN | OTHER_AXES)) and not any(
        cell.rstrip().endswith((":", "=")) for cell in row[:2]
    )


def _numbered(preamble: Sequence[str], width: int) -> tuple[tuple[str, str | None], ...]:
    """Titles with a line each, `# 1 WAVE wavelength [nm]` or `# Column 1: wavelength (nm)`."""
    by_column: dict[int, tuple[str, str | None]] = {}
    for line in preamble:
        match = _NUMBERED.fullmatch(_bare(line))
        if match:
            whole, word = title(match[2]), title(match[2].split()[0])
            unit = re.search(r"[\[(]([^\])]+)[\])]", match[2])
            name = whole[0] if whole[0] in KNOWN else word[0]
            by_column[int(match[1])] = (name, whole[1] or (unit[1] if unit else None))
    titles = tuple(by_column[number] for number in range(1, width + 1) if number in by_column)
    return titles if len(titles) == width and KNOWN & {name for name, _ in titles} else ()


def _bare(line: str) -> str:
    bare = line.strip()
    while bare.startswith((*COMMENTS, ";")):
        bare = bare[1:].lstrip("/").strip()
    return bare


def _meta(preamble: Sequence[str]) -> Iterator[tuple[str, Any]]:
    for line in preamble:
        match = _KEY.fullmatch(_bare(line))
        if match and (value := _value(match[2])):
            key = re.sub(r"\s+", "_", match[1].strip().lower())
            yield key, value
            if key in ("object", "objname", "obj"):
                yield "target_id", value


def _value(written: str) -> str:
    """The value of a key: FITS cards have quotes around text, and a comment behind a slash."""
    match = _CARD.fullmatch(written.strip()) if " / " in written or written.startswith("'") else None
    if match is None:
        return written.strip()
    return (match[1] if match[1] is not None else match[2]).strip()
