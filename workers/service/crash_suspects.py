"""Finds the record or the batch that ends the process each time, and keeps it from doing so for ever.

A crash leaves no trace in a worker without state, so before a worker unpacks the first batch of a partition
it writes its name beside the committed offset (`transport.crash_marks`). Where it finds that others began
here and got nowhere, it unpacks the next batches one by one (`transport.seals`) and does their records one by
one, each marked before it is touched, and with nothing else in hand. A record that `worker.max_tries`
processes took up alone and did not finish is a dead letter, and so is a batch that as many took up and did
not unpack.

Nothing innocent is condemned but by so many ends of processes while it was alone in hand, since a process
that lives takes its name back before it begins on anything else. And what is deadly is condemned after so
many, since its name stays where a process ends.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import structlog
from kafka import TopicPartition

from spectraq.workers.settings import Settings
from spectraq.workers.transport.crash_marks import Attempts, new_name
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import Committed, CommittedAt, Offsets

BATCHES_IN_HAND = 4
"""What a worker may have had in hand when it died, in batches: so many records are done one by one."""

REBALANCE_WAITS = 1 / 3
"""Of the time that a member may go without a poll, this much a rebalance waits for what is tried alone."""

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


class Suspects:
    """Decides which records are done together, and which alone; knows nothing that Kafka does not.

    Parameters
    ----------
    settings
        The settings in force.
    mark
        Writes attempts beside a partition's committed offset; False where Kafka did not take it.
    """

    def __init__(self, settings: Settings, mark: Callable[[TopicPartition, int, Attempts], bool]) -> None:
        self._max_tries = settings.worker.max_tries
        self._reach = BATCHES_IN_HAND * settings.worker.batch_spectra
        self._keep_s = REBALANCE_WAITS * settings.kafka.max_poll_interval_s
        self._mark = mark
        self._process = new_name()
        self._committed: Committed = {}  # with what others left there
        self._until: dict[TopicPartition, int] = {}
        self._together: set[TopicPartition] = set()
        self._waiting: deque[Record] = deque()
        self._opened = False  # a batch, of which no record was taken up so far
        self._since: float | None = None  # an attempt is written that is neither committed nor taken back

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def together(self) -> frozenset[TopicPartition]:
        """Partitions on which this worker has begun, and of which no record is suspected."""
        return frozenset(self._together)

    @property
    def trying(self) -> bool:
        """Whether something is tried alone, so that nothing else may be read."""
        return self._since is not None

    @property
    def began(self) -> bool:
        """Whether this process may have written its name where it is not taken away yet."""
        return bool(self._together) or self.trying

    @property
    def keeps_others_waiting(self) -> bool:
        """Whether a rebalance, too, should wait for what is tried alone."""
        return self._since is not None and time.monotonic() < self._since + self._keep_s

    def settled(self) -> None:
        """What was tried alone is committed."""
        self._since = None

    def begin(self, committed: Committed) -> bool:
        """Start an epoch at the committed offsets; take back what this process began there in an older one.

        False where Kafka did not take that: the epoch has moved, and nothing may be begun.
        """
        self._committed = {
            p: replace(start, attempts=start.attempts.without(self._process))
            for p, start in committed.items()
        }
        self._until = {
            partition: start.offset + self._reach
            for partition, start in self._committed.items()
            if start.attempts.suspect
        }
        self._together.clear()
        self._opened = False
        for partition, start in self._committed.items():
            if start != committed[partition] and not self._mark(partition, start.offset, start.attempts):
                return False
            if start.attempts.suspect:
                log.warning(
                    "one_by_one",
                    partition=partition.partition,
                    offset=start.offset,
                    attempts=str(start.attempts),
                )
        self._since = None
        return True

    def clear(self) -> int:
        """Drop what waits, and return how many records that were."""
        dropped = len(self._waiting)
        self._waiting.clear()
        return dropped

    def sort(self, records: Sequence[Record]) -> list[Record]:
        """Return the records that may be done together; the others wait for `next`."""
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
        """Mark the beginning of partitions with a packed batch that are not suspected, and return the others.

        Where a mark fails the epoch has moved, and all of this is read again.

        Parameters
        ----------
        packed
            The next offset of each partition of which a batch waits to be unpacked.
        """
        for partition in packed:
            if partition in self._until or partition in self._together:
                continue
            start = self._committed.get(partition) or CommittedAt(packed[partition], Attempts())
            if not self._mark(partition, start.offset, start.attempts.begun(self._process)):
                break  # a Kafka that is silent would keep each of the others waiting as long
            self._together.add(partition)
        return [partition for partition in packed if partition in self._until]

    def open(self, partition: TopicPartition, offset: int) -> Opening | None:
        """Mark that the batch at this offset is unpacked.

        None where it is not: the mark failed, since the epoch has moved, or the partition is suspected no
        longer. Only to be called with nothing in hand: whatever dies now dies of this batch.
        """
        if offset >= self._until[partition]:
            self._release(partition, offset)
            return None
        start = self._start_at(partition, offset)
        self._since = time.monotonic()
        if len(start.attempts.unpacking) >= self._max_tries:
            return Opening(partition, unread=True)
        self._opened = self._mark(partition, offset, start.attempts.begun_unpacking(self._process))
        return Opening(partition, unread=False) if self._opened else None

    def next(self) -> Alone | list[Record]:
        """Return the next record to be done alone, or those that may be done together after all.

        Only to be called with nothing in hand: whatever dies now dies of this record.
        """
        first = self._waiting[0]
        partition = TopicPartition(first.topic, first.partition)
        if first.offset >= self._until[partition] and not self._opened:
            return self._released(partition)
        start = self._start_at(partition, first.offset)
        self._since = time.monotonic()
        tries = len(start.attempts.alone)
        if tries >= self._max_tries:
            self._waiting.popleft()
            return Alone(first, None)
        if not self._mark(partition, first.offset, start.attempts.begun_alone(self._process)):
            return []
        self._opened = False
        self._waiting.popleft()
        return Alone(first, tries)

    def _start_at(self, partition: TopicPartition, offset: int) -> CommittedAt:
        """Return what others left at an offset, up to which all is done."""
        start = self._committed.get(partition)
        return start if start is not None and start.offset == offset else CommittedAt(offset, Attempts())

    def _note_unpacked(self, partition: TopicPartition, record: Record) -> None:
        """What was unpacked is not to blame for the processes that ended."""
        start = self._committed.get(partition)
        if start is not None and record.damage is None and record.offset >= start.offset:
            self._committed[partition] = replace(start, attempts=start.attempts.unpacked())

    def _released(self, partition: TopicPartition) -> list[Record]:
        self._release(partition, self._waiting[0].offset)
        mine = [r for r in self._waiting if TopicPartition(r.topic, r.partition) == partition]
        self._waiting = deque(r for r in self._waiting if TopicPartition(r.topic, r.partition) != partition)
        return mine

    def _release(self, partition: TopicPartition, offset: int) -> None:
        """Stop suspecting a partition: it went further than any worker had in hand."""
        del self._until[partition]
        log.info("together_again", partition=partition.partition, offset=offset)
        self._together.add(partition)
