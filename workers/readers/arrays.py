"""Opens plain files as named arrays: FITS tables and images, NPZ, ECSV, CSV, other text with column names."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, limits, virtual_observatory
from spectraq.workers.readers.columns import FLUX, Columns, Lazy
from spectraq.workers.readers.exchange import read_parquet, read_votable
from spectraq.workers.readers.keywords import value
from spectraq.workers.readers.objects import NAMES
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.textlayout import title
from spectraq.workers.readers.texttable import read_text
from spectraq.workers.readers.units import check_units_end

MEMORY_BYTES = 64 << 20
"""Larger arrays of an NPZ file are unpacked into a temporary file and memory-mapped from there."""


def _unsaid(sentence: str) -> None:
    """Take what was assumed where nobody asks for it."""


def columns_of(source: Source, note: Callable[[str], None] = _unsaid) -> Columns:
    """Open a file as named arrays; `note` takes what had to be assumed.

    Raises
    ------
    ReadError
        Where it holds no such thing.
    """
    if source.kind == "fits":
        return _fits(source)
    if source.kind == "npz":
        meta = _npz_meta(source)
        units = {
            key.rpartition("_")[0]: said for key, said in meta.items() if key.endswith(("_unit", "_units"))
        }
        return Columns(_Npz(source), units, meta)
    if source.kind == "ecsv":
        check_units_end(source.plain.read_bytes())
        from astropy.table import Table

        return columns_of_table(Table.read(source.plain, format="ascii.ecsv"))
    if source.kind == "parquet":
        return read_parquet(source)
    if source.kind == "votable":
        return columns_of_table(read_votable(source))
    if source.kind == "text":
        return read_text(source, note)
    raise ReadError("this is no FITS, NPZ, ECSV, Parquet, VOTable or text file")


def _fits(source: Source) -> Columns:
    """The first table with a column of flux, else the images named FLUX, WAVELENGTH and so on."""
    primary = fitstable.header(source.hdus[0])
    for hdu in fitstable.tables(source):
        names = fitstable.columns(hdu)
        if set(names) & set(FLUX):
            meta = primary | fitstable.header(hdu)
            units = {name: hdu.columns[names[name]].unit for name in names}
            arrays = {name: partial(_column, hdu, names[name]) for name in names}
            return Columns(Lazy(arrays), units, meta)
    images = {hdu.name.lower(): hdu for hdu in source.hdus if hdu.is_image and hdu.shape}
    units = {name: value(hdu.header, "BUNIT") for name, hdu in images.items()}
    return Columns(Lazy({name: partial(_image, hdu) for name, hdu in images.items()}), units, primary)


def _image(hdu: Any) -> Any:
    return hdu.data


def _column(hdu: Any, name: str) -> Any:
    return hdu.data[name]


class _Npz(Mapping[str, Any]):
    """An NPZ file's arrays by lower-case name, each read once, when it is asked for."""

    def __init__(self, source: Source) -> None:
        self._source = source
        try:
            with zipfile.ZipFile(source.plain) as archive:
                arrays = [m for m in archive.infolist() if m.filename.endswith(".npy")]
        except zipfile.BadZipFile as error:
            raise ReadError(f"the NPZ file is truncated or damaged ({error}); fetch it again") from error
        for array in arrays:
            limits.check_growth(array.compress_size, array.file_size)
        self._sizes = members = {array.filename: array.file_size for array in arrays}
        self._members = {name.removesuffix(".npy").lower(): name for name in members}
        self._read: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._read:
            self._read[name] = self._array(self._members[name])
        return self._read[name]

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def _array(self, member: str) -> Any:
        try:
            with zipfile.ZipFile(self._source.plain) as archive:
                if self._sizes[member] > MEMORY_BYTES:
                    extracted = archive.extract(member, self._source.scratch.folder)
                    return np.load(extracted, mmap_mode="r", allow_pickle=False)
                with archive.open(member) as file:
                    return np.lib.format.read_array(file, allow_pickle=False)
        except (zipfile.BadZipFile, EOFError, ValueError) as error:
            raise ReadError(f"the array {member.removesuffix('.npy')} can't be read: {error}") from error


def _npz_meta(source: Source) -> dict[str, Any]:
    """The arrays of no dimension, which is how units and the like are kept in NPZ files."""
    arrays = _Npz(source)
    said: dict[str, Any] = {}
    for name in arrays:
        if arrays._sizes[arrays._members[name]] < 1024:
            with suppress(ReadError):  # a dictionary, which only a pickle can hold
                if arrays[name].ndim == 0:
                    said[name] = arrays[name].item()
    return said


def columns_of_table(table: Any) -> Columns:
    """Return the columns of an astropy table as named arrays."""
    arrays: dict[str, Any] = {}
    units: dict[str, Any] = {}
    said = [(title(column.info.name)[0], column.info.meta or {}) for column in table.itercols()]
    roles = virtual_observatory.roles(
        (name, str(meta.get("utype", "")), str(meta.get("ucd", ""))) for name, meta in said
    )
    for column in table.itercols():
        name, unit = title(column.info.name)
        name = roles.get(name, name)
        arrays[name] = _filled(column, is_name=name in NAMES)
        units[name] = column.unit or unit
    meta = {str(key).lower(): value for key, value in table.meta.items()}
    return Columns(arrays, units, meta)


def _filled(column: Any, is_name: bool) -> Any:
    """A column as an array; an empty cell is not a number, or an empty name: floats round 64-bit ids."""
    values = getattr(column, "value", column)  # quantities
    if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in "fiu":
        if is_name and values.dtype.kind != "f":
            return np.array(["" if value is None else str(value) for value in values.tolist()])
        return np.ma.filled(values.astype(np.float64), np.nan)
    return np.asarray(values)
