"""How far a group of workers is behind, and who reads what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import (
    CoordinatorLoadInProgressError,
    CoordinatorNotAvailableError,
    GroupIdNotFoundError,
    NotCoordinatorError,
)

from workers.settings import Settings
from workers.transport.connection import administrator

NO_GROUP_YET = (
    GroupIdNotFoundError,
    CoordinatorNotAvailableError,
    CoordinatorLoadInProgressError,
    NotCoordinatorError,
)
"""A new cluster has no coordinator until the first group joins."""


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of the spectra topic as its group sees it."""

    partition: int
    begin: int  # the oldest offset still kept
    end: int  # the offset of the next message to come
    committed: int | None  # None: the group has committed nothing here
    member: str | None  # slot of the worker that reads it; None: nobody

    @property
    def lag(self) -> int:
        """Messages between the commit and the end."""
        return max(self.end - max(self.committed or 0, self.begin), 0)


@dataclass(frozen=True, slots=True)
class GroupLag:
    """A whole group."""

    group_id: str
    state: str  # as Kafka names it: Stable, Empty, PreparingRebalance, ...
    members: tuple[str, ...]  # slots, sorted
    partitions: tuple[PartitionLag, ...]
    urgent: tuple[PartitionLag, ...] = ()  # of the topic whose spectra go first, where there is one

    @property
    def lag(self) -> int:
        """Messages that wait, over all partitions."""
        return sum(partition.lag for partition in (*self.partitions, *self.urgent))


def group_lag(settings: Settings) -> GroupLag:
    """Ask Kafka how far the group is behind.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    topics, group_id = settings.topics, settings.kafka.group_id
    with administrator(settings.kafka) as client:
        state, owners, members = _group(client, group_id)
        committed = _committed(client, group_id)
        found = [
            _partitions(client, topic, committed, owners) if topic else ()
            for topic in (topics.spectra, topics.priority)
        ]
    if not found[0]:
        return GroupLag(group_id, "Empty", (), ())
    return GroupLag(group_id, state, members, *found)


def _partitions(
    client: Any, topic: str, committed: dict[TopicPartition, int], owners: dict[TopicPartition, str]
) -> tuple[PartitionLag, ...]:
    (described,) = client.describe_topics([topic])
    partitions = [TopicPartition(topic, p["partition_index"]) for p in described["partitions"]]
    if not partitions:
        return ()
    begins = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.EARLIEST))
    ends = client.list_partition_offsets(dict.fromkeys(partitions, OffsetSpec.LATEST))
    return tuple(
        PartitionLag(
            partition.partition,
            begins[partition].offset,
            ends[partition].offset,
            committed.get(partition),
            owners.get(partition),
        )
        for partition in sorted(partitions)
    )


def _group(client: Any, group_id: str) -> tuple[str, dict[TopicPartition, str], tuple[str, ...]]:
    try:
        group = client.describe_groups([group_id])[group_id]
    except NO_GROUP_YET:
        return "Empty", {}, ()
    owners: dict[TopicPartition, str] = {}
    members = []
    for member in group["members"]:
        slot = member["group_instance_id"] or member["member_id"]
        members.append(slot)
        for assigned in (member["member_assignment"] or {}).get("assigned_partitions", []):
            for number in assigned["partitions"]:
                owners[TopicPartition(assigned["topic"], number)] = slot
    return group["group_state"], owners, tuple(sorted(members))


def _committed(client: Any, group_id: str) -> dict[TopicPartition, int]:
    try:
        offsets = client.list_group_offsets([group_id])[group_id]
    except NO_GROUP_YET:
        return {}
    return {partition: entry.offset for partition, entry in offsets.items() if entry.offset >= 0}
