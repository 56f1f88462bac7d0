"""The end of the worker: a batch's messages are published, or its records are left to be read again."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from spectraq.workers.cache.answers import Cache
from spectraq.workers.errors import DeliveryError, SpectraqError
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.analyse_stage import Analysed
from spectraq.workers.service.batcher import Batch
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.producer import Producer

FIRST_WAIT_S = 0.1
LONGEST_WAIT_S = 5.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a batch."""

    batch: Batch
    published: Analysed | None  # None if it failed; its records will be re-read


class Publisher:
    """Publishes batches one after the other, in the order they were read.

    1. Drop a batch of an older epoch: somebody else reads it again.
    2. Publish the results and dead letters; exactly once, the offsets with them.
    3. Where that failed: renew the producer first, so that the broker has settled what was left open, then
       move the epoch, so that the consumer goes back to what is truly committed.
    4. Report; at least once, the loop now commits the offsets.
    5. Keep the new answers in the cache.

    Parameters
    ----------
    report
        Takes what became of each batch.
    closing
        Set when no more attempts are worth making.
    """

    def __init__(
        self,
        producer: Producer,
        cache: Cache,
        epoch: Epoch,
        metrics: Metrics,
        health: Health,
        report: Callable[[Outcome], None],
        closing: threading.Event,
    ) -> None:
        self._producer = producer
        self._cache = cache
        self._epoch = epoch
        self._metrics = metrics
        self._health = health
        self._report = report
        self._closing = closing

    def __call__(self, analysed: Analysed) -> None:
        """Publish one batch and report what became of it."""
        batch = analysed.batch
        # 1. An older epoch
        if batch.epoch != self._epoch.value:
            self._report(Outcome(batch, None))
            return
        # 2. Results, dead letters, and offsets
        try:
            with self._metrics.stage_seconds.labels("publish").time():
                self._producer.publish(analysed.outgoing, batch.offsets, batch.membership)
        except DeliveryError as error:
            # 3. A new producer, then a new epoch
            self._metrics.publish_failures.inc()
            self._health.trouble("publisher", str(error))
            log.warning("publish_failed", error=str(error), batch=batch.number, spectra=len(batch.items))
            self._renew()
            self._epoch.move("publish failed")
            self._report(Outcome(batch, None))
            return
        # 4. Report
        self._note_latency(batch)
        self._report(Outcome(batch, analysed))
        # 5. The cache
        with self._metrics.stage_seconds.labels("keep").time():
            self._cache.put_many([(subject, judged.given) for subject, judged in analysed.answered])

    def _renew(self) -> None:
        """Connect a new producer, however long Kafka is away."""
        wait_s = FIRST_WAIT_S
        while not self._closing.is_set():
            try:
                self._producer.renew()
            except SpectraqError as error:
                self._health.trouble("publisher", str(error))
                log.warning("publisher_waits", error=str(error), next_try_s=wait_s)
                self._closing.wait(wait_s)
                wait_s = min(2 * wait_s, LONGEST_WAIT_S)
                continue
            self._health.trouble("publisher", "")
            return

    def _note_latency(self, batch: Batch) -> None:
        now_ms = time.time() * 1000
        for item in batch.items:
            if item.record.timestamp_ms < 0:
                continue  # not known
            self._metrics.latency_seconds.observe(max(now_ms - item.record.timestamp_ms, 0.0) / 1000)
