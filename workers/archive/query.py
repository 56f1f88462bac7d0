"""SQL over an archive, by DuckDB: it reads, and can do nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

import duckdb
import pyarrow as pa

from spectraq.workers.archive.catalogue import tables_of
from spectraq.workers.archive.views import MACROS, views_of
from spectraq.workers.errors import SpectraqError

ROWS_AT_ONCE = 10_000

_NO_TABLE = re.compile(r"Table with name (?P<name>\S+) does not exist")


class QueryError(SpectraqError):
    """A query that can't be answered; the sentence says what in it is wrong."""


class Archive:
    """The tables of an archive as they were when it was opened, with views over them.

    Parameters
    ----------
    url
        Folder or address of the archive.
    storage
        Options of the object store.

    Raises
    ------
    SettingsError
        Where there is none, or it can't be read.
    """

    def __init__(self, url: str, storage: Mapping[str, str]) -> None:
        tables = tables_of(url, storage)
        self._duckdb = duckdb.connect()
        for name, table in tables.items():
            # by the library, which knows the files of a table and how to reach them: DuckDB's own reader of
            # such tables is an extension that it would have to fetch
            self._duckdb.register(name, table.to_pyarrow_dataset())
        views = views_of(set(tables))
        for statement in (*MACROS, *views.values()):
            self._duckdb.execute(statement)
        self.names = (*tables, *views)
        self._duckdb.execute("SET enable_external_access = false")
        self._duckdb.execute("SET lock_configuration = true")

    def ask(self, sql: str, most: int | None = None) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
        """Return the columns of the answer, and its rows as they come; all are to be taken.

        Parameters
        ----------
        sql
            One SELECT.
        most
            Rows that are wanted at most; None: all.

        Raises
        ------
        QueryError
            Where it is not one SELECT, or names what is not there: then with the nearest that is. While rows
            come, too.
        """
        with_errors = _Explained(self.names)
        with with_errors:
            statements = self._duckdb.extract_statements(sql)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise QueryError("query: only one SELECT is answered; an archive is not written to by SQL")
            answer = self._duckdb.sql(sql)
            answer = answer if most is None else answer.limit(most)
            rows: pa.RecordBatchReader = answer.to_arrow_reader(ROWS_AT_ONCE)
        return rows.schema, _each(rows, with_errors)

    def columns(self, name: str) -> list[str]:
        """Return the columns of a table or view."""
        return [column for column, *_ in self._duckdb.execute(f"DESCRIBE {name}").fetchall()]


def _each(rows: Any, with_errors: _Explained) -> Iterator[pa.RecordBatch]:
    with with_errors:
        yield from rows


class _Explained:
    """Turns what DuckDB says of a query into one line."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._names = names

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, (duckdb.Error, pa.ArrowException, OSError)):
            raise QueryError(f"query: {self._said(str(error))}") from None

    def _said(self, text: str) -> str:
        if missing := _NO_TABLE.search(text):
            near = get_close_matches(missing["name"], self._names, 1, 0.5)
            meant = f"did you mean {near[0]}? " if near else ""
            return f"there is no table {missing['name']}; {meant}There are {', '.join(self._names)}"
        line = re.search(r"\nLINE \d+: .*", text)
        told = " ".join(text.partition("\nLINE ")[0].split())
        return f"{told} (in {line[0].split(': ', 1)[1].strip()!r})" if line else told
