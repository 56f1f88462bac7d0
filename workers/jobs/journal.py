"""What a job has done, in one small file that survives a kill: SQLite, written in whole transactions.

Of each file the row up to which all was acknowledged; of each spectrum 40 bytes: how often it was sent and
answered; and of each topic up to which offset it was read for that.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import TopicPartition

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

COUNTS = """
SELECT coalesce(sum(sent), 0), coalesce(sum(min(answers, sent)), 0),
    coalesce(sum(min(letters, sent - min(answers, sent))), 0), coalesce(sum(max(answers - sent, 0)), 0)
FROM spectra
"""


@dataclass(frozen=True, slots=True)
class Counts:
    """The ledger of a job.

    Attributes
    ----------
    sent
        Spectra that Kafka has acknowledged.
    answered, dead_lettered
        Of these, as readers of committed messages see it.
    doubled
        Answers beyond one for each that was sent; each has the `result_id` of the first.
    unreadable
        Rows and files that could not be read as spectra.
    """

    sent: int
    answered: int
    dead_lettered: int
    doubled: int
    unreadable: int

    @property
    def unanswered(self) -> int:
        """Spectra that were sent and came to no end yet."""
        return self.sent - self.answered - self.dead_lettered


@dataclass(frozen=True, slots=True)
class File:
    """A file of the job, as far as it was read."""

    number: int
    rows: int  # spectra in it; 0 while nobody knows
    done: int  # rows that came to an end, from the first on
    whole: bool


def short_name(key: bytes) -> int:
    """Return a spectrum's id in 8 bytes: of a million ids, two are the same once in 40 million jobs."""
    return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big", signed=True)


