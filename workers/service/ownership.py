"""Notices partitions that nobody of the group reads, and has the group share them out again.

A member that is killed half-way through a rebalance and starts again in its slot gets the assignment back
that it had at that moment, without another rebalance: what it had given away by then, and nobody had taken
yet, is nobody's. The group is settled, each member is well, and those partitions would wait for ever.
"""

from __future__ import annotations

import time

import structlog
from kafka import TopicPartition

from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.settings import Settings
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.groupwatch import GroupWatch, Look
from spectraq.workers.transport.lag import label

SETTLED_S = 2.0
"""Who gives partitions away in a rebalance joins again within a turn or two of its loop. Where that takes
longer, sharing out again costs another rebalance and nothing else."""

NEXT_S = 2.0
"""So much later the next member, by the names of their slots, acts where the one before it does not."""

DOUBLINGS = 5
"""Each time that it was of no use all wait twice as long, up to a minute."""

STALE_S = 60.0

log = structlog.get_logger(__name__)


class Ownership:
    """Compares what Kafka says of the group with the topic's partitions, once a turn of the loop.

    Parameters
    ----------
    consumer, settings, metrics
        Of the worker.
    watch
        Asks Kafka.
    """

    def __init__(self, consumer: Consumer, watch: GroupWatch, settings: Settings, metrics: Metrics) -> None:
        self._consumer = consumer
        self._watch = watch
        self._topics = settings.topics
        self._slot = settings.worker.slot
        self._metrics = metrics
        self._generation = -1
        self._changed = 0.0  # when the generation did
        self._last_look: Look | None = None
        self._since: dict[TopicPartition, float] = {}  # when they were first seen without a reader
        self._ownerless: set[TopicPartition] = set()  # those that are told of
        self._in_vain = 0

    def look(self) -> str:
        """Return which partitions nobody reads, or an empty string; to be called once a turn."""
        if not self._consumer.joined:
            self._since = {}  # outside the group nothing can be done, and others look
            return self._sentence()
        self._note_generation()
        self._watch.revive()
        look = self._watch.latest
        if look is not None and look is not self._last_look:
            self._show_lags(look)
            if look.at > self._changed:
                self._judge(look)
        elif look is None and self._last_look is not None and time.monotonic() - self._last_look.at > STALE_S:
            self._metrics.group_lag.clear()  # better none than an old one
            self._metrics.ownerless.clear()
        self._last_look = look or self._last_look
        return self._sentence()

    def _note_generation(self) -> None:
        generation = self._consumer.membership.generation_id
        if generation == self._generation:
            return
        seen_s = (self._last_look.at - since for since in self._since.values() if self._last_look is not None)
        self._in_vain += any(seconds >= self._settled_s() for seconds in seen_s)
        self._generation, self._changed = generation, time.monotonic()
        self._since = {}
        self._watch.look_soon()

    def _judge(self, look: Look) -> None:
        group = look.group
        if not group.settled:
            self._since = {}
            return
        missed = {p for p, slot in group.owners.items() if slot == self._slot} - self._consumer.assignment
        unread = missed | {p for p, slot in group.owners.items() if slot is None}
        self._since = {partition: self._since.get(partition, look.at) for partition in unread}
        self._tell(look, {p for p, since in self._since.items() if look.at - since >= SETTLED_S})
        if not unread:
            self._in_vain = 0
            return
        before = sum(slot < self._slot for slot in group.members) if not missed else 0
        if look.at - min(self._since.values()) >= self._settled_s() + before * NEXT_S:
            self._metrics.rejoins.inc()
            self._consumer.join_again(f"nobody reads {self._names(unread)}")
            self._in_vain += 1
            self._since = {}

    def _settled_s(self) -> float:
        return SETTLED_S * float(2 ** min(self._in_vain, DOUBLINGS))

    def _tell(self, look: Look, overdue: set[TopicPartition]) -> None:
        before, self._ownerless = self._ownerless, (self._ownerless & set(self._since)) | overdue
        if self._ownerless - before:
            log.warning("partitions_ownerless", partitions=self._names(self._ownerless))
        if self._last_look is None or self._last_look.group.owners.keys() != look.group.owners.keys():
            self._metrics.ownerless.clear()
        for partition in look.group.owners:
            nobody = partition in self._ownerless
            self._metrics.ownerless.labels(label(self._topics, partition)).set(nobody)

    def _show_lags(self, look: Look) -> None:
        self._metrics.group_lag.clear()
        for partition, behind in look.lags.items():
            self._metrics.group_lag.labels(label(self._topics, partition)).set(behind.lag)

    def _sentence(self) -> str:
        return f"nobody reads {self._names(self._ownerless)}" if self._ownerless else ""

    def _names(self, partitions: set[TopicPartition]) -> str:
        names = ", ".join(label(self._topics, partition) for partition in sorted(partitions))
        return f"partition{'s' if len(partitions) > 1 else ''} {names}"
