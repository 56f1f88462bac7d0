"""Tables of the formats in which archives hand them on: VOTable and Parquet."""

from __future__ import annotations

import mmap
import re
import warnings
from typing import Any

from spectraq.workers.errors import ReadError
from spectraq.workers.readers import limits
from spectraq.workers.readers.columns import Columns
from spectraq.workers.readers.objects import NAMES
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.textlayout import title
from spectraq.workers.readers.units import check_units_end

NUMBER_BYTES = 8
_ELSEWHERE = re.compile(rb"<(?:\w+:)?STREAM\b[^>]*\b(?:href|encoding\s*=\s*[\"']gzip)", re.I)
"""What would have the parser fetch an address of a stranger's, or unpack without a limit."""


def read_votable(source: Source) -> Any:
    """Return the first table of a VOTable, as an astropy table.

    Raises
    ------
    ReadError
        Where it holds none.
    """
    from astropy.io.votable import parse
    from astropy.io.votable.exceptions import VOWarning

    with source.plain.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        if _ELSEWHERE.search(content):
            raise ReadError("the VOTable's numbers are packed or in another file; save it as TABLEDATA")
        check_units_end(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VOWarning)
            whole = parse(str(source.plain), verify="ignore")
            first = whole.get_first_table()
            table = first.to_table(use_names_over_ids=True)
            table.meta |= _said(first, *whole.resources, whole)
            return table
    except Exception as error:  # its parser raises whatever it stumbles over
        why = " ".join(str(error).split())[:200]
        raise ReadError(f"the VOTable can't be read: {why}") from error


def _said(*elements: Any) -> dict[str, Any]:
    """What the PARAMs and INFOs of a VOTable say, by name; of several of one name the innermost counts."""
    said: dict[str, Any] = {}
    for element in elements:
        for entry in (*getattr(element, "params", ()), *getattr(element, "infos", ())):
            if entry.name:
                said.setdefault(str(entry.name), entry.value)
    return said


def read_parquet(source: Source) -> Columns:
    """Read a Parquet file: a number a row, or a list a row, which is a spectrum.

    Raises
    ------
    ReadError
        Where it is damaged, or grows beyond what packing does.
    """
    from pyarrow import parquet

    from spectraq.workers.readers.parquet_columns import columns_of_file, damage_said

    with damage_said():
        # not read before it is wanted: a row group may be larger than the memory
        file = parquet.ParquetFile(source.plain, memory_map=True, pre_buffer=False)
        written = file.metadata
        numbers = written.num_rows * max(1, written.num_columns) * NUMBER_BYTES
        groups = sum(written.row_group(number).total_byte_size for number in range(written.num_row_groups))
        limits.check_growth(source.plain.stat().st_size, max(numbers, groups))
        schema = file.schema_arrow
    meta = {
        key.decode("utf-8", "replace").lower(): value.decode("utf-8", "replace")
        for key, value in (schema.metadata or {}).items()
    }
    names: dict[str, tuple[int, bool]] = {}
    units, more = _of_astropy(meta.pop("table_meta_yaml", ""))
    for number, field in enumerate(schema):
        name, unit = title(field.name)
        metadata = field.metadata or {}
        names.setdefault(name, (number, name in NAMES))
        units.setdefault(name, unit or metadata.get(b"unit", b"").decode("utf-8", "replace") or None)
    return Columns(columns_of_file(file, names), units, meta | more)


def _of_astropy(header: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Units and metadata that astropy writes into a Parquet file, by lower-case name; empty where damaged."""
    from astropy.table.meta import get_header_from_yaml

    try:
        said = get_header_from_yaml(header.splitlines()) if header else {}
        units = {
            title(str(column["name"]))[0]: column["unit"]
            for column in said.get("datatype", ())
            if "unit" in column
        }
        return units, {str(key).lower(): value for key, value in dict(said.get("meta") or {}).items()}
    except Exception:  # whatever its parser stumbles over
        return {}, {}
