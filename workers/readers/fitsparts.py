"""The tables of a FITS file that hold spectra: which are objects, which arms of one, which neither."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from spectraq.workers.readers import documented, fitstable, virtual_observatory
from spectraq.workers.readers.array_rows import FEWEST_PIXELS
from spectraq.workers.readers.columns import FLUX, LN, LOGLAM, WAVELENGTH, Columns, Lazy
from spectraq.workers.readers.format import Note
from spectraq.workers.readers.keywords import text, value
from spectraq.workers.readers.source import Source

_BY_PRODUCT = re.compile(
    r"SKY|BACKGROUND|STANDARD|RESPONSE|SENSFUNC|SENSITIVITY|MODEL|BEST_?FIT|TEMPLATE|TELLURIC|\bARC\b|\bFLAT\b|CONTINUUM|CALIB"
)
_ARMS = (
    "B",
    "R",
    "Z",
    "U",
    "G",
    "I",
    "BLUE",
    "RED",
    "GREEN",
    "UVB",
    "VIS",
    "NIR",
    "UV",
    "IR",
    "ARM1",
    "ARM2",
    "ARM3",
)
MOST_ARMS = 3
_NAMELESS = re.compile(r"HDU\d+")
"""Names of tables that have none."""
AXES = frozenset((*WAVELENGTH, *LOGLAM, *LN))
OVERLAP = 0.6
"""Arms share less than this of the shorter one's range."""


@dataclass(slots=True, eq=False)
class Part:
    """A table with spectra: its name, its arrays by lower-case name, and its header over the primary one."""

    name: str
    columns: Columns


def parts(source: Source, note: Note = lambda sentence: None) -> list[Part]:
    """Return the tables with flux and where its pixels lie, in the file's order; empty ones are none.

    `note` is told of tables of pixels that have no flux.
    """
    primary = fitstable.header(source.hdus[0]) if source.hdus else {}
    tables, numbers = [], []
    for number, hdu in enumerate(source.hdus or ()):
        if not fitstable.is_table(hdu) or not value(hdu.header, "NAXIS2"):
            continue
        names = _named(hdu)
        if not set(names) & set(FLUX):
            if set(names) & {*WAVELENGTH, *LOGLAM} and not (set(names) <= AXES):
                note(f"the table {hdu.name or number} has wavelengths and no column of flux: left out")
            continue
        units = documented.units(hdu, names, {name: hdu.columns[own].unit for name, own in names.items()})
        ignored = documented.ignored_quality(names)
        read = _flat_column if documented.are_segments(names) else _column
        arrays = Lazy({name: partial(read, hdu, own) for name, own in names.items() if name not in ignored})
        meta = primary | fitstable.header(hdu) | documented.header(source, number, names)
        columns = Columns(arrays, units, meta)
        shape = fitstable.shapes(hdu)[names[next(name for name in FLUX if name in names)].lower()]
        if not columns.says_where() and len(shape) == 1:
            columns = _with_axis_beside(source, columns, shape[0])
        few = len(shape) > 1 or (shape != () and 0 <= shape[0] < FEWEST_PIXELS)
        if columns.says_where() and not few:
            tables.append(Part(hdu.name or f"HDU{number}", columns))
            numbers.append(number)
        elif not few:
            note(f"the table {hdu.name or number} has flux and nothing that gives wavelengths: left out")
    count = Counter(part.name for part in tables)
    for part, number in zip(tables, numbers, strict=True):
        part.name = f"{part.name}-{number}" if count[part.name] > 1 else part.name
    return tables


