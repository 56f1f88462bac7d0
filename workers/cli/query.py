"""`spectraq query`: SQL over what `spectraq sink` wrote."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from spectraq.workers.cli.common_options import Config
from spectraq.workers.cli.terminal import json_line, print_error, print_note, print_table
from spectraq.workers.cli.writing import WRONG_USE, Overwrite, check_new

ROWS_SHOWN = 200


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


def query(
    sql: Annotated[str, typer.Argument(help="One SELECT; left out: the tables and their columns.")] = "",
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="DIR_OR_URL", help="Folder or address of the tables; else the setting `archive.url`."
        ),
    ] = None,
    format: Annotated[
        Format | None, typer.Option(help="How rows are written; else by the suffix of --out, else a table.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File to write instead of stdout.")] = None,
    overwrite: Overwrite = False,
    config: Config = None,
) -> None:
    """Ask the archive in SQL (DuckDB's); it is read, never written.

    Tables are classifications, redshifts, anomalies, measurements and dead_letters; views are spectra (all of
    them joined), reasons, lines and quantities. `in_cone(ra, dec, ra0, dec0, radius)` is in degrees.

    Example: `spectraq query "SELECT spectrum_id, z FROM redshifts WHERE z > 2" --archive archive/`

    Example: `spectraq query "FROM spectra" --archive archive/ --out night.parquet`
    """
    from spectraq.workers.archive.extra import require_archive_packages
    from spectraq.workers.settings import load_settings

    wanted = format or _by_suffix(out)
    if out is not None:
        check_new("--out", out, overwrite)
    if wanted is Format.PARQUET and out is None:
        print_error("--format parquet: it is not for a terminal; name a file with --out")
        raise typer.Exit(WRONG_USE)
    settings = load_settings(config)
    require_archive_packages()
    from spectraq.workers.archive.query import Archive
    from spectraq.workers.archive.storage import archive_url, storage_options

    opened = Archive(archive_url(archive, settings.archive), storage_options(settings.archive))
    if not sql.strip():
        print_table(("table", "columns"), [(name, ", ".join(opened.columns(name))) for name in opened.names])
        return
    shown = wanted is Format.TABLE and out is None
    schema, batches = opened.ask(sql, ROWS_SHOWN + 1 if shown else None)
    _write(wanted, out, schema, batches)


def _by_suffix(out: Path | None) -> Format:
    suffix = "" if out is None else out.suffix.lstrip(".")
    if out is None or suffix in ("", "txt"):
        return Format.TABLE
    if suffix not in {"json", *Format}:
        print_error(f"--out {out}: write .csv, .jsonl or .parquet, or say --format")
        raise typer.Exit(WRONG_USE)
    return Format.JSONL if suffix == "json" else Format(suffix)


def _write(wanted: Format, out: Path | None, schema: Any, batches: Iterator[Any]) -> None:
    from spectraq.workers.operations.disk import whole

    if out is None:
        _write_text(wanted, sys.stdout, schema, batches)
        return
    with whole(out) as part:
        if wanted is Format.PARQUET:
            from pyarrow import parquet

            with parquet.ParquetWriter(part, schema) as writer:
                for batch in batches:
                    writer.write_batch(batch)
            return
        with part.open("w", encoding="utf-8", newline="") as stream:
            _write_text(wanted, stream, schema, batches)


def _write_text(wanted: Format, stream: TextIO, schema: Any, batches: Iterator[Any]) -> None:
    if wanted is Format.TABLE and stream is sys.stdout:
        _show(schema, batches)
    elif wanted is Format.JSONL:
        for row in _rows(batches):
            stream.write(json_line(dict(zip(schema.names, map(_plain, row), strict=True))) + "\n")
    else:
        from spectraq.workers.files.result_table import no_formula

        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(schema.names)
        writer.writerows([no_formula(_cell(value)) for value in row] for row in _rows(batches))


def _show(schema: Any, batches: Iterator[Any]) -> None:
    rows = list(_rows(batches))
    numbers = ("int", "float", "double", "decimal", "uint")
    names = [f"{field.name}#" if str(field.type).startswith(numbers) else field.name for field in schema]
    print_table(names, [[_cell(value) for value in row] for row in rows[:ROWS_SHOWN]])
    if len(rows) > ROWS_SHOWN:
        print_note(f"the first {ROWS_SHOWN} rows; --format csv, jsonl or parquet writes all")


def _rows(batches: Iterator[Any]) -> Iterator[tuple[Any, ...]]:
    for batch in batches:
        yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


def _cell(value: Any) -> Any:
    """Return a value as one cell of a table: lists and records as JSON."""
    if value is None:
        return ""
    plain = _plain(value)
    return json_line(plain) if isinstance(plain, (list, dict)) else plain


def _plain(value: Any) -> Any:
    """Return a value in JSON's types, as messages are printed."""
    import base64
    import math
    from datetime import date, datetime

    match value:
        case float() if not math.isfinite(value):
            return None
        case bytes():
            return base64.b64encode(value).decode()
        case datetime() | date():
            return value.isoformat()
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() if value and all(isinstance(item, tuple) and len(item) == 2 for item in value):
            return {str(name): _plain(item) for name, item in value}  # a map, as Arrow gives it
        case list() | tuple():
            return [_plain(item) for item in value]
    return value
