"""The worker: spectra come in from Kafka, results go out to Kafka, and nothing is lost on the way.

Three threads, each with at most one batch ahead of it: this loop reads records, gathers batches and commits;
`analyse_stage.Analyst` asks the cache and the networks; `publish_stage.Publisher` publishes. What makes it
safe is the epoch (`transport.epoch`): whenever the assignment of partitions changes or a publication fails it
moves, all that is in hand is dropped, and reading starts again at the committed offsets.
"""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

import structlog

from spectraq.workers.cache.answers import Cache
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.stream_reference import StreamReference
from spectraq.workers.contract.framing import result_numbers
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.errors import AnalysisError, SlotTakenError
from spectraq.workers.inference import Pipeline, SafeInference
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.service.analyse_stage import Analyst
from spectraq.workers.service.batcher import Batcher
from spectraq.workers.service.checkpoint import Checkpoint
from spectraq.workers.service.crash_suspects import Alone, Suspects
from spectraq.workers.service.intake import Intake
from spectraq.workers.service.ledger import Balance, Ledger
from spectraq.workers.service.ownership import Ownership
from spectraq.workers.service.progress import Progress
from spectraq.workers.service.publish_stage import Outcome, Publisher
from spectraq.workers.service.stage_thread import Stage
from spectraq.workers.service.urgent_allowance import Allowance
from spectraq.workers.settings import Settings
from spectraq.workers.transport.abandoned_transactions import AbandonedTransactions
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.groupwatch import GroupWatch
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.producer import producer
from spectraq.workers.transport.registry_requests import RegistryAwayError
from spectraq.workers.transport.stall_watch import StallWatch

if TYPE_CHECKING:
    from spectraq.models.anomaly.reference import Reference

IDLE_POLL_S = 0.2
BUSY_POLL_S = 0.02
"""With work in hand the loop looks often: there may be offsets to commit or a batch to hand over."""
LEFT_BEHIND_S = 1.0
"""A thread still busy after the grace period is left behind with its batch, which is read again."""

log = structlog.get_logger(__name__)


def run(
    settings: Settings,
    pipeline: Pipeline,
    stop: threading.Event,
    *,
    until_drained: bool = False,
    metrics: Metrics | None = None,
    health: Health | None = None,
    normal: Reference | None = None,
) -> Balance:
    """Work until told to stop, or until all that was there at the start is done, and return the ledger.

    Parameters
    ----------
    settings
        The settings in force.
    pipeline
        The networks.
    stop
        When set, what is in hand is finished within `worker.grace_s`, and the worker leaves the group.
    until_drained
        Also stop once the group has committed all that the topic held when this worker started.
    metrics, health
        To be shown to the outside; made here where nobody looks.
    normal
        Spectra that the answers were judged by; None for those that come with the package.

    Raises
    ------
    UnreachableError
        Where Kafka does not answer at the start; later outages are waited for.
    SlotTakenError
        Where another worker has taken this one's slot.
    AnalysisError
        Where the networks fail on every spectrum.
    """
    metrics = metrics or Metrics()
    with ExitStack() as closing:
        worker = Worker(settings, pipeline, metrics, health or Health(metrics), closing, normal)
        worker.work(stop, until_drained)
    return worker.balance()


