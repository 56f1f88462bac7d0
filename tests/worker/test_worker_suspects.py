"""Whose fault it is that records were begun and never finished; Kafka's memory is a dictionary here."""

from __future__ import annotations

import pytest
from kafka import TopicPartition

from workers.settings import WorkerSettings
from workers.suspects import Alone, Suspects
from workers.transport.attempts import Attempts
from workers.transport.offsets import CommittedAt
from workers.transport.record import Record

PARTITION = TopicPartition("spectra", 0)
SETTINGS = WorkerSettings(batch_spectra=4, max_tries=3)


class Memory:
    """What is written beside the committed offset of one partition."""

    def __init__(self) -> None:
        self.at = CommittedAt(10, Attempts())

    def mark(self, partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        """Write."""
        self.at = CommittedAt(offset, attempts)
        return True

    def process(self) -> Suspects:
        """A worker that was just started."""
        return Suspects(SETTINGS, self.mark)

    def begun(self, suspects: Suspects) -> None:
        """Have a worker begin at the committed offset, without an end."""
        suspects.clear()
        suspects.begin({PARTITION: self.at})
        if not suspects.sort([record(offset) for offset in range(10, 14)]):
            suspects.next()


def record(offset: int) -> Record:
    """A record of the partition."""
    return Record("spectra", 0, offset, b"key", b"value", (), 0)


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_results_that_kafka_refuses_again_and_again_condemn_no_spectrum(others: int) -> None:
    memory = Memory()
    for _ in range(others):
        memory.begun(memory.process())
    patient = memory.process()
    for _ in range(50):
        memory.begun(patient)
    assert memory.at.attempts.starts + memory.at.attempts.alone == others + 1


def test_a_spectrum_that_ends_one_process_after_the_other_is_given_up_after_so_many_tries_alone() -> None:
    memory = Memory()
    for _ in range(2 + SETTINGS.max_tries):
        memory.begun(memory.process())
    last = memory.process()
    last.begin({PARTITION: memory.at})
    last.sort([record(10)])
    assert last.next() == Alone(record(10), None)


def test_what_another_worker_began_meanwhile_counts() -> None:
    memory = Memory()
    mine, other = memory.process(), memory.process()
    memory.begun(mine)
    memory.begun(other)
    assert memory.at.attempts.starts == 2
    mine.begin({PARTITION: memory.at})
    assert mine.sort([record(10)]) == []