def _with_axis_beside(source: Source, columns: Columns, n: int) -> Columns:
    """Return a table's columns, with the wavelengths of n pixels that an extension of their own has."""
    found: dict[str, tuple[partial[Any], Any]] = {}
    for hdu in source.hdus:
        if fitstable.is_table(hdu):
            for name, said in fitstable.columns(hdu).items():
                pixels = fitstable.shapes(hdu)[name] or (value(hdu.header, "NAXIS2"),)
                if name in AXES and pixels == (n,):
                    found[name] = partial(_flat_column, hdu, said), hdu.columns[said].unit
        elif hdu.is_image and hdu.shape == (n,) and hdu.name.lower() in AXES:
            found[hdu.name.lower()] = partial(_image, hdu), value(hdu.header, "BUNIT")
    if len(found) != 1:
        return columns
    name, (read, unit) = found.popitem()
    own = {key: partial(columns.arrays.__getitem__, key) for key in columns.arrays}
    return Columns(Lazy(own | {name: read}), {**columns.units, name: unit}, columns.meta)


def _named(hdu: Any) -> dict[str, str]:
    """Return a table's own column names by ours: lower case, or what the metadata say of them."""
    own = fitstable.columns(hdu)
    places = {name: number for number, name in enumerate(hdu.columns.names, 1)}
    header = hdu.header
    roles = virtual_observatory.roles(
        (
            name,
            text(value(header, f"TUTYP{places[said]}")) or "",
            text(value(header, f"TUCD{places[said]}")) or "",
        )
        for name, said in own.items()
    )
    return {roles.get(name, name): said for name, said in own.items()}


def chosen(tables: list[Part], note: Note) -> list[Part]:
    """Return the parts that are objects' science spectra, and say which are left out."""
    combined = documented.left_out([part.name for part in tables])
    kept = [
        part for part in tables if not _BY_PRODUCT.search(part.name.upper()) and part.name not in combined
    ] or tables
    coadded = [part for part in kept if re.match(r"CO-?ADD", part.name.upper())]
    exposures = [part for part in kept if re.search(r"\d{5,}", part.name)]
    if coadded and exposures:
        kept = [part for part in kept if part not in exposures]
    left = [part.name for part in tables if part not in kept]
    if left:
        note(f"left out as no spectra of objects of their own: {', '.join(left[:8])}")
    return kept


def joined(kept: list[Part], note: Note) -> list[list[Part]]:
    """Return the parts, those together that are arms of one observation by name and range.

    `note` is told where only the range says so.
    """
    groups: dict[tuple[str, ...], list[tuple[str, Part]]] = {}
    nameless = [part for part in kept if _NAMELESS.fullmatch(part.name)]
    if 1 < len(nameless) == len(kept) <= MOST_ARMS and _are_apart(nameless):
        note(
            f"{len(kept)} tables without names follow each other in wavelength: taken as arms of one spectrum"
        )
        return [nameless]
    for number, part in enumerate(kept):
        words = [word for word in re.split(r"[_\-\s/.]+", part.name.upper()) if word]
        arms = [word for word in words if word in _ARMS]
        key = tuple(word for word in words if word not in arms) if len(arms) == 1 else (f"#{number}",)
        groups.setdefault(key, []).append((arms[0] if len(arms) == 1 else "", part))
    result = []
    for group in groups.values():
        members = [part for _, part in group]
        if len(members) > 1 and len({arm for arm, _ in group}) == len(group) and _are_apart(members):
            result.append(members)
        else:
            result.extend([member] for member in members)
    return result


def _are_apart(members: list[Part]) -> bool:
    ranges = sorted(_range(part) for part in members)
    for (low, high), (next_low, next_high) in pairwise(ranges):
        shorter = min(high - low, next_high - next_low)
        if not shorter > 0 or (min(high, next_high) - next_low) / shorter > OVERLAP:
            return False
    return True


def _range(part: Part) -> tuple[float, float]:
    """Both ends of the first row's axis, in the file's unit."""
    name = part.columns.wavelength
    if name is None:
        return 0.0, 0.0
    values = np.array(part.columns.arrays[name], np.float64)
    values = values[values > 0]
    return (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)


def _image(hdu: Any) -> Any:
    return hdu.data


def _flat_column(hdu: Any, name: str) -> Any:
    return np.ravel(hdu.data[name])


def _column(hdu: Any, name: str) -> Any:
    return hdu.data[name]
