"""Which rows of an image are spectra of objects, which are their noise, and which are neither."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fibres, multispec
from spectraq.workers.readers.format import Note, unique_ids
from spectraq.workers.readers.keywords import DAYS, number, text, whole
from spectraq.workers.readers.source import Source

_LABELS = ("row", "array", "rowname", "label", "bandid")
_FLUX = re.compile(r"^(spectrum|flux|data|object|signal|spec|reduced|science)\b", re.IGNORECASE)
_NOISE = ((r"err|sigma|noise|stdev", -2), (r"ivar|inv", 1), (r"var", -1))
_BY_PRODUCT = re.compile(r"no_?calib|uncal|raw|sky|background|contin|resid|model|sub", re.IGNORECASE)
_ROWS_ARE_SPECTRA = re.compile(r"FIB(RE|ER)|SPEC|APERT|OBJ|MULTISPE")


@dataclass(slots=True)
class Row:
    """Where one spectrum lies in the image: the index of its flux, that of its noise, and whose it is."""

    flux: tuple[int, ...]
    noise: tuple[int, ...] | None = None
    power: int = -2
    fields: dict[str, Any] = field(default_factory=dict)


def rows_of(source: Source, flux: Any, header: Mapping[str, Any], note: Note) -> list[Row]:
    """Return the spectra of an image of flux, by its shape and by what the file says of its rows.

    Raises
    ------
    ReadError
        Where nothing says which rows are spectra of objects.
    """
    shape = tuple(flux.shape)
    stem = source.stem
    table = fibres.table(source)
    lines = shape[-2] if len(shape) > 1 else 1
    if table is not None and len(table.data) == lines and len(shape) <= 2:
        return _of_fibres(source, table, shape, header, note)
    if all(size == 1 for size in shape[:-1]):
        return [Row((0,) * (len(shape) - 1), fields={"spectrum_id": stem})]
    labels = _labels(header, shape[0])
    if len(shape) == 2 and labels and any(_FLUX.search(label) for label in labels.values()):
        return _of_labels(labels, stem, note)
    if len(shape) == 2 and lines in (3, 4) and _is_fibre_survey(header):
        note("rows taken as flux, variance, sky, as 2dFGRS and 6dFGS have them")
        return [Row((0,), (1,), -1, {"spectrum_id": stem})]
    if len(shape) == 3 and shape[0] <= 8:
        return _of_bands(labels, shape, stem, note)
    if len(shape) == 2 and _rows_are_spectra(header, lines):
        ids = [f"{stem}-{row}" for row in range(lines)] if lines > 1 else [stem]
        names = [
            text(header.get(f"objid{row + 1}")) or text(header.get(f"apid{row + 1}")) for row in range(lines)
        ]
        ids = unique_ids([name or own for name, own in zip(names, ids, strict=True)])
        return [Row((row,), fields={"spectrum_id": ids[row]}) for row in range(lines)]
    raise ReadError(
        f"an image of the shape {shape}: nothing in the file says which of its rows are spectra of objects"
        " (a picture, a long slit or a cube is no spectrum); extract them first"
    )


def _is_fibre_survey(header: Mapping[str, Any]) -> bool:
    """Whether it is an image of one fibre as the surveys of 2dF and 6dF were published."""
    said = " ".join(
        str(header.get(key) or "").upper() for key in ("instrume", "telescop", "origin", "survey")
    )
    single = str(header.get("image") or "").strip().upper() == "SPECTRUM" or "SPECTRUM" in str(
        header.get("extname") or header.get("obsmode") or ""
    )
    sixdf = re.fullmatch(r"SPECTRUM (V|R|VR)", str(header.get("extname") or "")) or "z_helio" in header
    telescope = any(word in said for word in ("AAO", "2DF", "AAT"))
    return bool(sixdf) or "6DF" in said or "UKST" in said or (telescope and single)


def _rows_are_spectra(header: Mapping[str, Any], lines: int) -> bool:
    if len(multispec.solutions(header)) >= lines or f"apnum{lines}" in header:
        return True
    return bool(_ROWS_ARE_SPECTRA.search(str(header.get("ctype2") or "").upper()))


def _labels(header: Mapping[str, Any], n: int) -> dict[int, str]:
    """What the header calls each of n rows or bands, from 0; empty where not the first is called anything."""
    for key in _LABELS:
        labels = {row: text(header.get(f"{key}{row + 1}")) for row in range(n)}
        if labels.get(0):
            return {row: said for row, said in labels.items() if said}
    return {}


def _of_labels(labels: Mapping[int, str], stem: str, note: Note) -> list[Row]:
    """The spectrum and its noise among rows that are one object's."""
    science = next(
        (row for row, said in labels.items() if _FLUX.search(said) and not _is_by_product(said)), None
    )
    if science is None:
        raise ReadError(f"no row is a calibrated spectrum among {', '.join(labels.values())}")
    noise, power = _noise_of(labels)
    left = [said for row, said in labels.items() if row not in (science, noise)]
    if left:
        note(f"left out as no spectra of the object: {', '.join(left)}")
    place = None if noise is None else (noise,)
    return [Row((science,), place, power, {"spectrum_id": stem})]


