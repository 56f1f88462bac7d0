"""The sink: results come in from Kafka, rows go out to tables, each once.

What is in hand is rows and the offsets behind them. Both are written in one transaction of a table, and where
anything goes wrong, in Kafka or in the table, all in hand is dropped and read again from the offsets that the
tables hold. No other state is kept anywhere.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack

import structlog
from kafka import TopicPartition

from spectraq.workers.archive.columns import KINDS, UNREADABLE
from spectraq.workers.archive.compaction import Compaction
from spectraq.workers.archive.in_hand import InHand, Written
from spectraq.workers.archive.metrics import SinkMetrics
from spectraq.workers.archive.source import ResultReader, topic_ids
from spectraq.workers.archive.storage import storage_options
from spectraq.workers.archive.table import ArchiveTable, RefusedError
from spectraq.workers.errors import DeliveryError, UnreachableError
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.stall_watch import StallWatch

POLL_S = 0.2
FIRST_REST_S, LONGEST_REST_S = 0.5, 30.0
LAG_S = 5.0

log = structlog.get_logger(__name__)


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
        self._settings = settings
        self._metrics = metrics
        self._health = health
        archive, storage = settings.archive, storage_options(settings.archive)
        names = archived_tables(settings)
        self._topics = [getattr(settings.topics, name) for name in names]
        unreadable, *tables = (
            ArchiveTable(url, name, archive.partition_by, storage) for name in (UNREADABLE, *names)
        )
        self._in_hand = InHand(dict(zip(self._topics, tables, strict=True)), unreadable, archive, metrics)
        self._epoch = Epoch(lambda reason: log.info("epoch_moved", reason=reason))
        self._mine = -1  # the epoch whose messages are in hand
        self._ends: dict[TopicPartition, int] | None = None
        self._rest_s, self._resting_until = FIRST_REST_S, 0.0
        self._lag_at = 0.0
        self._watchdog = Watchdog().start()
        closing.callback(self._watchdog.stop)
        self._compaction = Compaction((UNREADABLE, *names), url, archive, storage)
        closing.callback(self._compaction.stop)
        self._reader = ResultReader(settings, self._topics, self._epoch, self._watchdog)
        closing.callback(self._reader.close)
        self._stalls = StallWatch(self._reader, settings.worker)

    @property
    def written(self) -> Written:
        """What has been written so far."""
        return self._in_hand.written

    @property
    def _is_current(self) -> bool:
        """Whether what is in hand is still ours to write."""
        return self._mine == self._epoch.value

    def work(self, stop: threading.Event, until_drained: bool) -> None:
        """Turn until told to stop, then write what is in hand."""
        log.info("sink_starts", topics=self._topics, until_drained=until_drained)
        self._health.trouble("worker", "")
        if until_drained:
            self._ends = self._reader.ends()
        while not stop.is_set():
            self._turn()
            if until_drained and self._drained():
                break
        self._health.trouble("worker", "stopping")
        if self._is_current:
            self._write()
        log.info("stopped", result=str(self.written))

    def _turn(self) -> None:
        self._health.turned()
        if not self._is_current:
            self._begin_again()
        is_waiting = self._in_hand.is_full or not self._is_current
        self._reader.fetch_all_but(self._reader.assignment if is_waiting else ())
        records = self._reader.poll(POLL_S)
        if records:
            self._stalls.progress()
        if self._is_current:
            self._in_hand.take(records)
            if self._in_hand.is_due:
                self._write()
        self._tell_health(is_waiting)

    def _begin_again(self) -> None:
        """Drop what is in hand, and go on where the tables say."""
        self._in_hand.drop()
        if time.monotonic() < self._resting_until:
            return
        epoch = self._epoch.value
        partitions = self._reader.assignment
        try:
            ids = topic_ids(self._settings, self._topics)
            if unknown := {p.topic for p in partitions} - set(ids):
                raise UnreachableError(f"Kafka does not know topic {unknown.pop()}, which it gave us to read")
            begins = self._in_hand.begin(partitions, ids)
        except (DeliveryError, UnreachableError) as error:
            self._fail("the archive" if isinstance(error, DeliveryError) else "Kafka", error)
            return
        self._reader.seek(begins)
        self._mine = epoch

    def _write(self) -> None:
        """Write what is in hand; where that fails it is read again, after a rest."""
        begun = time.monotonic()
        try:
            self._in_hand.write()
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
        self._reader.tell(self._in_hand.next_offsets)
        self._compaction.begin_where_due()

    def _fail(self, source: str, error: Exception) -> None:
        log.warning("sink_waits", error=str(error), seconds=self._rest_s)
        self._health.trouble(source, str(error))
        self._resting_until = time.monotonic() + self._rest_s
        self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)

    def _drained(self) -> bool:
        if not self._is_current or not self._reader.has_reached(self._ends or {}):
            return False
        self._write()
        return self._is_current

    def _tell_health(self, is_waiting: bool) -> None:
        self._health.trouble("Kafka", self._stalls.look(in_hand=is_waiting))
        if self._is_current:
            self._health.trouble("the archive", "")
        unseen = self._reader.unseen
        self._health.notice("topics", f"there is no {', '.join(unseen)}" if unseen else "")
        if time.monotonic() - self._lag_at > LAG_S:
            self._lag_at = time.monotonic()
            for partition, behind in self._reader.offsets.lag().items():
                self._metrics.lag.labels(partition.topic, partition.partition).set(behind)