class Worker:
    """The loop and what it holds; `run` makes one and has it work.

    Parameters
    ----------
    closing
        Takes what has to be closed at the end, the last opened first.
    """

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        metrics: Metrics,
        health: Health,
        closing: ExitStack,
        normal: Reference | None,
    ) -> None:
        self._settings = settings
        self._metrics = metrics
        self._health = health
        self._ledger = Ledger()
        self._progress = Progress(self._ledger, metrics)
        self._epoch = Epoch(self._note_epoch)
        self._abandoned = AbandonedTransactions(settings)
        closing.callback(self._abandoned.stop)
        self._schemas = WriterSchemas(settings.kafka, metrics.schema_registry_failures.inc)
        self._intake = Intake(settings, self._schemas)
        self._numbers = result_numbers(settings)
        self._batcher = Batcher(settings.worker)
        self._allowance = Allowance(settings.worker.priority_rate)
        self._watchdog = Watchdog().start()
        closing.callback(self._watchdog.stop)
        self._consumer = Consumer(settings, self._epoch, self._watchdog)
        closing.callback(self._consumer.close)
        self._consumer.seals.close()
        self._suspects = Suspects(settings, self._consumer.offsets.mark)
        self._suspect_waits = False  # a batch that is to be unpacked with nothing else in hand
        self._stalls = StallWatch(
            self._consumer, settings.worker, settings.topics.spectra, metrics.resubscriptions.inc
        )
        watch = GroupWatch(settings)
        closing.callback(watch.stop)
        self._ownership = Ownership(self._consumer, watch, settings, metrics)
        self._producer = producer(settings, self._watchdog)
        closing.callback(self._producer.close)
        self._checkpoint = Checkpoint(
            self._consumer, self._producer, self._epoch, self._ledger, self._progress, self._stalls
        )
        self._given_up = threading.Event()  # no more attempts at publishing are worth making
        self._open_stages(pipeline, closing, normal)

    def _open_stages(self, pipeline: Pipeline, closing: ExitStack, normal: Reference | None) -> None:
        redis = GuardedRedis(self._settings.redis, self._metrics.cache_failures.inc)
        closing.callback(redis.close)
        self._metrics.cache_open.set_function(lambda: redis.open)
        cache = Cache(redis, pipeline.digest, pipeline.version)
        publisher = Publisher(
            self._producer,
            cache,
            self._epoch,
            self._metrics,
            self._health,
            report=self._checkpoint.report,
            closing=self._given_up,
        )
        self._publishing = Stage("publishing", publisher)
        closing.callback(self._publishing.stop, LEFT_BEHIND_S)
        closing.callback(self._given_up.set)
        from spectraq.workers.service.change_stage import change_stage  # with torch

        analyst = Analyst(
            self._settings,
            SafeInference(pipeline, self._settings.worker.batch_spectra, self._metrics.analysis_failures.inc),
            cache,
            StreamReference(redis, pipeline.digest, self._settings.worker.adapt, normal),
            self._epoch,
            self._watchdog,
            self._metrics,
            self._numbers,
            hand_on=self._publishing.put,
            drop=lambda batch: self._checkpoint.report(Outcome(batch, None)),
            changes=change_stage(self._settings, redis, pipeline, self._numbers, closing),
        )
        self._analysing = Stage("analysing", analyst)
        closing.callback(self._analysing.stop, LEFT_BEHIND_S)

    def balance(self) -> Balance:
        """Return what became of every record so far."""
        return self._ledger.balance()

    def work(self, stop: threading.Event, until_drained: bool) -> None:
        """Turn until told to stop, then finish what is in hand."""
        log.info("worker_starts", delivery=self._settings.worker.delivery, until_drained=until_drained)
        self._health.trouble("worker", "")
        try:
            while not stop.is_set():
                self._turn()
                if until_drained and self._checkpoint.drained(self._idle()):
                    self._take_back_attempts()
                    log.info("drained", **self.balance().as_dict())
                    return
            self._health.trouble("worker", "stopping")
            self._finish()
        except AnalysisError:  # that of the networks: no record is to blame
            with suppress(SlotTakenError):
                self._take_back_attempts()
            raise

    def _turn(self) -> None:
        """One turn of the loop.

        1. Start over where the epoch has moved: drop what is in hand, go back to the committed offsets.
        2. Poll; what came in while the epoch moved is dropped, too.
        3. Read the records: each is a spectrum, or a dead letter with its reason. Where earlier workers got
           no further, one by one; before the first of a partition is unpacked, write that it is.
        4. Hand a batch over when one is due and the networks have room.
        5. Settle the batches that are published or dropped, and commit.
        6. Stop fetching while enough is in hand, and go on after.
        7. Look whether anything is stuck, and report progress.
        """
        self._health.turned()
        # 1. Start over
        if not self._checkpoint.current and not self._start_over():
            self._consumer.hold(True)
            self._poll(IDLE_POLL_S)  # stays in the group; what it returns is read again
            self._look()
            return
        # 2. Poll
        records = self._poll(self._patience_s())
        if not self._checkpoint.current:
            return
        # 3. Read
        self._read(records)
        # 4. Hand over
        alone = len(self._suspects) > 0 or self._suspect_waits or self._suspects.trying
        self._hand_over(at_once=alone)
        # 5. Settle
        self._checkpoint.settle()
        if self._nothing_read and self._checkpoint.current:
            self._suspects.settled()
        if self._idle():
            self._checkpoint.commit_positions()
        # 6. Hold
        on_hold = self._batcher.full or alone
        self._consumer.hold(on_hold, urgent_too=alone or not self._allowance.open)
        self._metrics.on_hold.set(on_hold)
        # 7. Look
        self._look()

    def _start_over(self) -> bool:
        """Begin an epoch at the committed offsets; False while it is not known what they are."""
        self._ledger.give_back(self._batcher.clear() + self._suspects.clear())
        self._checkpoint.settle()
        if not self._schemas.known():
            self._stalls.progress()  # it is not Kafka that keeps this worker from reading
            return False
        if self._checkpoint.records:
            return False  # what is being published may yet be committed; only then is it known where to begin
        self._abandoned.end_soon()
        epoch = self._epoch.value  # before asking: it may move while Kafka answers
        committed = self._consumer.rewind()
        if committed is None:
            return False
        if not self._suspects.begin(committed):
            return False
        self._checkpoint.begin(epoch, committed)
        return True

    def _poll(self, patience_s: float) -> list[Record]:
        """Read what has come, once what is tried alone is settled."""
        if self._suspects.keeps_others_waiting:  # a poll would join
            time.sleep(BUSY_POLL_S)
            return []
        return self._consumer.poll(patience_s)

    def _read(self, records: list[Record]) -> None:
        if records:
            self._ledger.read(len(records))
            self._add(self._suspects.sort(records))
            self._stalls.progress()
        self._open()
        if len(self._suspects) and self._nothing_read and not self._consumer.joining:
            self._go_on_alone()

    def _add(self, records: list[Record]) -> None:
        if not records or not self._checkpoint.current:
            self._ledger.give_back(len(records))
            return
        try:
            items = self._intake.items(records)
        except RegistryAwayError:
            self._ledger.give_back(len(records))
            self._epoch.move("schema registry away")
            return
        urgent = [item for item in items if self._consumer.urgent(item.record.topic)]
        others = [item for item in items if not self._consumer.urgent(item.record.topic)]
        self._batcher.add(others, self._consumer.membership)
        self._batcher.add(urgent, self._consumer.membership, urgent=True)
        self._allowance.take(len(urgent))

    def _open(self) -> None:
        """Let what was fetched be unpacked: of suspects one batch, once nothing else is in hand."""
        packed = self._consumer.seals.waiting()
        suspected = self._suspects.begin_on(packed)
        self._consumer.seals.lift(self._suspects.together, self._checkpoint.epoch)
        self._suspect_waits = bool(suspected)
        if not suspected or not self._idle() or not self._checkpoint.current or self._consumer.joining:
            return
        opening = self._suspects.open(suspected[0], packed[suspected[0]])
        if opening is not None:
            records = self._consumer.seals.unpack(opening.partition, opening.unread)
            self._ledger.read(len(records))
            self._suspects.sort(records)
            self._suspect_waits = bool(records)  # a marker of transactions gives none, and is behind us

    def _go_on_alone(self) -> None:
        """Do the next suspect with nothing else in hand, or give it up after too many tries."""
        suspect = self._suspects.next()
        if not isinstance(suspect, Alone):
            self._add(suspect)
        elif not self._checkpoint.current:
            self._ledger.give_back(1)
        elif suspect.tries is None:
            self._batcher.add([self._intake.condemned(suspect.record)], self._consumer.membership)
        else:
            self._add([suspect.record])

    def _hand_over(self, at_once: bool = False) -> None:
        due_in_s = self._batcher.due_in_s(self._analysing.idle)
        if due_in_s is None or (due_in_s > 0 and not at_once) or not self._analysing.has_room:
            return
        batch = self._batcher.take(self._checkpoint.epoch)
        self._metrics.batch_spectra.observe(len(batch.items))
        self._checkpoint.hand_over(batch)
        self._analysing.put(batch)

    def _finish(self) -> None:
        """Finish what is in hand within the grace period; without new records, but still in the group."""
        grace_over = time.monotonic() + self._settings.worker.grace_s
        log.info("stopping", in_hand=self.balance().in_hand, grace_s=self._settings.worker.grace_s)
        while not self._idle() and time.monotonic() < grace_over:
            self._health.turned()
            self._ledger.give_back(self._suspects.clear())
            if not self._checkpoint.current:
                self._ledger.give_back(self._batcher.clear())
            self._hand_over(at_once=True)
            self._consumer.hold(True)
            self._poll(BUSY_POLL_S)
            self._checkpoint.settle()
            self._raise_failures()
        self._take_back_attempts()
        self._ledger.give_back(self._batcher.clear() + self._suspects.clear() + self._checkpoint.records)
        log.info("stopped", **self.balance().as_dict())

    def _take_back_attempts(self) -> None:
        """Take this process's name away from what it began and leaves to others: it has not died of it."""
        if not self._suspects.began:
            return
        self._given_up.set()
        if not self._publishing.stop(LEFT_BEHIND_S):
            return  # what is being published may yet be committed; only then is it known where to write
        self._checkpoint.settle()
        committed = self._consumer.rewind()
        if committed is not None:
            self._suspects.begin(committed)

    def _look(self) -> None:
        self._raise_failures()
        trouble = self._stalls.look(in_hand=not self._idle())
        self._health.trouble("consumer", trouble)
        self._health.trouble("schema registry", self._schemas.trouble)
        self._health.notice("group", self._ownership.look())
        self._progress.report(self._consumer)

    def _idle(self) -> bool:
        return self._nothing_read and not len(self._suspects)

    @property
    def _nothing_read(self) -> bool:
        return not (self._checkpoint.records or len(self._batcher))

    def _patience_s(self) -> float:
        """Return how long to wait for records: not beyond the moment when a batch is due."""
        if self._idle():
            return IDLE_POLL_S
        due_in_s = self._batcher.due_in_s(self._analysing.idle) if self._analysing.has_room else None
        return BUSY_POLL_S if due_in_s is None else min(BUSY_POLL_S, due_in_s)

    def _raise_failures(self) -> None:
        for stage in (self._analysing, self._publishing):
            if stage.failure is not None:
                raise stage.failure

    def _note_epoch(self, reason: str) -> None:
        self._metrics.epochs.labels(reason).inc()
        log.info("epoch_moved", reason=reason)
