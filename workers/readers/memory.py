"""Spectra in memory: arrays, astropy tables and specutils' objects, read as a file of them would be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import specutils_files, table
from spectraq.workers.readers.arrays import columns_of_table
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.content import Content
from spectraq.workers.readers.format import Assumed, Item, Note, Rows
from spectraq.workers.readers.formats import item
from spectraq.workers.readers.quiet import quiet
from spectraq.workers.readers.scratch import Scratch
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import u

ARRAYS = ("wavelength", "flux", "ivar")


def read_memory(given: Any, name: str, assumed: Assumed, note: Note) -> Iterator[Item]:
    """Yield the spectra of an object in memory, and a `ReadError` in the place of each that can't be read.

    Parameters
    ----------
    given
        A tuple of arrays, (wavelength, flux) or (wavelength, flux, ivar), with astropy units or without: flux
        of shape (n,), or (rows, n) for several spectra; an astropy table as `spectraq analyze` reads it from
        a file; a `Spectrum`, `SpectrumCollection` or `SpectrumList` of specutils.
    name
        What the spectra are called where nothing in them does.
    assumed
        What the caller says of wavelengths that do not say it themselves.
    note
        Takes a sentence on each thing that had to be assumed.
    """
    scratch = Scratch(ExitStack())
    source = Source(name, Content(Path(name), scratch, b""), "binary", None, scratch)
    try:
        with quiet():
            rows = _rows(given, source, assumed, note)
    except ReadError as error:
        yield ReadError(str(error), file=name)
        return
    for row in range(len(rows)):
        yield item(rows, source, row)


def _rows(given: Any, source: Source, assumed: Assumed, note: Note) -> Rows:
    if isinstance(given, tuple):
        return table.Table(source, _columns(given, note), assumed, note)
    if hasattr(given, "colnames"):
        return table.Table(source, columns_of_table(given), assumed, note)
    if hasattr(given, "spectral_axis"):
        return specutils_files.Foreign(source, specutils_files.single(given), assumed, note)
    raise ReadError(
        f"a {type(given).__name__} is no spectrum: give a path, a Spectrum, (wavelength, flux, ivar),"
        " an astropy table or a specutils spectrum"
    )


def _columns(given: tuple[Any, ...], note: Note) -> Columns:
    if not 2 <= len(given) <= len(ARRAYS):
        raise ReadError(f"{len(given)} arrays: give (wavelength, flux) or (wavelength, flux, ivar)")
    arrays: dict[str, Any] = {}
    units: dict[str, Any] = {}
    for name, values in zip(ARRAYS, given, strict=False):
        if values is None:
            continue
        arrays[name] = np.ma.filled(np.ma.asarray(getattr(values, "value", values), np.float64), np.nan)
        units[name] = getattr(values, "unit", None)
    _bring_ivar_to_flux(arrays, units, note)
    return Columns(arrays, units)


def _bring_ivar_to_flux(arrays: dict[str, Any], units: dict[str, Any], note: Note) -> None:
    """Convert ivar to the unit that belongs to the flux's."""
    if "ivar" not in arrays or units["flux"] is None:
        return
    if units["ivar"] is None:
        note(f"ivar has no unit: taken as of flux in {units['flux']}")
        return
    try:
        arrays["ivar"] = arrays["ivar"] * units["ivar"].to(units["flux"] ** -2)
        units["ivar"] = units["flux"] ** -2
    except u.UnitConversionError as error:
        raise ReadError(
            f"ivar has the unit {units['ivar']}, which does not go with flux in {units['flux']}"
        ) from error
