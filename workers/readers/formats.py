"""Which formats there are, which one a file has, and reading it row by row."""

from __future__ import annotations

from collections.abc import Callable, Generator
from pathlib import Path

import structlog
from pydantic import ValidationError

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import (
    desi,
    fitsspectra,
    images,
    lamost,
    mistaken,
    pfs,
    sdss,
    specutils_files,
    spspec,
    structure,
    table,
    weave,
)
from spectraq.workers.readers.format import Assumed, Format, Held, Item, Medium, Note, Rows
from spectraq.workers.readers.quiet import quiet
from spectraq.workers.readers.source import Source, opened

log = structlog.get_logger(__name__)

FORMATS: dict[str, Format] = {
    format.name: format
    for format in (
        desi.FORMAT,
        lamost.FORMAT,
        spspec.FORMAT,
        sdss.FORMAT,
        weave.FORMAT,
        pfs.FORMAT,
        fitsspectra.FORMAT,
        table.FORMAT,
        images.FORMAT,
        specutils_files.FORMAT,
    )
}
"""By name, in the order in which a file is tried."""


def read(
    path: Path | str,
    format: str | None = None,
    *,
    medium: Medium | None = None,
    wavelength_unit: str | None = None,
    note: Note | None = None,
    known_only: bool = False,
    first_row: int = 0,
    length: Callable[[int], None] = lambda _: None,
) -> Generator[Item]:
    """Read a file's spectra, in order, each when it is asked for.

    Parameters
    ----------
    path
        The file. It stays open until the last spectrum has been taken, or the iterator is closed.
    format
        A name of `FORMATS`; None recognises the format by the content.
    medium, wavelength_unit
        What the user says of a file that does not say it itself (`Assumed`).
    note
        Takes a sentence on each thing that had to be assumed of a spectrum; by default it is logged.
    known_only
        Do not try other people's loaders on a file that no format here looks like.
    first_row
        Rows before this one are left out.
    length
        Takes the number of spectra in the file, once it is open.

    Yields
    ------
    Spectrum or ReadError
        An error stands in the place of a row that can't be read, or (without a row) of the whole file.
    """
    file = str(path)
    if format is not None and format not in FORMATS:
        yield ReadError(f"there is no format {format}; there are {', '.join(FORMATS)}", file=file)
        return
    assumed = Assumed(medium, wavelength_unit)
    said = note or (lambda sentence: log.warning("assumed", file=file, what=sentence))
    try:
        with opened(path) as source:
            with quiet():
                unknown = list(structure.unknown_extensions(source.hdus or ()))
            for sentence in unknown:
                said(sentence)
            held = Held(said)
            rows = _rows(source, format, assumed, held, known_only)
            length(len(rows))
            for row in range(first_row, len(rows)):
                read_item = item(rows, source, row)
                if isinstance(read_item, Spectrum):
                    held.release()
                yield read_item
    except ReadError as error:
        yield ReadError(str(error), file=file)
    except Exception as error:
        yield ReadError(_unforeseen(error), file=file)


def _rows(source: Source, format: str | None, assumed: Assumed, note: Note, known_only: bool) -> Rows:
    try:
        with quiet():
            if source.hdus and not format:
                mistaken.check_purpose(source.hdus[0].header)
            wanted = FORMATS[format] if format else recognised(source, known_only)
            rows = wanted.rows(source, assumed, note)
            if not len(rows):
                raise ReadError("the file holds no spectrum: there are columns for one, and no rows")
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(_unforeseen(error, source)) from error
    return rows


def recognised(source: Source, known_only: bool = False) -> Format:
    """Return the first format that a file looks like.

    Raises
    ------
    ReadError
        Where there is none.
    """
    for format in FORMATS.values():
        if format.recognises(source) and not (known_only and format is specutils_files.FORMAT):
            return format
    raise ReadError(f"no format is known that looks like this file; {specutils_files.how_to_read_more()}")


def item(rows: Rows, source: Source, row: int) -> Item:
    """Return one spectrum of an open file, or the error in its place."""
    file = source.name
    try:
        with quiet():
            return rows.spectrum(row)
    except ReadError as error:
        return ReadError(str(error), file=file, row=row)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return ReadError(f"{where}: {first['msg']}" if where else first["msg"], file=file, row=row)
    except Exception as error:
        return ReadError(_unforeseen(error, source), file=file, row=row)


def _unforeseen(error: Exception, source: Source | None = None) -> str:
    """Damaged files fail in as many ways as there are bytes; each must cost one line, not the night."""
    if source and source.kind == "fits":
        with quiet():
            keyword = structure.fault(source.content)
        if keyword:
            return f"the FITS file can't be read: {keyword}"
    why = " ".join(str(error).split())[:200]
    return f"the file is damaged or of an unknown variant ({type(error).__name__}: {why})"