def _is_by_product(label: str) -> bool:
    return _BY_PRODUCT.search(label.split(" - ")[0]) is not None


def _noise_of(labels: Mapping[int, str]) -> tuple[int | None, int]:
    for row, said in labels.items():
        first = said.split(" - ")[0].lower()
        if not _is_by_product(said):
            for pattern, power in _NOISE:
                if re.match(pattern, first):
                    return row, power
    return None, -2


def _of_bands(labels: Mapping[int, str], shape: tuple[int, ...], stem: str, note: Note) -> list[Row]:
    """IRAF's apall: bands are the spectrum, the raw one, the background and the sigma, for each aperture."""
    bands, apertures = shape[0], shape[1]
    if not labels:
        raise ReadError(
            f"an image of the shape {shape}: no BANDID says what its planes are (a cube is no spectrum)"
        )
    science = next((band for band, said in labels.items() if said.lower().startswith("spectrum")), 0)
    noise, power = _noise_of(labels)
    left = [said.split(" - ")[0] for band, said in labels.items() if band not in (science, noise)]
    if left and bands > 1:
        note(f"left out as no spectra of the object: {', '.join(left)}")
    ids = [stem] if apertures == 1 else [f"{stem}-{row}" for row in range(apertures)]
    return [
        Row((science, row), None if noise is None else (noise, row), power, fields={"spectrum_id": ids[row]})
        for row in range(apertures)
    ]


def _of_fibres(
    source: Source, table: Any, shape: tuple[int, ...], header: Mapping[str, Any], note: Note
) -> list[Row]:
    everyone = fibres.fibres(table)
    lines = shape[0] if len(shape) == 2 else 1
    on = [fibre for fibre in everyone if fibre.on_object and 0 <= fibre.row < lines]
    if len(on) < len(everyone):
        note(f"{len(everyone) - len(on)} of {len(everyone)} fibres are on no object (sky, unused): left out")
    if not on:
        raise ReadError("no fibre of the file is on an object: all are sky, unused or broken")
    names = _plate_names(on, header) or fibres.unique(source.stem, on)
    survey = _survey(header)
    return [
        Row(
            (fibre.row,) if len(shape) == 2 else (),
            fields={"spectrum_id": name, "target_id": fibre.name, "ra": fibre.ra, "dec": fibre.dec} | survey,
        )
        for name, fibre in zip(names, on, strict=True)
    ]


def _plate_names(on: list[fibres.Fibre], header: Mapping[str, Any]) -> list[str] | None:
    """PLATE-MJD-FIBER, where it is a plate of SDSS."""
    plate, day = whole(header.get("plateid")), number(header.get("mjd"), DAYS)
    if plate is None or day is None:
        return None
    numbers = [whole(fibre.cells.get("fiberid", fibre.row + 1)) or 0 for fibre in on]
    return unique_ids([f"{plate:04d}-{int(day)}-{fibre:04d}" for fibre in numbers])


def _survey(header: Mapping[str, Any]) -> dict[str, Any]:
    plate = whole(header.get("plateid"))
    return {} if plate is None else {"survey": "sdss" if plate < 3510 else "boss"}
