"""The file of a journal: SQLite, open in one process at a time, written in whole transactions."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from spectraq.workers.errors import SpectraqError

VERSION = 1
CACHE_KIB = 64 << 10

TABLES = """
CREATE TABLE job (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE files (
    number INTEGER PRIMARY KEY, path BLOB UNIQUE NOT NULL,
    bytes INTEGER NOT NULL, changed_ns INTEGER NOT NULL,
    rows INTEGER NOT NULL DEFAULT 0, done INTEGER NOT NULL DEFAULT 0, whole INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE unreadable (file INTEGER, row INTEGER, why TEXT NOT NULL, PRIMARY KEY (file, row));
CREATE TABLE spectra (
    name INTEGER PRIMARY KEY, file INTEGER NOT NULL, row INTEGER NOT NULL, sent INTEGER NOT NULL DEFAULT 1,
    answers INTEGER NOT NULL DEFAULT 0, letters INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE positions (topic TEXT, partition INTEGER, next INTEGER NOT NULL, PRIMARY KEY (topic, partition));
CREATE TABLE reasons (reason TEXT PRIMARY KEY, letters INTEGER NOT NULL);
"""


class JournalFile:
    """What survives a kill; `Journal` says what stands in it.

    Parameters
    ----------
    path
        Made where it is not. What is written is kept by `commit`, and where the block ends well.

    Raises
    ------
    SpectraqError
        Where it is no journal, or another process has it open.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._explained():
            self._database = sqlite3.connect(path, timeout=0.5, isolation_level=None)
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            self._database.execute("BEGIN IMMEDIATE")
            if not self._one("SELECT count(*) FROM sqlite_master"):
                for statement in filter(str.strip, TABLES.split(";")):
                    self._database.execute(statement)
                self._say("version", str(VERSION))
                self._say("id", uuid.uuid4().hex[:12])
            if self.said("version") != str(VERSION):
                raise SpectraqError(f"{path} is a journal of another version of spectraq: begin a new one")
            self.commit()
        self.id = str(self.said("id"))

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Keep what was written, unless the block failed."""
        if kind is None:
            self.commit()
        self._database.close()

    def commit(self) -> None:
        """Make what was written since the last time survive."""
        with self._explained():
            if self._database.in_transaction:
                self._database.execute("COMMIT")
            self._database.execute("BEGIN IMMEDIATE")

    def forget(self) -> None:
        """Take back what was written since the last commit, which is whole."""
        if self._database.in_transaction:
            self._database.execute("ROLLBACK")
        self._database.execute("BEGIN IMMEDIATE")

    def said(self, name: str) -> str | None:
        """Return what is written of the job by a name."""
        row = self._database.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _say(self, name: str, value: str) -> None:
        self._database.execute("INSERT INTO job VALUES (?, ?)", (name, value))

    def _one(self, query: str) -> Any:
        return self._database.execute(query).fetchone()[0]

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            why = str(error)
            if "locked" in why:
                raise SpectraqError(f"{self.path}: another process works on this job") from error
            if "no such" in why:
                raise SpectraqError(f"{self.path} is no journal of a job: {why}") from error
            raise SpectraqError(f"{self.path}: the journal can't be written: {why}") from error
        except sqlite3.DatabaseError as error:
            raise SpectraqError(f"{self.path} is no journal of a job: {error}") from error
