"""Finds the record that ends the process each time it is read, and keeps it from doing so for ever.

A crash leaves no trace in a worker without state, so before a worker begins on a partition it writes beside
the committed offset that it does (`transport.attempts`). Where it finds that others began here and got
nowhere, it does the next records one by one, each marked before it is touched. A record that was tried alone
`worker.max_tries` times is a dead letter. What this process itself wrote and finds again ended in something
else than the end of the process, such as results that Kafka refused, and does not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from kafka import TopicPartition

from workers.settings import WorkerSettings
from workers.transport.attempts import Attempts
from workers.transport.offsets import Committed, CommittedAt
from workers.transport.record import Record

BATCHES_IN_HAND = 4
"""What a worker may have had in hand when it died, in batches: so many records are done one by one."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Alone:
    """A record that is done with nothing else in hand.

    Attributes
    ----------
    tries
        Attempts before this one; None where there have been too many.
    """

    record: Record
    tries: int | None


class Suspects:
    """Decides which records are done together, and which alone; knows nothing that Kafka does not.

    Parameters
    ----------
    settings
        Of the worker.
    mark
        Writes attempts beside a partition's committed offset; False where Kafka did not take it.
    """

    def __init__(
        self, settings: WorkerSettings, mark: Callable[[TopicPartition, int, Attempts], bool]
    ) -> None:
        self._max_tries = settings.max_tries
        self._reach = BATCHES_IN_HAND * settings.batch_spectra
        self._mark = mark
        self._committed: Committed = {}
        self._written: dict[
            TopicPartition, tuple[CommittedAt, Attempts]
        ] = {}  # what was found, and then written
        self._until: dict[TopicPartition, int] = {}
        self._marked: set[TopicPartition] = set()
        self._waiting: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def begin(self, committed: Committed) -> None:
        """Start an epoch at the committed offsets."""
        self._committed = {partition: self._found(partition, at) for partition, at in committed.items()}
        self._until = {
            partition: at.offset + self._reach
            for partition, at in self._committed.items()
            if at.attempts.suspect
        }
        self._marked = set(self._until)
        for partition, at in self._committed.items():
            if at.attempts.suspect:
                log.warning(
                    "one_by_one", partition=partition.partition, offset=at.offset, attempts=str(at.attempts)
                )

    def clear(self) -> int:
        """Drop what waits; gives the number of records dropped."""
        dropped = len(self._waiting)
        self._waiting.clear()
        return dropped

    def sort(self, records: Sequence[Record]) -> list[Record]:
        """Give the records that may be done together; the others wait for `next`.

        Before the first of a partition is given, its beginning is marked. Where that fails the epoch has
        moved, and all of this is read again.
        """
        together = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition in self._until:
                self._waiting.append(record)
                continue
            if partition not in self._marked:
                at = self._committed.get(partition) or CommittedAt(record.offset, Attempts())
                self._write(partition, at, at.attempts.begun())
                self._marked.add(partition)
            together.append(record)
        return together

    def next(self) -> Alone | list[Record]:
        """Give the next record to be done alone, or those that may be done together after all.

        Only to be called with nothing in hand: whatever dies now dies of this record.
        """
        first = self._waiting[0]
        partition = TopicPartition(first.topic, first.partition)
        if first.offset >= self._until[partition]:
            return self._released(partition)
        at = self._committed.get(partition)
        if at is None or at.offset != first.offset:
            at = CommittedAt(first.offset, Attempts(starts=1))
        if at.attempts.alone >= self._max_tries:
            self._waiting.popleft()
            return Alone(first, None)
        if not self._write(partition, at, at.attempts.begun_alone()):
            return []
        self._waiting.popleft()
        return Alone(first, at.attempts.alone)

    def _found(self, partition: TopicPartition, at: CommittedAt) -> CommittedAt:
        """What others left here: of what this process wrote itself, what was there before."""
        before, written = self._written.get(partition, (at, at.attempts))
        return before if (before.offset, written) == (at.offset, at.attempts) else at

    def _write(self, partition: TopicPartition, at: CommittedAt, attempts: Attempts) -> bool:
        self._written[partition] = (at, attempts)  # first: what is not acknowledged may be there all the same
        return self._mark(partition, at.offset, attempts)

    def _released(self, partition: TopicPartition) -> list[Record]:
        """Stop suspecting a partition: it went further than any worker had in hand."""
        del self._until[partition]
        log.info("together_again", partition=partition.partition, offset=self._waiting[0].offset)
        mine = [r for r in self._waiting if TopicPartition(r.topic, r.partition) == partition]
        self._waiting = deque(r for r in self._waiting if TopicPartition(r.topic, r.partition) != partition)
        return mine
