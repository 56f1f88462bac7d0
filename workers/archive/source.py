"""The sink's end of the topics of results: joins its group, reads, begins where the tables say.

The group shares out the partitions and no more: what is read and not written is known by the tables alone. So
members have no static name, and what the group commits is for those who look at its lag.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError
from kafka.structs import MemberState

from spectraq.workers.errors import UnreachableError
from spectraq.workers.operations.watchdog import Watchdog, end_process
from spectraq.workers.settings import Settings
from spectraq.workers.transport import client_repairs
from spectraq.workers.transport.connection import administrator, close_quietly
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_options import Assignor, Listener, options
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.reader import reader
from spectraq.workers.transport.retention_loss import Overtaken

JOINING_POLL_MS = 200
"""Shorter polls discard the answer to a request to join the group that arrives between two of them."""
POLL_RECORDS = 1000
MOST_REJOINS = 2
MARGIN_S = 2.0

log = structlog.get_logger(__name__)


def topic_ids(settings: Settings, topics: list[str]) -> dict[str, str]:
    """Return the identity of each topic that exists; one that is made anew under its name has another.

    Raises
    ------
    UnreachableError
        Where the broker does not answer, or is older than 2.8 and tells none.
    """
    with administrator(settings.kafka) as client:
        described = client.describe_topics(topics)
    found = {topic["name"]: topic.get("topic_id") for topic in described if not topic["error_code"]}
    if unnamed := [name for name, identity in found.items() if identity is None]:
        raise UnreachableError(
            f"Kafka tells no identity of topic {unnamed[0]}; the archive needs Kafka 2.8 or newer"
        )
    return {name: str(identity) for name, identity in found.items()}


class ResultReader:
    """A member of the group of sinks.

    Parameters
    ----------
    settings
        The settings in force.
    topics
        Whose partitions are shared out.
    epoch
        Moved whenever the partitions are others.
    watchdog
        Watches each call.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.

    Attributes
    ----------
    trouble
        Why the last poll failed; empty where it did not.
    """

    def __init__(self, settings: Settings, topics: list[str], epoch: Epoch, watchdog: Watchdog) -> None:
        self._settings = settings
        self._topics = topics
        self._epoch = epoch
        self._watchdog = watchdog
        self._call_s = settings.kafka.call_timeout_s
        given = options(settings, Assignor()) | {
            "client_id": f"spectraq-sink-{settings.worker.slot}",
            "group_id": settings.archive.group_id,
            "group_instance_id": None,
            "max_poll_records": POLL_RECORDS,
        }
        with self._deadline("connecting", 2 * settings.kafka.bootstrap_timeout_s):
            self._client = reader(settings.kafka, given)
        self._overtaken = Overtaken(self._client)
        self._outside_since = time.monotonic()
        self._rejoins = 0
        self.trouble = ""
        self._client.subscribe(topics, listener=Listener(epoch))

    @property
    def joined(self) -> bool:
        """Whether the group has settled with us in it."""
        return bool(self._client.group_metadata().state == MemberState.STABLE)

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
            polled = {}  # just assigned: the epoch has moved, and the tables say where to begin
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
        self._stay_in_the_group()
        return [record for records in polled.values() for record in records]

    def seek(self, offsets: Mapping[TopicPartition, int | None]) -> None:
        """Go on at an offset of each partition; None: at its beginning."""
        for partition, offset in offsets.items():
            with suppress(AssertionError, KafkaError):  # revoked at this moment: the epoch has moved
                if offset is None:
                    self._client.seek_to_beginning(partition)
                else:
                    self._client.seek(partition, offset)

    def hold(self, full: bool) -> None:
        """Stop or go on fetching; a rebalance forgets what was on hold, so this is said in every turn."""
        assignment, paused = self.assignment, set(self._client.paused())
        if full and assignment - paused:
            self._client.pause(*(assignment - paused))
        if not full and paused:
            self._client.resume(*paused)

    def tell(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets to the group, for those who look at its lag; what fails is of no account."""
        entries = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        if entries and self.joined:
            with suppress(KafkaError):
                self._client.commit_async(entries)

    def ends(self) -> dict[TopicPartition, int]:
        """Return where each partition of the topics ends, whoever owns it.

        Raises
        ------
        UnreachableError
            Where Kafka does not say.
        """
        partitions = [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(self._client.partitions_for_topic(topic) or ())
        ]
        try:
            with self._deadline("end offsets"):
                ends: dict[TopicPartition, int] = self._client.end_offsets(partitions)
        except KafkaError as error:
            raise UnreachableError(f"Kafka does not say where topics end: {error}") from error
        return ends

    def position(self, partition: TopicPartition) -> int | None:
        """Return the offset that is read next; None where it is not known."""
        try:
            position: int | None = self._client.position(partition, timeout_ms=100)
        except (KafkaError, AssertionError):
            return None
        return position

    def lag(self) -> dict[TopicPartition, int]:
        """Return how many messages wait behind the position of each of our partitions, as far as known."""
        known = {p: (self._client.highwater(p), self.position(p)) for p in self.assignment}
        return {p: max(end - at, 0) for p, (end, at) in known.items() if end is not None and at is not None}

    def close(self) -> None:
        """Leave the group, so that others take our partitions now."""
        with self._deadline("closing the consumer"):
            close_quietly(self._client, autocommit=False, timeout_ms=int(self._call_s * 1000))

    def _go_on_after(self, asked: dict[TopicPartition, int]) -> None:
        try:
            with self._deadline("oldest offsets"):
                self._overtaken.go_on(asked, int(self._call_s * 1000))
                ends = self._client.end_offsets(list(asked))
        except KafkaError as error:
            self.trouble = str(error)
            return
        if beyond := [partition for partition, offset in asked.items() if offset > ends[partition]]:
            # a topic that was made anew has another identity, which the tables have no offsets of
            self.trouble = f"{beyond[0].topic} ends before what the archive has of it: was it made anew?"
            self._epoch.move("beyond the end")
            time.sleep(JOINING_POLL_MS / 1000)

    def _stay_in_the_group(self) -> None:
        now = time.monotonic()
        if self.joined:
            self._outside_since, self._rejoins = now, 0
        elif now - self._outside_since > self._settings.worker.rejoin_s:
            if self._rejoins >= MOST_REJOINS:
                end_process("the sink is outside its group")
            log.warning("subscribing_again", reason="outside the group")
            self._outside_since, self._rejoins = now, self._rejoins + 1
            with self._deadline("subscribing again"):
                self._client.unsubscribe()
                self._client.subscribe(self._topics, listener=Listener(self._epoch))
            self._epoch.move("subscribed again")

    @contextmanager
    def _deadline(self, what: str, seconds: float | None = None) -> Iterator[Any]:
        with self._watchdog.deadline((seconds or self._call_s) + MARGIN_S, f"sink: {what}"):
            yield
