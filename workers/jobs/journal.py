"""What a job has done, in one small file that survives a kill.

Of each file the row up to which all was acknowledged; of each spectrum 40 bytes: how often it was sent and
answered; and of each topic up to which offset it was read for that.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kafka import TopicPartition

from spectraq.workers.errors import SpectraqError
from spectraq.workers.jobs.journal_file import JournalFile

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


class Journal(JournalFile):
    """What is known of a job; one process has it open at a time."""

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
