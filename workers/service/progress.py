"""Enters what was published into the ledger and the metrics, and reports progress now and then."""

from __future__ import annotations

import time

import structlog

from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.analyse_stage import Analysed
from spectraq.workers.service.ledger import Balance, Ledger
from spectraq.workers.transport.consumer import Consumer
from spectraq.workers.transport.lag import URGENT

TELL_EVERY_S = 10.0
LAG_EVERY_S = 1.0

log = structlog.get_logger(__name__)


class Progress:
    """What an operator sees of the flow."""

    def __init__(self, ledger: Ledger, metrics: Metrics) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._shown = ledger.balance()
        self._told = ledger.balance()
        self._overtaken = 0
        self._told_at = self._lag_at = time.monotonic()

    def published(self, analysed: Analysed) -> None:
        """Count one batch whose messages are all acknowledged."""
        answers = [judged.published for _, judged in analysed.answered]
        self._ledger.published(len(answers), analysed.cached, analysed.duplicates, analysed.reasons)
        for answer in answers:
            self._metrics.results.labels(answer.spectype).inc()
        self._metrics.anomalies.inc(sum(answer.anomaly_flagged for answer in answers))
        for outcome, count in analysed.changes.items():
            self._metrics.changes.labels(outcome).inc(count)
        for reason, count in analysed.reasons.items():
            self._metrics.dead_letters.labels(reason).inc(count)

    def report(self, consumer: Consumer) -> None:
        """Bring the metrics up to date; every ten seconds with news, log the progress."""
        now = time.monotonic()
        balance = self._ledger.balance()
        self._show(balance)
        self._metrics.overtaken.inc(consumer.overtaken - self._overtaken)
        self._overtaken = consumer.overtaken
        if now - self._lag_at > LAG_EVERY_S:
            self._lag_at = now
            self._show_lag(consumer)
        if now - self._told_at > TELL_EVERY_S:
            if balance != self._told:
                rate = (balance.published - self._told.published) / (now - self._told_at)
                log.info(
                    "progress",
                    spectra_per_s=round(rate, 1),
                    lag=sum(consumer.offsets.lag().values()),
                    **balance.as_dict(),
                )
            self._told, self._told_at = balance, now

    def _show(self, balance: Balance) -> None:
        before, self._shown = self._shown, balance
        read = balance.read + balance.given_back  # the metric only grows, also when records are given back
        self._metrics.read.inc(read - before.read - before.given_back)
        self._metrics.published.inc(balance.published - before.published)
        self._metrics.cached.inc(balance.cached - before.cached)
        self._metrics.duplicate.inc(balance.duplicate - before.duplicate)
        self._metrics.given_back.inc(balance.given_back - before.given_back)
        self._metrics.in_hand.set(balance.in_hand)

    def _show_lag(self, consumer: Consumer) -> None:
        lag = consumer.offsets.lag()
        self._metrics.lag.clear()  # a partition that moved away is another worker's to tell of
        for partition, behind in lag.items():
            lane = URGENT if consumer.urgent(partition.topic) else ""
            self._metrics.lag.labels(f"{lane}{partition.partition}").set(behind)
        self._metrics.assigned.set(len(consumer.assignment))
