"""How far the group has come in each partition: what is committed, what is read, and where it ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import FencedInstanceIdError, KafkaError, KafkaTimeoutError

from spectraq.workers.errors import SlotTakenError
from spectraq.workers.transport.crash_marks import Attempts
from spectraq.workers.transport.epoch import Epoch

Offsets = dict[TopicPartition, int]
"""The offset of the next record to read, by partition."""


@dataclass(frozen=True, slots=True)
class CommittedAt:
    """Where the group stands in one partition, and what was begun after that."""

    offset: int
    attempts: Attempts


Committed = dict[TopicPartition, CommittedAt]

COMMITTED_S = 2.0
"""Committed offsets are asked for again after this, with a poll between that keeps us in the group."""


class GroupOffsets:
    """Offsets of the partitions of a member of the group.

    Parameters
    ----------
    client
        The member's.
    topics
        Of the group.
    slot
        The member's.
    call_s
        Time for a call.
    epoch
        Moved where a commit fails.
    deadline
        Watches a call of this name.
    """

    def __init__(
        self,
        client: KafkaConsumer,
        topics: Sequence[str],
        slot: str,
        call_s: float,
        epoch: Epoch,
        deadline: Callable[[str], AbstractContextManager[object]],
    ) -> None:
        self._client = client
        self._topics = topics
        self._slot = slot
        self._call_s = call_s
        self._epoch = epoch
        self._deadline = deadline

    def commit(self, offsets: Offsets) -> bool:
        """Commit the next offsets; where that fails the epoch moves and the work is done again."""
        return self._commit({p: OffsetAndMetadata(offset, "", -1) for p, offset in offsets.items()})

    def mark(self, partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        """Write beside a committed offset what is begun after it; fails as `commit` does."""
        return self._commit({partition: OffsetAndMetadata(offset, str(attempts), -1)})

    def committed(self, partitions: list[TopicPartition]) -> Committed:
        """Ask Kafka where the group stands; partitions of which it has committed nothing are left out.

        Raises
        ------
        KafkaError
            Where it does not answer, or a transaction over these offsets is still open.
        """
        deadline = time.monotonic() + min(self._call_s, COMMITTED_S)
        committed: Committed = {}
        for partition in partitions:
            remaining_ms = int((deadline - time.monotonic()) * 1000)
            if remaining_ms <= 0:
                raise KafkaTimeoutError("the committed offsets are not known yet")
            with self._deadline("committed offsets"):
                start = self._client.committed(partition, metadata=True, timeout_ms=remaining_ms)
            if start is not None:
                committed[partition] = CommittedAt(start.offset, Attempts.parse(start.metadata))
        return committed

    def positions(self) -> Offsets:
        """Return where the next fetch begins: past the markers of transactions behind the last record."""
        positions: Offsets = {}
        for partition in self._client.assignment():
            try:
                position = self._client.position(partition, timeout_ms=100)
            except KafkaError:
                continue  # not known yet
            if position is not None:
                positions[partition] = position
        return positions

    def lag(self) -> Offsets:
        """Records behind the last fetch's high watermark, by partition."""
        behind: Offsets = {}
        for partition, position in self.positions().items():
            end = self._client.highwater(partition)
            if end is not None:
                behind[partition] = max(end - position, 0)
        return behind

    def ends(self, partitions: Collection[TopicPartition] | None = None) -> Offsets:
        """Ask Kafka where partitions end: some, or all of the topics, whoever owns them.

        Raises
        ------
        KafkaError
            Where it does not answer.
        """
        with self._deadline("end offsets"):
            asked = self._partitions() if partitions is None else list(partitions)
            ends: Offsets = self._client.end_offsets(asked, timeout_ms=int(self._call_s * 1000))
        return ends

    def _partitions(self) -> list[TopicPartition]:
        """Return every partition of the topics."""
        return [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(self._client.partitions_for_topic(topic) or set())
        ]

    def _commit(self, entries: dict[TopicPartition, OffsetAndMetadata]) -> bool:
        try:
            with self._deadline("commit"):
                self._client.commit(entries, timeout_ms=int(self._call_s * 1000))
        except FencedInstanceIdError as error:
            raise SlotTakenError(self._slot) from error
        except KafkaError as error:
            self._epoch.move(f"commit failed: {type(error).__name__}")
            return False
        return True
