"""Finds the record or the batch that ends the process each time, and keeps it from doing so for ever.

A crash leaves no trace in a worker without state, so before a worker unpacks the first batch of a partition
it writes beside the committed offset that it begins there (`transport.attempts`). Where it finds that others
began here and got nowhere, it unpacks the next batches one by one (`transport.seals`) and does their records
one by one, each marked before it is touched, and with nothing else in hand. A record that was tried alone
`worker.max_tries` times is a dead letter, and so is a batch that was unpacked as often and gave no record.
What this process itself wrote and finds again ended in something else than the end of the process, such as
results that Kafka refused, and does not count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from kafka import TopicPartition

from workers.settings import WorkerSettings
from workers.transport.attempts import Attempts
from workers.transport.offsets import Committed, CommittedAt, Offsets
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


@dataclass(frozen=True, slots=True)
class Opening:
    """A batch that is unpacked with nothing else in hand.

    Attributes
    ----------
    unread
        Whether that was tried too often, and it is stepped over.
    """

    partition: TopicPartition
    unread: bool


@dataclass(slots=True)
class _Written:
    """What this process wrote at one offset, and what counts of what it found there before."""

    before: CommittedAt
    attempts: set[Attempts]


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
        self._written: dict[TopicPartition, _Written] = {}
        self._until: dict[TopicPartition, int] = {}
        self._together: set[TopicPartition] = set()
        self._waiting: deque[Record] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def together(self) -> frozenset[TopicPartition]:
        """Partitions on which this worker has begun, and of which no record is suspected."""
        return frozenset(self._together)

    def begin(self, committed: Committed) -> None:
        """Start an epoch at the committed offsets."""
        self._committed = {partition: self._found(partition, at) for partition, at in committed.items()}
        self._until = {
            partition: at.offset + self._reach
            for partition, at in self._committed.items()
            if at.attempts.suspect
        }
        self._together.clear()
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
        """Give the records that may be done together; the others wait for `next`."""
        together = []
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition in self._until:
                self._note_unpacked(partition, record)
                self._waiting.append(record)
            else:
                together.append(record)
        return together

    def begin_on(self, packed: Offsets) -> list[TopicPartition]:
        """Mark the beginning of partitions that have a packed batch and are not suspected; give the others.

        Where a mark fails the epoch has moved, and all of this is read again.

        Parameters
        ----------
        packed
            The next offset of each partition of which a batch waits to be unpacked.
        """
        for partition in packed.keys() - self._until.keys() - self._together:
            at = self._committed.get(partition) or CommittedAt(packed[partition], Attempts())
            if self._write(partition, at, at.attempts.begun()):
                self._together.add(partition)
        return [partition for partition in packed if partition in self._until]

    def open(self, partition: TopicPartition, offset: int) -> Opening | None:
        """Mark that the batch at this offset is unpacked; None where that fails, since the epoch has moved.

        Only to be called with nothing in hand: whatever dies now dies of this batch.
        """
        at = self._at(partition, offset)
        if at.attempts.unpacks >= self._max_tries:
            return Opening(partition, unread=True)
        written = self._write(partition, at, at.attempts.begun_unpacking())
        return Opening(partition, unread=False) if written else None

    def next(self) -> Alone | list[Record]:
        """Give the next record to be done alone, or those that may be done together after all.

        Only to be called with nothing in hand: whatever dies now dies of this record.
        """
        first = self._waiting[0]
        partition = TopicPartition(first.topic, first.partition)
        if first.offset >= self._until[partition]:
            return self._released(partition)
        at = self._at(partition, first.offset)
        if at.attempts.alone >= self._max_tries:
            self._waiting.popleft()
            return Alone(first, None)
        if not self._write(partition, at, at.attempts.begun_alone()):
            return []
        self._waiting.popleft()
        return Alone(first, at.attempts.alone)

    def _found(self, partition: TopicPartition, at: CommittedAt) -> CommittedAt:
        """What others left here: of what this process wrote itself, what was there before."""
        written = self._written.get(partition)
        mine = written is not None and written.before.offset == at.offset and at.attempts in written.attempts
        return written.before if written is not None and mine else at

    def _at(self, partition: TopicPartition, offset: int) -> CommittedAt:
        """What others left at an offset, up to which all is done."""
        at = self._committed.get(partition)
        return at if at is not None and at.offset == offset else CommittedAt(offset, Attempts(starts=1))

    def _write(self, partition: TopicPartition, at: CommittedAt, attempts: Attempts) -> bool:
        written = self._written.get(partition)
        if written is None or written.before != at:
            written = self._written[partition] = _Written(at, {at.attempts})
        written.attempts.add(attempts)  # first: what is not acknowledged may be there all the same
        return self._mark(partition, at.offset, attempts)

    def _note_unpacked(self, partition: TopicPartition, record: Record) -> None:
        """What was unpacked is not to blame for the next process that ends."""
        at, written = self._committed.get(partition), self._written.get(partition)
        if record.damage is not None or at is None or record.offset < at.offset:
            return
        self._committed[partition] = replace(at, attempts=at.attempts.unpacked())
        if written is not None and written.before == at:
            written.before = self._committed[partition]

    def _released(self, partition: TopicPartition) -> list[Record]:
        """Stop suspecting a partition: it went further than any worker had in hand."""
        del self._until[partition]
        log.info("together_again", partition=partition.partition, offset=self._waiting[0].offset)
        self._together.add(partition)
        mine = [r for r in self._waiting if TopicPartition(r.topic, r.partition) == partition]
        self._waiting = deque(r for r in self._waiting if TopicPartition(r.topic, r.partition) != partition)
        return mine
