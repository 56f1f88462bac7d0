"""The sink: results come in from Kafka, rows go out to tables, each once.

What is in hand is rows and the offsets behind them. Both are written in one transaction of a table, and where
anything goes wrong, in Kafka or in the table, all in hand is dropped and read again from the offsets that the
tables hold. No other state is kept anywhere.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
from kafka import TopicPartition

from spectraq.schemas.codec import DecodeError, decode
from spectraq.schemas.message import Message
from spectraq.schemas.results import Result
from spectraq.workers.archive.columns import KINDS, UNREADABLE, row_of, row_of_unreadable
from spectraq.workers.archive.compaction import Compaction
from spectraq.workers.archive.metrics import SinkMetrics
from spectraq.workers.archive.pending import Pending
from spectraq.workers.archive.remembered import Remembered
from spectraq.workers.archive.source import ResultReader, topic_ids
from spectraq.workers.archive.storage import storage_options
from spectraq.workers.archive.table import ArchiveTable, RefusedError, Source
from spectraq.workers.errors import DeliveryError, UnreachableError
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.stall_watch import StallWatch

POLL_S = 0.2
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
LAG_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Written:
    """What a sink has done."""

    rows: int = 0
    duplicates: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.duplicates} duplicates left out, {self.unreadable} unreadable"


def archived_tables(settings: Settings) -> list[str]:
    """Return the names of the tables that the settings ask for."""
    return [name for name in KINDS if name != "models" or settings.archive.models]


def run(
    settings: Settings,
    url: str,
    stop: threading.Event,
    *,
    until_drained: bool = False,
    metrics: SinkMetrics | None = None,
    health: Health | None = None,
) -> Written:
    """Write results to tables until told to stop, or until all that was there at the start is written.

    Parameters
    ----------
    settings
        The settings in force.
    url
        Folder or address of the archive.
    stop
        When set, what is in hand is written, and the sink leaves its group.
    until_drained
        Also stop once all that the topics held at the start is written; of several sinks each waits for its
        own partitions.
    metrics, health
        To be shown to the outside; made here where nobody looks.

    Raises
    ------
    SettingsError
        Where the tables can't be opened or made.
    UnreachableError
        Where Kafka does not answer at the start; later outages are waited for.
    """
    metrics = metrics or SinkMetrics()
    with ExitStack() as closing:
        sink = Sink(settings, url, metrics, health or Health(metrics), closing)
        sink.work(stop, until_drained)
    return sink.written


class Sink:
    """The loop and what it holds; `run` makes one and has it work.

    Parameters
    ----------
    closing
        Takes what has to be closed at the end, the last opened first.
    """

    def __init__(
        self, settings: Settings, url: str, metrics: SinkMetrics, health: Health, closing: ExitStack
    ) -> None:
        self.written = Written()
        self._settings = settings
        self._archive = settings.archive
        self._metrics = metrics
        self._health = health
        names = archived_tables(settings)
        self._tables = {getattr(settings.topics, name): name for name in names}
        storage = storage_options(self._archive)
        self._pending = {
            name: Pending(ArchiveTable(url, name, self._archive.partition_by, storage))
            for name in (UNREADABLE, *names)  # in this order they are written
        }
        self._epoch = Epoch(lambda reason: log.info("epoch_moved", reason=reason))
        self._mine = -1  # the epoch whose messages are in hand
        self._ids: dict[str, str] = {}
        self._next: dict[TopicPartition, int] = {}  # behind what is written or in hand
        self._strange_next = dict(self._next)  # the same of what is no result, which is written before
        self._remembered: dict[TopicPartition, Remembered] = {}
        self._ends: dict[TopicPartition, int] | None = None
        self._rest_s, self._resting_until = FIRST_REST_S, 0.0
        self._lag_at = 0.0
        self._watchdog = Watchdog().start()
        closing.callback(self._watchdog.stop)
        self._compaction = Compaction(
            [pending.table.name for pending in self._pending.values()], url, self._archive, storage
        )
        closing.callback(self._compaction.stop)
        self._reader = ResultReader(settings, list(self._tables), self._epoch, self._watchdog)
        closing.callback(self._reader.close)
        self._stalls = StallWatch(self._reader, settings.worker)

    def work(self, stop: threading.Event, until_drained: bool) -> None:
        """Turn until told to stop, then write what is in hand."""
        log.info("sink_starts", tables=list(self._pending), until_drained=until_drained)
        self._health.trouble("worker", "")
        if until_drained:
            self._ends = self._reader.ends()
        while not stop.is_set():
            self._turn()
            if until_drained and self._drained():
                break
        self._health.trouble("worker", "stopping")
        if self._mine == self._epoch.value:
            self._write()
        log.info("stopped", result=str(self.written))

    def _turn(self) -> None:
        self._health.turned()
        if self._mine != self._epoch.value:
            self._begin_again()
        is_waiting = self._is_full or self._mine != self._epoch.value
        self._reader.fetch_all_but(self._reader.assignment if is_waiting else ())
        records = self._reader.poll(POLL_S)
        if records:
            self._stalls.progress()
        if self._mine == self._epoch.value:
            self._take(records)
            if self._is_due:
                self._write()
        self._tell_health(is_waiting)

    # -- reading -------------------------------------------------------------------------------------------

    def _begin_again(self) -> None:
        """Drop what is in hand, and go on where the tables say."""
        for pending in self._pending.values():
            pending.drop()
        if time.monotonic() < self._resting_until:
            return
        epoch = self._epoch.value
        partitions = self._reader.assignment
        try:
            self._ids = topic_ids(self._settings, list(self._tables))
            if unknown := {p.topic for p in partitions} - set(self._ids):
                raise UnreachableError(f"Kafka does not know topic {unknown.pop()}, which it gave us to read")
            for pending in self._pending.values():
                pending.table.refresh()
            begins = {p: self._table(p.topic).next_offset(self._source(p)) for p in partitions}
            strange = self._pending[UNREADABLE].table
            self._strange_next = {p: strange.next_offset(self._source(p)) or 0 for p in partitions}
            self._remember(begins)
        except (DeliveryError, UnreachableError) as error:
            self._fail("the archive" if isinstance(error, DeliveryError) else "Kafka", error)
            return
        self._next = {p: begin or 0 for p, begin in begins.items()}
        self._reader.seek(begins)
        self._mine = epoch

    def _remember(self, begins: dict[TopicPartition, int | None]) -> None:
        """Learn the results that each partition had last."""
        self._remembered = {p: Remembered(self._archive.remembered) for p in begins}
        for topic, name in self._tables.items():
            ends = {self._source(p): end for p, end in begins.items() if end and p.topic == topic}
            rows = sorted(self._pending[name].table.remembered(ends, self._archive.remembered))
            for number, group in groupby(rows, key=lambda row: row[0]):
                known = ((offset, result_id) for _, offset, result_id in group)
                self._remembered[TopicPartition(topic, number)].learn(known)

    def _take(self, records: Sequence[Record]) -> None:
        ordered = sorted(records, key=lambda record: record.topic)
        for topic, of_topic in groupby(ordered, key=lambda record: record.topic):
            name = self._tables[topic]
            rows: list[dict[str, Any]] = []
            strange: list[dict[str, Any]] = []
            offsets: dict[Source, int] = {}
            for record in of_topic:
                partition = TopicPartition(record.topic, record.partition)
                if partition not in self._next or record.offset < self._next[partition]:
                    continue  # revoked at this moment, or there already
                self._next[partition] = offsets[self._source(partition)] = record.next_offset
                self._sort(name, partition, record, rows, strange)
            self._pending[name].add(rows, offsets)
            self._pending[UNREADABLE].add(strange, offsets if strange else {})

    def _sort(
        self,
        name: str,
        partition: TopicPartition,
        record: Record,
        rows: list[dict[str, Any]],
        strange: list[dict[str, Any]],
    ) -> None:
        """Add a message to the rows of its table, to those of what is none, or to neither."""
        try:
            message = _message_of(record, KINDS[name])
            if isinstance(message, Result) and not self._remembered[partition].is_new(
                record.offset, message.result_id
            ):
                self.written.duplicates += 1
                self._metrics.duplicates.labels(name).inc()
                return
            rows.append(row_of(record, message))
        except DecodeError as error:
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            if record.offset < self._strange_next[partition]:
                return
            log.warning("no_result", **place, reason=str(error.reason), message=str(error))
            strange.append(row_of_unreadable(record, str(error.reason), str(error)))
            self.written.unreadable += 1
            self._metrics.unreadable.labels(name).inc()

    # -- writing -------------------------------------------------------------------------------------------

    @property
    def _is_full(self) -> bool:
        rows = sum(pending.rows for pending in self._pending.values())
        size = sum(pending.bytes for pending in self._pending.values())
        return rows >= self._archive.commit_rows or size >= self._archive.commit_bytes

    @property
    def _is_due(self) -> bool:
        begun = [pending.since for pending in self._pending.values() if pending.since is not None]
        waited = bool(begun) and time.monotonic() - min(begun) >= self._archive.commit_s
        return self._is_full or waited

    def _write(self) -> None:
        """Write what is in hand, table by table; where that fails it is read again, after a rest."""
        begun = time.monotonic()
        try:
            for name, pending in self._pending.items():
                rows, any_message = pending.rows, pending.since is not None
                pending.write()
                if any_message:
                    self.written.rows += rows if name != UNREADABLE else 0
                    self._metrics.rows.labels(name).inc(rows)
                    self._metrics.commits.labels(name).inc()
        except RefusedError as error:
            log.info("commit_refused", error=str(error))
            self._epoch.move("another sink wrote")
            return
        except DeliveryError as error:
            self._metrics.failures.inc()
            self._epoch.move("commit failed")
            self._fail("the archive", error)
            return
        self._metrics.commit_seconds.observe(time.monotonic() - begun)
        self._rest_s = FIRST_REST_S
        self._reader.tell(self._next)
        self._compaction.begin_where_due()

    def _fail(self, source: str, error: Exception) -> None:
        log.warning("sink_waits", error=str(error), seconds=self._rest_s)
        self._health.trouble(source, str(error))
        self._resting_until = time.monotonic() + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    # -- the rest ------------------------------------------------------------------------------------------

    def _table(self, topic: str) -> ArchiveTable:
        return self._pending[self._tables[topic]].table

    def _source(self, partition: TopicPartition) -> Source:
        return self._ids[partition.topic], partition.partition

    def _drained(self) -> bool:
        if self._mine != self._epoch.value or not self._reader.joined or not self._reader.assignment:
            return False
        ends = {p: end for p, end in (self._ends or {}).items() if p in self._reader.assignment}
        positions = self._reader.offsets.positions()
        if any(positions.get(p, 0) < end for p, end in ends.items()):
            return False
        self._write()
        return self._mine == self._epoch.value

    def _tell_health(self, is_waiting: bool) -> None:
        self._health.trouble("Kafka", self._stalls.look(in_hand=is_waiting))
        if self._mine == self._epoch.value:
            self._health.trouble("the archive", "")
        unseen = self._reader.unseen
        self._health.notice("topics", f"there is no {', '.join(unseen)}" if unseen else "")
        if time.monotonic() - self._lag_at > LAG_S:
            self._lag_at = time.monotonic()
            for partition, behind in self._reader.offsets.lag().items():
                self._metrics.lag.labels(partition.topic, partition.partition).set(behind)


def _message_of(record: Record, kind: type[Message]) -> Message:
    if record.damage is not None:
        raise DecodeError(record.damage.reason, record.damage.why)
    return decode(record.value, record.headers, expect=kind)
