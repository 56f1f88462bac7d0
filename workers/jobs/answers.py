"""What became of a job's spectra: its answers and dead letters, as readers of committed messages see them."""

from __future__ import annotations

import time
from typing import Self

from kafka import TopicPartition

from spectraq.schemas.codec import DecodeError, decode
from spectraq.schemas.deadletter import DeadLetter
from spectraq.workers.errors import SpectraqError
from spectraq.workers.jobs.journal import Journal
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record

JOB_HEADER = "spectraq-job"
"""Says of which job a spectrum is, and of which file and row of it: what a kill kept from its journal is
found again by it."""


def job_header(journal: Journal, file: int, row: int) -> tuple[str, bytes]:
    """Return the header that a spectrum of a job carries."""
    return JOB_HEADER, f"{journal.id} {file} {row}".encode()


def recover(settings: Settings, journal: Journal, topic: str) -> int:
    """Enter in the journal what is on the topic of spectra beyond what it knows, and return how many.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    SpectraqError
        Where the topic is not the one that the job was begun on.
    """
    found = 0
    with Follower(settings, [topic]) as follower:
        ends = follower.ends()
        _go_to(follower, journal, topic, ends)
        while not follower.reached(ends):
            for record in follower.poll(1.0):
                place = TopicPartition(record.topic, record.partition)
                if record.offset < ends[place]:
                    found += _is_entered(journal, record)
        journal.move(ends)
    journal.commit()
    return found


def _is_entered(journal: Journal, record: Record) -> bool:
    words = next((value for name, value in record.headers if name == JOB_HEADER), b"").split()
    if len(words) != 3 or words[0] != journal.id.encode() or record.key is None:
        return False
    return journal.note_found(int(words[1]), int(words[2]), record.key)


def _go_to(
    follower: Follower, journal: Journal, topic: str, ends: dict[TopicPartition, int]
) -> dict[TopicPartition, int]:
    """Go on in a topic where the journal ends, and return where that is."""
    begins, known = follower.begins(), journal.positions(topic)
    places = {}
    for partition in follower.partitions:
        if partition.topic != topic:
            continue
        wanted = known.get(partition, 0)
        if wanted > ends[partition]:
            raise SpectraqError(
                f"{journal.path}: partition {partition.partition} of {topic} ends at {ends[partition]}, and"
                f" this job has been at {wanted}: the topic was made anew, so begin a new journal"
            )
        places[partition] = max(wanted, begins[partition])
        follower.seek(partition, places[partition])
    return places


class Answers:
    """Counts the answers to a job's spectra, into its journal.

    Parameters
    ----------
    settings
        In force.
    journal
        Says where reading goes on.

    Raises
    ------
    UnreachableError
        Where the broker does not answer, or a topic is missing.
    """

    def __init__(self, settings: Settings, journal: Journal) -> None:
        self._journal = journal
        self._letters = settings.topics.dead_letters
        topics = (settings.topics.redshifts, self._letters)  # one Redshift a spectrum, or a letter
        self._follower = Follower(settings, topics)
        ends = self._follower.ends()
        self._places: dict[TopicPartition, int] = {}
        for topic in topics:
            self._places |= _go_to(self._follower, journal, topic, ends)

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the client."""
        self._follower.close()

    def take(self, most_s: float, wait_s: float = 0.0) -> int:
        """Count what has come, for so long at most, and return how many are of this job.

        Parameters
        ----------
        most_s
            Where there is always more.
        wait_s
            For the first message.
        """
        ends, found = time.monotonic() + most_s, 0
        while records := self._follower.poll(wait_s):
            for record in records:
                found += self._is_counted(record)
                self._places[TopicPartition(record.topic, record.partition)] = record.next_offset
            wait_s = 0.0
            if time.monotonic() > ends:
                break
        self._journal.move(self._places)
        return found

    def drained(self) -> bool:
        """Return whether all that is there now has been counted."""
        return self._follower.drained()

    def _is_counted(self, record: Record) -> bool:
        if record.key is None:
            return False
        if record.topic != self._letters:
            return self._journal.note_answer(record.key)
        try:
            letter = decode(record.value, record.headers)
        except DecodeError:
            return False
        return isinstance(letter, DeadLetter) and self._journal.note_letter(record.key, letter.reason)
