"""How a member takes part in its group: the options of its client, and what a rebalance does to it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka import ConsumerRebalanceListener, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor

from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport.connection import client_options
from spectraq.workers.transport.epoch import Epoch

FETCH_MAX_BYTES = 16 << 20
PARTITION_BYTES = 1 << 20
"""Of one partition at once. The client hands all of it out before it turns to the next partition, so that
much of a huge one may stand before the others; and that much of each may be in memory."""

FETCH_MAX_WAIT_MS = 100


class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """Moves the epoch and does nothing else: the client's I/O thread must not wait."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Partitions came."""
        self._epoch.move("partitions assigned")

    def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Partitions went, in order."""
        self._epoch.move("partitions revoked")

    def on_partitions_lost(self, lost: set[TopicPartition]) -> None:
        """Partitions went while we were away."""
        self._epoch.move("partitions lost")


class Assignor(CooperativeStickyAssignor):  # type: ignore[misc]
    """Shares partitions out as its parent does, and again whenever a member asks for it.

    To a member that joins again with the words of the last time Kafka gives the assignment that it has; where
    one says anything new, the whole group joins and partitions are shared out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._words = b""

    def ask(self) -> None:
        """Say something new at the next join."""
        self._words = os.urandom(8)

    def metadata(self, topics: Iterable[str]) -> Any:
        """Return what this member says of itself when it joins."""
        said = super().metadata(topics)
        said.user_data = self._words
        return said


@dataclass(frozen=True, slots=True)
class Role:
    """Which group a member is of, and under which names.

    Attributes
    ----------
    name
        What it does there, in one word; with the slot it is what the broker's logs and quotas know.
    slot
        Which one of those that do it.
    group_id
        Of the group.
    poll_records
        That one poll gives at most.
    static
        Whether the slot is its name in the group, too, so that started again it gets its partitions back
        at once.
    together
        Whether the partitions of one number go to one member, whatever their topic.
    """

    name: str
    slot: str
    group_id: str
    poll_records: int
    static: bool
    together: bool = False


def options(kafka: KafkaSettings, role: Role, assignor: Assignor) -> dict[str, Any]:
    """Options of the client of a member."""
    return client_options(kafka, f"{role.name}-{role.slot}") | {
        "group_id": role.group_id,
        "group_instance_id": role.slot if role.static else None,
        "partition_assignment_strategy": [RangePartitionAssignor if role.together else assignor],
        "enable_auto_commit": False,
        "auto_offset_reset": "none",  # what retention took away must be said, not skipped
        "isolation_level": "read_committed",  # also makes committed offsets wait for open transactions
        "session_timeout_ms": int(kafka.session_timeout_s * 1000),
        "heartbeat_interval_ms": int(kafka.session_timeout_s * 1000 / 4),
        "max_poll_interval_ms": int(kafka.max_poll_interval_s * 1000),
        "max_poll_records": role.poll_records,
        "fetch_max_bytes": FETCH_MAX_BYTES,
        "max_partition_fetch_bytes": PARTITION_BYTES,
        "fetch_max_wait_ms": FETCH_MAX_WAIT_MS,
        "allow_auto_create_topics": False,
    }