class Journal:
    """The file of a job; one process has it open at a time.

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

    def bind(self, where: Mapping[str, str], positions: Mapping[TopicPartition, int]) -> bool:
        """Tie a new journal to its cluster and topics, or check that an old one is of these.

        Parameters
        ----------
        where
            What may not change between runs, by name.
        positions
            Ends of the topics: where a new job's messages will begin.

        Returns
        -------
        bool
            Whether the job was begun before.

        Raises
        ------
        SpectraqError
            Where it was begun elsewhere.
        """
        known = self.said("topic") is not None
        for name, value in where.items():
            if not known:
                self._say(name, value)
            elif self.said(name) != value:
                raise SpectraqError(
                    f"{self.path}: this job's {name} is {self.said(name)}, and here it is {value}:"
                    " use the settings that it was begun with, or another journal"
                )
        if not known:
            self.move(positions)
        self.commit()
        return known

    def said(self, name: str) -> str | None:
        """Return what is written of the job by a name."""
        row = self._database.execute("SELECT value FROM job WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def file(self, path: str) -> File:
        """Return a file of the job, entered where it is new; what could not be opened may be tried again.

        Raises
        ------
        SpectraqError
            Where it is another one than when the job began with it.
        OSError
            Where it is gone.
        """
        status = Path(path).stat()
        now = (status.st_size, status.st_mtime_ns)
        query = "SELECT bytes, changed_ns, number, rows, done, whole FROM files WHERE path = ?"
        name = os.fsencode(path)
        row = self._database.execute(query, (name,)).fetchone()
        if row is None:
            number = short_name(name)  # the same, should this be lost
            insert = "INSERT INTO files (number, path, bytes, changed_ns) VALUES (?, ?, ?, ?)"
            self._database.execute(insert, (number, name, *now))
            return File(number, 0, 0, False)
        self._database.execute("DELETE FROM unreadable WHERE file = ? AND row = -1", (row[2],))
        if tuple(row[:2]) != now and not row[4]:
            update = "UPDATE files SET bytes = ?, changed_ns = ? WHERE number = ?"
            self._database.execute(update, (*now, row[2]))
        elif tuple(row[:2]) != now:
            raise SpectraqError(
                f"{path} has changed since this job read it: put it back, or begin a new journal for it"
            )
        return File(row[2], row[3], row[4], bool(row[5]))

    def rows_ahead(self) -> set[tuple[int, int]]:
        """Return file and row of spectra that are in Kafka though not all before them are known to be."""
        query = (
            "SELECT file, row FROM spectra LEFT JOIN files ON file = number WHERE row >= coalesce(done, 0)"
        )
        return set(self._database.execute(query).fetchall())

    def note_rows(self, file: int, rows: int) -> None:
        """Write how many spectra a file holds."""
        self._database.execute("UPDATE files SET rows = ? WHERE number = ?", (rows, file))

    def note_sent(self, file: int, row: int, key: bytes) -> None:
        """Write that a row's spectrum is in Kafka."""
        self._database.execute(
            "INSERT INTO spectra (name, file, row) VALUES (?, ?, ?)"
            " ON CONFLICT (name) DO UPDATE SET sent = sent + 1, file = excluded.file, row = excluded.row",
            (short_name(key), file, row),
        )

    def note_found(self, file: int, row: int, key: bytes) -> bool:
        """Write that a row's spectrum is on the topic, unless it is known, and return whether it was not."""
        query = "SELECT 1 FROM spectra WHERE name = ? AND file = ? AND row = ?"
        if self._database.execute(query, (short_name(key), file, row)).fetchone():
            return False
        self.note_sent(file, row, key)
        return True

    def note_done(self, file: int, done: int, whole: bool = False) -> None:
        """Write that all rows before one came to an end, and whether that is all of the file."""
        self._database.execute(
            "UPDATE files SET done = max(done, ?), whole = max(whole, ?) WHERE number = ?",
            (done, whole, file),
        )

    def note_unreadable(self, file: int, row: int | None, why: str) -> None:
        """Write that a row can't be read, or (None) a whole file."""
        self._database.execute(
            "INSERT OR IGNORE INTO unreadable VALUES (?, ?, ?)", (file, -1 if row is None else row, why)
        )

    def note_answer(self, key: bytes) -> bool:
        """Count an answer, and return whether it is of a spectrum of this job."""
        query = "UPDATE spectra SET answers = answers + 1 WHERE name = ?"
        return self._database.execute(query, (short_name(key),)).rowcount > 0

    def note_letter(self, key: bytes, reason: str) -> bool:
        """Count a dead letter, and return whether it is of a spectrum of this job."""
        query = "UPDATE spectra SET letters = letters + 1 WHERE name = ?"
        if not self._database.execute(query, (short_name(key),)).rowcount:
            return False
        insert = "INSERT INTO reasons VALUES (?, 1) ON CONFLICT (reason) DO UPDATE SET letters = letters + 1"
        self._database.execute(insert, (reason,))
        return True

    def move(self, positions: Mapping[TopicPartition, int]) -> None:
        """Write up to which offset each partition was read, or written by this job."""
        self._database.executemany(
            "INSERT OR REPLACE INTO positions VALUES (?, ?, ?)",
            [(partition.topic, partition.partition, offset) for partition, offset in positions.items()],
        )

    def positions(self, topic: str) -> dict[TopicPartition, int]:
        """Return the offset of each partition of a topic as it was written last."""
        rows = self._database.execute("SELECT partition, next FROM positions WHERE topic = ?", (topic,))
        return {TopicPartition(topic, partition): offset for partition, offset in rows}

    def counts(self) -> Counts:
        """Return the ledger; a look at every spectrum, a tenth of a second a million."""
        sent, answered, dead, doubled = self._database.execute(COUNTS).fetchone()
        return Counts(sent, answered, dead, doubled, self._one("SELECT count(*) FROM unreadable"))

    def reasons(self) -> Counter[str]:
        """Return the number of dead letters by reason."""
        return Counter(dict(self._database.execute("SELECT reason, letters FROM reasons")))

    def unfinished_files(self) -> list[str]:
        """Return the files that were begun and not read to their end."""
        found = self._database.execute("SELECT path FROM files WHERE NOT whole")
        return [os.fsdecode(path) for (path,) in found]

    def unanswered(self, most: int) -> Iterator[tuple[str, int]]:
        """Yield file and row of spectra that were sent and came to no end, so many at most."""
        found = self._database.execute(
            "SELECT path, row FROM spectra JOIN files ON file = number"
            " WHERE answers + letters < sent LIMIT ?",
            (most,),
        )
        yield from ((os.fsdecode(path), row) for path, row in found)

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
