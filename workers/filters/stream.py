"""Filters on the stream: results come in from Kafka, what passes goes out to the topic of each filter.

What passed and the offsets behind it are one transaction. Nothing else is kept: where anything goes wrong all
in hand is dropped, and read again from the offsets that Kafka has.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import structlog
from kafka import TopicPartition

from spectraq.workers.errors import DeliveryError, SettingsError, SpectraqError, UnreachableError
from spectraq.workers.filters.expression import Vocabulary
from spectraq.workers.filters.joined import Joined, JoinedResults
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.passage import Passage
from spectraq.workers.filters.result_records import result_records
from spectraq.workers.filters.source import FilterReader
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Headers, Outgoing
from spectraq.workers.transport.producer import ExactlyOnce
from spectraq.workers.transport.stall_watch import StallWatch
from spectraq.workers.transport.topics import ensure_topics, filtered_topics

POLL_S = 0.1
IDLE_COMMIT_S = 2.0
"""Offsets behind which nothing passed are committed this often."""
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
LAG_S = 5.0
HEADERS: Headers = (("content-type", b"application/json"), ("schema", b"Filtered/1.0"))

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Filtered:
    """What filters have done."""

    spectra: int = 0
    messages: int = 0

    def __str__(self) -> str:
        return f"{self.spectra} spectra, {self.messages} messages"


def run(
    settings: Settings,
    stop: threading.Event,
    *,
    until_drained: bool = False,
    metrics: FilterMetrics | None = None,
    health: Health | None = None,
) -> Filtered:
    """Ask the filters of the settings of all results until told to stop, or until all there was is done.

    Parameters
    ----------
    settings
        The settings in force.
    stop
        When set, what is in hand is published, and the group is left.
    until_drained
        Also stop once all that the topics held at the start is done.
    metrics, health
        To be shown to the outside; made here where nobody looks.

    Raises
    ------
    SettingsError
        Where there is no filter, or one can't be.
    UnreachableError
        Where Kafka does not answer at the start, or lacks a topic; later outages are waited for.
    """
    metrics = metrics or FilterMetrics()
    with ExitStack() as closing:
        stream = Stream(settings, metrics, health or Health(metrics), closing)
        stream.work(stop, until_drained)
    return stream.done


def of_filters(settings: Settings) -> Settings:
    """Return the settings as a producer of filters takes them: the group is theirs."""
    kafka = settings.kafka.model_copy(update={"group_id": settings.filters.group_id})
    worker = settings.worker.model_copy(update={"slot": f"filters-{settings.worker.slot}"})
    return settings.model_copy(update={"kafka": kafka, "worker": worker})


class Stream:
    """The loop and what it holds; `run` makes one and has it work.

    Parameters
    ----------
    closing
        Takes what has to be closed at the end, the last opened first.
    """

    def __init__(
        self, settings: Settings, metrics: FilterMetrics, health: Health, closing: ExitStack
    ) -> None:
        self.done = Filtered()
        self._settings = settings
        self._filters = settings.filters
        self._metrics = metrics
        self._health = health
        if not self._filters.named:
            raise SettingsError("there is no filter: write its expression in the settings, at [filters.NAME]")
        records = result_records(settings)
        self._passage = Passage(self._filters, Vocabulary(records), metrics)
        self._epoch = Epoch(lambda reason: log.info("epoch_moved", reason=reason))
        self._mine = -1  # the epoch whose messages are in hand
        self._joined = JoinedResults(settings, records, self._passage.records, metrics)
        self._outgoing: list[Outgoing] = []
        self._times_ms: list[int] = []
        self._committed: dict[TopicPartition, int] = {}
        self._published_at = time.monotonic()
        self._lag_at = 0.0
        self._ends: dict[TopicPartition, int] | None = None
        self._watchdog = Watchdog().start()
        closing.callback(self._watchdog.stop)
        self._reader = FilterReader(settings, self._joined.topics, self._epoch, self._watchdog)
        closing.callback(self._reader.close)
        self._stalls = StallWatch(self._reader, settings.worker)
        self._check_partitions()
        published = filtered_topics(settings)
        ensure_topics(settings, published)
        self._producer = ExactlyOnce(of_filters(settings), self._watchdog, published)
        closing.callback(self._producer.close)

    def work(self, stop: threading.Event, until_drained: bool) -> None:
        """Turn until told to stop, then publish what is in hand."""
        log.info("filters_start", filters=sorted(self._filters.named), topics=self._joined.topics)
        self._health.trouble("worker", "")
        if until_drained:
            self._ends = self._reader.ends()
        while not stop.is_set():
            self._turn(stop)
            if until_drained and self._drained():
                break
        self._health.trouble("worker", "stopping")
        if self._mine == self._epoch.value:
            self._publish(stop)
        log.info("stopped", result=str(self.done))

    def _turn(self, stop: threading.Event) -> None:
        self._health.turned()
        if self._mine != self._epoch.value:
            self._begin_again()
        mine, assignment = self._mine == self._epoch.value, self._reader.assignment
        held = self._joined.unwanted(assignment) if mine else assignment
        self._reader.fetch_all_but(held)
        records = self._reader.poll(POLL_S)
        if records:
            self._stalls.progress()
        if self._mine == self._epoch.value:
            self._joined.take(records)
            self._look_where_topics_end()
            self._ask()
            if self._is_due:
                self._publish(stop)
        self._tell_health(in_hand=bool(held))

    def _begin_again(self) -> None:
        """Drop what is in hand, and go on where the group stands."""
        self._outgoing, self._times_ms = [], []
        epoch = self._epoch.value
        begins = self._reader.begins()
        if begins is not None and (self._reader.joined or begins):
            self._joined.begin(begins)
            self._committed = begins
            self._mine = epoch

    def _look_where_topics_end(self) -> None:
        self._joined.note_positions(self._reader.offsets.positions())
        asked = self._joined.asks()
        if not asked:
            return
        now = time.monotonic()
        try:
            self._joined.note_ends(self._reader.ends(asked), now)
        except UnreachableError as error:
            log.warning("ends_unknown", error=str(error))

    def _ask(self) -> None:
        """Ask all filters of the spectra whose results are together."""
        for joined in self._joined.ready():
            self.done.spectra += 1
            passed = self._passage.passed(joined.fields)
            if passed:
                self._times_ms.append(joined.time_ms)
            self._outgoing += [self._message(name, joined) for name in passed]

    def _message(self, name: str, joined: Joined) -> Outgoing:
        body = joined.filtered(name, self._passage.digest(name)).to_json()
        topic = self._filters.topic_of(name)
        return Outgoing(topic, joined.work.spectrum_id.encode(), body, HEADERS)

    # -- publishing ----------------------------------------------------------------------------------------

    @property
    def _is_due(self) -> bool:
        waited = time.monotonic() - self._published_at
        return waited >= (self._filters.commit_s if self._outgoing else IDLE_COMMIT_S)

    def _publish(self, stop: threading.Event) -> None:
        """Publish what passed, and commit how far that is, in one transaction."""
        self._passage.tell()
        offsets = self._joined.offsets()
        moved = {p: offset for p, offset in offsets.items() if self._committed.get(p) != offset}
        self._published_at = time.monotonic()
        if not moved and not self._outgoing:
            return
        try:
            self._producer.publish(self._outgoing, moved, self._reader.membership)
        except DeliveryError as error:
            self._metrics.failures.inc()
            log.warning("publish_failed", error=str(error), messages=len(self._outgoing))
            self._renew(str(error), stop)
            self._epoch.move("publish failed")
            return
        self._committed |= moved
        self.done.messages += len(self._outgoing)
        now_ms = time.time() * 1000
        for time_ms in self._times_ms:
            self._metrics.latency_seconds.observe(max(now_ms - time_ms, 0.0) / 1000)
        self._outgoing, self._times_ms = [], []
        self._health.trouble("publishing", "")

    def _renew(self, why: str, stop: threading.Event) -> None:
        """Connect a new producer, however long Kafka is away."""
        rest_s = FIRST_REST_S
        self._health.trouble("publishing", why)
        while True:
            try:
                self._producer.renew()
                return
            except SpectraqError as error:
                log.warning("publisher_waits", error=str(error), next_try_s=rest_s)
                self._health.trouble("publishing", str(error))
            self._health.turned()
            if stop.wait(rest_s):
                return
            rest_s = min(2 * rest_s, LONGEST_REST_S)

    # -- the rest ------------------------------------------------------------------------------------------

    def _check_partitions(self) -> None:
        """See that the results of a spectrum lie in partitions of one number."""
        counts = {topic: len(numbers) for topic, numbers in self._reader.partitions().items()}
        if missing := [topic for topic, count in counts.items() if not count]:
            raise UnreachableError(
                f"Kafka has no topic {', '.join(missing)}; make it with `spectraq topics create`"
            )
        if len(set(counts.values())) > 1:
            said = ", ".join(f"{topic} has {count}" for topic, count in counts.items())
            raise SettingsError(f"topics of results differ in their partitions: {said}; give them the same")

    def _drained(self) -> bool:
        is_current = self._mine == self._epoch.value
        return is_current and self._reader.has_reached(self._ends or {}) and self._joined.is_empty

    def _tell_health(self, in_hand: bool) -> None:
        self._health.trouble("Kafka", self._stalls.look(in_hand))
        unseen: Sequence[str] = self._reader.unseen
        self._health.notice("topics", f"there is no {', '.join(unseen)}" if unseen else "")
        if time.monotonic() - self._lag_at > LAG_S and self._mine == self._epoch.value:
            self._lag_at = time.monotonic()
            for partition, behind in self._reader.offsets.lag().items():
                self._metrics.lag.labels(partition.topic, partition.partition).set(behind)
