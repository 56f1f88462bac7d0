"""The filters' end of the topics of results: joins the group, reads, goes back to what is committed.

All partitions of one number go to one member, since the results of a spectrum lie in those.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager

import structlog
from kafka import TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.structs import ConsumerGroupMetadata, MemberState

from spectraq.workers.errors import UnreachableError
from spectraq.workers.operations.watchdog import Watchdog, end_process
from spectraq.workers.settings import Settings
from spectraq.workers.transport import client_repairs
from spectraq.workers.transport.connection import close_quietly
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_options import Assignor, Listener, options
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import GroupOffsets, Offsets
from spectraq.workers.transport.reader import reader
from spectraq.workers.transport.retention_loss import Overtaken

JOINING_POLL_MS = 200
"""Shorter polls discard the answer to a request to join the group that arrives between two of them."""
POLL_RECORDS = 500
MOST_REJOINS = 2
MARGIN_S = 2.0

log = structlog.get_logger(__name__)


class ResultsReader:
    """A member of the group of filters.

    Parameters
    ----------
    settings
        The settings in force.
    topics
        Whose partitions are shared out.
    epoch
        Moved whenever the partitions or the membership are others.
    watchdog
        Watches each call.
    group_id
        Of the group; None: that of the filters.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.

    Attributes
    ----------
    trouble
        Why the last poll failed; empty where it did not.
    """

    def __init__(
        self,
        settings: Settings,
        topics: list[str],
        epoch: Epoch,
        watchdog: Watchdog,
        group_id: str | None = None,
    ) -> None:
        group_id = group_id or settings.filters.group_id
        self._settings = settings
        self._topics = topics
        self._epoch = epoch
        self._watchdog = watchdog
        self._call_s = settings.kafka.call_timeout_s
        given = options(settings, Assignor()) | {
            "client_id": f"spectraq-filters-{settings.worker.slot}",
            "group_id": group_id,
            "group_instance_id": None,
            "partition_assignment_strategy": [RangePartitionAssignor],
            "max_poll_records": POLL_RECORDS,
        }
        with self._deadline("connecting", 2 * settings.kafka.bootstrap_timeout_s):
            self._client = reader(settings.kafka, given)
        self._overtaken = Overtaken(self._client)
        self._offsets = GroupOffsets(self._client, settings, epoch, self._deadline)
        self._membership = ConsumerGroupMetadata(group_id=group_id)
        self._outside_since = time.monotonic()
        self._rejoins = 0
        self.trouble = ""
        self._client.subscribe(topics, listener=Listener(epoch))

    @property
    def membership(self) -> ConsumerGroupMetadata:
        """Who we were in the group when `poll` last returned: what a transaction is fenced by."""
        return self._membership

    @property
    def joined(self) -> bool:
        """Whether the group has settled with us in it."""
        return bool(self._membership.state == MemberState.STABLE)

    @property
    def assignment(self) -> set[TopicPartition]:
        """The partitions that are ours to read."""
        return set(self._client.assignment())

    @property
    def unseen(self) -> list[str]:
        """Topics that Kafka does not tell us of."""
        return [topic for topic in self._topics if not client_repairs.knows_topic(self._client, topic)]

    def poll(self, timeout_s: float) -> list[Record]:
        """Return what has come; keeps us in the group even while partitions are on hold."""
        timeout_ms = max(int(timeout_s * 1000), 0 if self.joined else JOINING_POLL_MS)
        client_repairs.let_go_of_used_up_records(self._client)
        try:
            with self._deadline("poll", self._settings.kafka.session_timeout_s):
                polled = self._client.poll(timeout_ms=timeout_ms)
        except NoOffsetForPartitionError:
            polled = {}  # just assigned: the epoch has moved, and `rewind` says where to begin
        except OffsetOutOfRangeError as error:
            self._go_on_after(error.args[0])
            polled = {}
        except KafkaError as error:
            log.warning("poll_failed", error=str(error))
            self.trouble = str(error)
            time.sleep(JOINING_POLL_MS / 1000)
            return []
        self.trouble = ""
        client_repairs.collect_finished_join(self._client)
        self._note_membership()
        self._stay_in_the_group()
        return [record for records in polled.values() for record in records]

    def rewind(self) -> Offsets | None:
        """Go back to the committed offset of every partition we own, and return where each begins.

        None where Kafka does not tell them, as while a transaction of a dead process is open.
        """
        if client_repairs.is_joining(self._client):
            return None
        partitions = sorted(self.assignment)
        try:
            committed = self._offsets.committed(partitions)
            with self._deadline("oldest offsets"):
                begins: Offsets = self._client.beginning_offsets(
                    [p for p in partitions if p not in committed], timeout_ms=int(self._call_s * 1000)
                )
            begins |= {partition: start.offset for partition, start in committed.items()}
            for partition, offset in begins.items():
                self._client.seek(partition, offset)
        except (KafkaError, AssertionError) as error:  # also: revoked at this moment
            log.warning("rewind_waits", error=str(error))
            return None
        return begins

    def fetch_all_but(self, held: Collection[TopicPartition]) -> None:
        """Stop fetching some of our partitions, and go on with the others.

        A rebalance forgets what was on hold, so this is said in every turn.
        """
        wanted, paused = self.assignment & set(held), set(self._client.paused())
        if wanted - paused:
            self._client.pause(*(wanted - paused))
        if paused - wanted:
            self._client.resume(*(paused - wanted))

    def positions(self) -> Offsets:
        """Return where the next fetch of each of our partitions begins."""
        return self._offsets.positions()

    def commit(self, offsets: Offsets) -> bool:
        """Commit the next offsets; where that fails the epoch moves."""
        return self._offsets.commit(offsets)

    def lag(self) -> Offsets:
        """Return how many messages wait behind the last fetch of each of our partitions."""
        return self._offsets.lag()

    def ends(self, partitions: Collection[TopicPartition]) -> Offsets:
        """Ask Kafka where partitions end, as those see it who read what is committed.

        Raises
        ------
        UnreachableError
            Where it does not say.
        """
        if not partitions:
            return {}
        try:
            with self._deadline("end offsets"):
                ends: Offsets = self._client.end_offsets(
                    list(partitions), timeout_ms=int(self._call_s * 1000)
                )
        except KafkaError as error:
            raise UnreachableError(f"Kafka does not say where topics end: {error}") from error
        return ends

    def partitions(self) -> dict[str, set[int]]:
        """Return the partition numbers of each topic, as far as known."""
        with self._deadline("partitions"):
            return {topic: set(self._client.partitions_for_topic(topic) or ()) for topic in self._topics}

    def close(self) -> None:
        """Leave the group, so that others take our partitions now."""
        with self._deadline("closing the consumer"):
            close_quietly(self._client, autocommit=False, timeout_ms=int(self._call_s * 1000))

    def _note_membership(self) -> None:
        now = self._client.group_metadata()
        before, self._membership = self._membership, now
        if (before.generation_id, before.member_id) != (now.generation_id, now.member_id):
            # a rebalance that leaves our partitions alone calls no listener, but fences what is in hand
            self._epoch.move("membership changed")

    def _go_on_after(self, asked: dict[TopicPartition, int]) -> None:
        try:
            with self._deadline("oldest offsets"):
                self._overtaken.go_on(asked, int(self._call_s * 1000))
        except KafkaError as error:
            self.trouble = str(error)

    def _stay_in_the_group(self) -> None:
        now = time.monotonic()
        if self.joined:
            self._outside_since, self._rejoins = now, 0
        elif now - self._outside_since > self._settings.worker.rejoin_s:
            if self._rejoins >= MOST_REJOINS:
                end_process("filters are outside their group")
            log.warning("subscribing_again", reason="outside the group")
            self._outside_since, self._rejoins = now, self._rejoins + 1
            with self._deadline("subscribing again"):
                self._client.unsubscribe()
                self._client.subscribe(self._topics, listener=Listener(self._epoch))
            self._epoch.move("subscribed again")

    @contextmanager
    def _deadline(self, what: str, seconds: float | None = None) -> Iterator[None]:
        with self._watchdog.deadline((seconds or self._call_s) + MARGIN_S, f"filters: {what}"):
            yield
