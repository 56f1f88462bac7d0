"""How far the work has come: batches in hand, what became of each, and the offsets that may be committed."""

from __future__ import annotations

import queue
import time

import structlog
from kafka.errors import KafkaError

from spectraq.workers.service.batcher import Batch
from spectraq.workers.service.ledger import Ledger
from spectraq.workers.service.progress import Progress
from spectraq.workers.service.publish_stage import Outcome
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.offsets import Committed, Offsets
from spectraq.workers.transport.producer import Producer
from spectraq.workers.transport.stall_watch import StallWatch

DRAINED_ASKED_S = 0.5

log = structlog.get_logger(__name__)


class Checkpoint:
    """Enters settled batches into the ledger, and commits what the producer does not.

    Parameters
    ----------
    consumer
        Whose offsets are committed.
    producer
        Publishes; exactly once, it commits the offsets of what it publishes itself.
    epoch
        Of the assignment: nothing that was read in an older one is committed.
    ledger, progress, stalls
        Told what became of each batch.
    """

    def __init__(
        self,
        consumer: Consumer,
        producer: Producer,
        epoch: Epoch,
        ledger: Ledger,
        progress: Progress,
        stalls: StallWatch,
    ) -> None:
        self.epoch = -1  # the one whose records are in hand; the first turn of the loop begins one
        self._consumer = consumer
        self._producer = producer
        self._assignment_epoch = epoch
        self._ledger = ledger
        self._progress = progress
        self._stalls = stalls
        self._in_hand: dict[int, int] = {}  # records of each batch that is handed over and not settled
        self._outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        self._committed: Offsets = {}  # of our partitions, as far as we know
        self._ends_at_start: Offsets | None = None
        self._drained_asked = 0.0

    @property
    def current(self) -> bool:
        """Whether what is in hand is still ours to publish."""
        return self.epoch == self._assignment_epoch.value

    @property
    def records(self) -> int:
        """Records that are handed over and not settled."""
        return sum(self._in_hand.values())

    def begin(self, epoch: int, committed: Committed) -> None:
        """Begin an epoch at the committed offsets."""
        self.epoch = epoch
        self._committed = {partition: start.offset for partition, start in committed.items()}

    def hand_over(self, batch: Batch) -> None:
        """Note that a batch is in hand until its outcome is reported."""
        self._in_hand[batch.number] = len(batch.items)

    def report(self, outcome: Outcome) -> None:
        """Take what became of a batch, from any thread."""
        self._outcomes.put(outcome)

    def settle(self) -> None:
        """Enter what became of each batch into the ledger, and commit what the producer did not."""
        offsets: Offsets = {}
        while not self._outcomes.empty():
            outcome = self._outcomes.get()
            records = self._in_hand.pop(outcome.batch.number)
            if outcome.published is None:
                self._ledger.give_back(records)
                continue
            self._progress.published(outcome.published)
            self._stalls.progress()
            if outcome.batch.epoch == self._assignment_epoch.value:
                offsets |= outcome.batch.offsets
        if offsets and (self._producer.commits or self._consumer.offsets.commit(offsets)):
            self._committed |= offsets

    def commit_positions(self) -> None:
        """With nothing in hand, commit past the markers that transactions leave behind the last record."""
        positions = self._consumer.offsets.positions()
        ahead = {p: offset for p, offset in positions.items() if offset > self._committed.get(p, 0)}
        if ahead and self.current and self._consumer.offsets.commit(ahead):
            self._committed |= ahead

    def drained(self, idle: bool) -> bool:
        """Return whether all that was there at the start is committed; Kafka is asked twice a second.

        Parameters
        ----------
        idle
            Whether nothing at all is in hand.
        """
        now = time.monotonic()
        if self._ends_at_start is not None and (not idle or now - self._drained_asked < DRAINED_ASKED_S):
            return False
        self._drained_asked = now
        try:
            if self._ends_at_start is None:
                self._ends_at_start = self._consumer.offsets.ends()
            others = sorted(set(self._ends_at_start) - set(self._committed))
            theirs = {p: start.offset for p, start in self._consumer.offsets.committed(others).items()}
        except KafkaError as error:
            log.warning("end_not_known", error=str(error))
            return False
        committed = self._committed | theirs
        return idle and all(committed.get(p, 0) >= end for p, end in self._ends_at_start.items())
