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

from spectraq.workers.settings import Settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.connection import administrator

NO_GROUP_YET = (
    GroupIdNotFoundError,
    CoordinatorNotAvailableError,
    CoordinatorLoadInProgressError,
    NotCoordinatorError,
)
"""A new cluster has no coordinator until the first group joins."""

SETTLED = "Stable"
URGENT = "urgent-"


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
class GroupOwners:
    """Who of a group reads what."""

    state: str  # as Kafka names it: Stable, Empty, PreparingRebalance, ...
    members: tuple[str, ...]  # slots, sorted
    owners: dict[TopicPartition, str | None]  # of every partition of the topics; None: nobody

    @property
    def settled(self) -> bool:
        """Whether there are members, and none is joining or leaving."""
        return self.state == SETTLED and bool(self.members)


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

    @property
    def ownerless(self) -> tuple[str, ...]:
        """Partitions that nobody reads though the group has settled, named as by `label`."""
        if self.state != SETTLED or not self.members:
            return ()
        lanes = (("", self.partitions), (URGENT, self.urgent))
        return tuple(f"{lane}{p.partition}" for lane, lag in lanes for p in lag if p.member is None)


def label(topics: Topics, partition: TopicPartition) -> str:
    """Return the name of a partition in metrics and messages: its number, and whether it is urgent."""
    return f"{URGENT if partition.topic == topics.priority else ''}{partition.partition}"


def group_lag(settings: Settings) -> GroupLag:
    """Ask Kafka how far the group is behind.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    topics, group_id = settings.topics, settings.kafka.group_id
    with administrator(settings.kafka) as client:
        group = group_owners(client, settings)
        lags = partition_lags(client, settings, group)
    spectra = tuple(lag for partition, lag in lags.items() if partition.topic == topics.spectra)
    urgent = tuple(lag for partition, lag in lags.items() if partition.topic == topics.priority)
    if not spectra:
        return GroupLag(group_id, "Empty", (), ())
    return GroupLag(group_id, group.state, group.members, spectra, urgent)


def group_owners(client: Any, settings: Settings) -> GroupOwners:
    """Ask an administrator's client who of the group reads what.

    Raises
    ------
    KafkaError
        Where the broker does not answer.
    """
    state, owners, members = _group(client, settings.kafka.group_id)
    partitions = [
        TopicPartition(described["name"], partition["partition_index"])
        for described in client.describe_topics(settings.topics.of_spectra)
        for partition in described["partitions"]
    ]
    return GroupOwners(state, members, {partition: owners.get(partition) for partition in sorted(partitions)})


def partition_lags(
    client: Any, settings: Settings, group: GroupOwners, timeout_s: float | None = None
) -> dict[TopicPartition, PartitionLag]:
    """Ask an administrator's client how far the group is behind in each partition, whoever reads it.

    Raises
    ------
    KafkaError
        Where the broker does not answer, or a partition has no leader for `timeout_s`.
    """
    committed = _committed(client, settings.kafka.group_id)
    if not group.owners:
        return {}
    timeout_ms = None if timeout_s is None else int(timeout_s * 1000)
    begins, ends = (
        client.list_partition_offsets(dict.fromkeys(group.owners, spec), timeout_ms=timeout_ms)
        for spec in (OffsetSpec.EARLIEST, OffsetSpec.LATEST)
    )
    return {
        partition: PartitionLag(
            partition.partition,
            begins[partition].offset,
            ends[partition].offset,
            committed.get(partition),
            owner,
        )
        for partition, owner in group.owners.items()
    }


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
