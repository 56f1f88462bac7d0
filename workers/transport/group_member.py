"""A member of a consumer group: joins, reads, stays in the group, and leaves it.

What is read and how far is the business of those who are made of it: `consumer` reads spectra, others read
results.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress

import structlog
from kafka import TopicPartition
from kafka.errors import (
    FencedInstanceIdError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)
from kafka.structs import ConsumerGroupMetadata, MemberState

from spectraq.workers.errors import SlotTakenError, UnreachableError
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import KafkaSettings
from spectraq.workers.transport import client_repairs
from spectraq.workers.transport.connection import administrator, close_quietly
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_options import Assignor, Listener, Role, options
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import Committed, GroupOffsets, Offsets
from spectraq.workers.transport.reader import reader
from spectraq.workers.transport.retention_loss import Overtaken

log = structlog.get_logger(__name__)

JOINING_POLL_MS = 200
"""Shorter polls discard the answer to a request to join the group that arrives between two of them."""

LEAVING_S = 2.0
MARGIN_S = 2.0
"""A call that has a deadline of its own gets this much more before the watchdog gives it up."""


class GroupMember:
    """A member of a group, whose partitions it reads as `read_committed`.

    Parameters
    ----------
    kafka
        The settings in force.
    role
        Which group, under which names.
    topics
        Whose partitions the group shares out.
    epoch
        Moved at every change of the assignment.
    watchdog
        Watches each call.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.

    Attributes
    ----------
    offsets
        How far the group has come.
    trouble
        Why the last poll failed; empty where it did not.
    """

    def __init__(
        self, kafka: KafkaSettings, role: Role, topics: Sequence[str], epoch: Epoch, watchdog: Watchdog
    ) -> None:
        self._kafka = kafka
        self._role = role
        self._topics = tuple(topics)
        self._epoch = epoch
        self._watchdog = watchdog
        self._call_s = kafka.call_timeout_s
        self._membership: ConsumerGroupMetadata | None = None
        self._assignor = Assignor()
        with self._deadline("connecting", 2 * kafka.bootstrap_timeout_s):
            self._client = reader(kafka, options(kafka, role, self._assignor))
        self._was_silent = False
        self.trouble = ""
        self._overtaken = Overtaken(self._client)
        self.offsets = GroupOffsets(
            self._client, self._topics, role.slot, self._call_s, epoch, self._deadline
        )
        with self._deadline("subscribing"):
            self._subscribe()

    # -- the group -----------------------------------------------------------------------------------------

    @property
    def membership(self) -> ConsumerGroupMetadata:
        """Who we were in the group when `poll` last returned: what a transaction is fenced by."""
        return self._membership or ConsumerGroupMetadata(group_id=self._role.group_id)

    @property
    def joined(self) -> bool:
        """Whether the group has settled with us in it."""
        return bool(self.membership.state == MemberState.STABLE)

    @property
    def joining(self) -> bool:
        """Whether the client has begun to join the group and has no answer so far."""
        return client_repairs.is_joining(self._client)

    @property
    def assignment(self) -> set[TopicPartition]:
        """The partitions that are ours to read."""
        return set(self._client.assignment())

    @property
    def unseen(self) -> list[str]:
        """Topics that Kafka does not tell us of; it hides those that we may not read."""
        return [topic for topic in self._topics if not client_repairs.knows_topic(self._client, topic)]

    def subscribe_again(self, reason: str) -> None:
        """Leave the subscription and take it up again."""
        log.warning("subscribing_again", reason=reason)
        with self._deadline("subscribing again"):
            self._client.unsubscribe()
            self._subscribe()
        self._epoch.move("subscribed again")

    def join_again(self, reason: str) -> None:
        """Have the group share out its partitions; ours stay ours meanwhile."""
        log.warning("joining_again", reason=reason)
        self._assignor.ask()
        client_repairs.request_rejoin(self._client)

    # -- records -------------------------------------------------------------------------------------------

    def poll(self, timeout_s: float) -> list[Record]:
        """Read what has come, at most a batch; keeps us in the group even while partitions are on hold.

        A record batch that can't be read is among them, as a record with `damage`.

        Raises
        ------
        SlotTakenError
            Where another member has taken our slot.
        """
        timeout_ms = max(int(timeout_s * 1000), 0 if self.joined else JOINING_POLL_MS)
        client_repairs.let_go_of_used_up_records(self._client)
        self.trouble = ""
        try:
            with self._deadline("poll", self._kafka.session_timeout_s):
                polled = self._client.poll(timeout_ms=timeout_ms)
        except FencedInstanceIdError as error:
            raise SlotTakenError(self._role.slot) from error
        except NoOffsetForPartitionError:
            polled = {}  # just assigned: the epoch has moved, and who reads says where to begin
        except OffsetOutOfRangeError as error:
            self._go_on_after(error.args[0])
            polled = {}
        except KafkaError as error:
            log.warning("poll_failed", error=str(error))
            self.trouble = str(error)
            time.sleep(JOINING_POLL_MS / 1000)
            return []
        client_repairs.collect_finished_join(self._client)
        self._note_membership()
        self._look_for_a_usurper()
        return [record for records in polled.values() for record in records]

    def rewind(self) -> Committed | None:
        """Go back to the committed offset of every partition we own, and return them all.

        None where Kafka does not tell them.

        Kafka does not say while a transaction of a dead worker is still open, or while it is down. While we
        join the group it is not asked: it answers such a question only after the join, and a join that ends
        while we wait for something else is thrown away by the client and begun anew, for ever.
        """
        if self.joining:
            return None
        partitions = sorted(self.assignment)
        try:
            committed = self.offsets.committed(partitions)
        except KafkaError as error:
            log.warning("rewind_waits", error=str(error))
            return None
        self.seek({p: committed[p].offset if p in committed else None for p in partitions})
        return committed

    def seek(self, offsets: Mapping[TopicPartition, int | None]) -> None:
        """Go on at an offset of each partition; None: at its beginning."""
        for partition, offset in offsets.items():
            with suppress(ValueError, KafkaError):  # revoked at this moment: the epoch has moved
                if offset is None:
                    self._client.seek_to_beginning(partition)
                else:
                    self._client.seek(partition, offset)

    def fetch_all_but(self, held: Collection[TopicPartition]) -> None:
        """Stop fetching some of our partitions, and go on with the others.

        A rebalance forgets what was on hold, so this is said in every turn.
        """
        wanted, paused = self.assignment & set(held), set(self._client.paused())
        if wanted - paused:
            self._client.pause(*(wanted - paused))
        if paused - wanted:
            self._client.resume(*(paused - wanted))

    def ends(self, partitions: Collection[TopicPartition] | None = None) -> Offsets:
        """Return where partitions end: some, or all of the topics, whoever owns them.

        Raises
        ------
        UnreachableError
            Where Kafka does not say.
        """
        try:
            return self.offsets.ends(partitions)
        except KafkaError as error:
            raise UnreachableError(f"Kafka does not say where topics end: {error}") from error

    def has_reached(self, ends: Offsets) -> bool:
        """Return whether each of our partitions is read up to its end, of those that have one here."""
        if not self.joined or not self.assignment:
            return False
        positions = self.offsets.positions()
        return all(positions.get(p, 0) >= end for p, end in ends.items() if p in self.assignment)

    @property
    def overtaken(self) -> int:
        """Records that retention took away before they were read."""
        return self._overtaken.records

    # -- the end -------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Leave the group, so that others take our partitions now and not after the session timeout."""
        with self._deadline("closing the consumer"):
            close_quietly(self._client, autocommit=False, timeout_ms=int(self._call_s * 1000))
            if self._role.static:
                self._leave()

    def _leave(self) -> None:
        """A static member never says that it leaves, so an administrator has to."""
        from kafka.admin import MemberToRemove

        member = MemberToRemove(group_instance_id=self._role.slot, reason="clean stop")
        try:
            kafka = self._kafka.model_copy(update={"bootstrap_timeout_s": LEAVING_S})
            with administrator(kafka) as client:
                client.remove_group_members(self._role.group_id, [member])
        except Exception as error:
            log.info("left_without_saying_so", error=str(error))

    def _subscribe(self) -> None:
        self._client.subscribe(list(self._topics), listener=Listener(self._epoch))
        for topic in self._topics:
            # joining before the client knows the topic means joining again as soon as it does, and no more
            with suppress(KafkaConnectionError, KafkaTimeoutError):
                self._client.partitions_for_topic(topic)

    def _go_on_after(self, asked: dict[TopicPartition, int]) -> None:
        """Go on behind what retention took away."""
        try:
            with self._deadline("oldest offsets"):
                self._overtaken.go_on(asked, int(self._call_s * 1000))
        except KafkaError as error:
            self.trouble = str(error)

    def _note_membership(self) -> None:
        now = self._client.group_metadata()
        before, self._membership = self._membership, now
        if before is not None and _identity(before) != _identity(now):
            # a rebalance that leaves our partitions alone calls no listener, but fences what is in hand
            self._epoch.move("membership changed")

    def _look_for_a_usurper(self) -> None:
        """Raise where two polls in a row find the client's heartbeats stopped: its slot is taken.

        It would go on fetching for ever, and nothing it publishes or commits would count.
        """
        silent = self._role.static and client_repairs.heartbeats_have_stopped(self._client)
        if silent and self._was_silent:
            raise SlotTakenError(self._role.slot)
        self._was_silent = silent

    def _deadline(self, what: str, seconds: float | None = None) -> AbstractContextManager[None]:
        return self._watchdog.deadline((seconds or self._call_s) + MARGIN_S, f"{self._role.name}: {what}")


def _identity(membership: ConsumerGroupMetadata) -> tuple[int, str]:
    return membership.generation_id, membership.member_id
