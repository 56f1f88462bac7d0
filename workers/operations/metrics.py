"""Every Prometheus metric of a worker: stable names, one help text each.

Names and labels are a contract with dashboards and alerts: add, but never rename.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from spectraq.schemas.deadletter import DeadLetterReason

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
SPECTRA = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The metrics of one worker, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._ledger_metrics()
        self._flow_metrics()
        self._trouble_metrics()

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)

    def _ledger_metrics(self) -> None:
        self.read = self._counter("spectraq_records_read", "Messages taken from Kafka")
        self.published = self._counter(
            "spectraq_spectra_published", "Spectra whose results are all acknowledged"
        )
        self.cached = self._counter("spectraq_spectra_cached", "Published spectra answered from the cache")
        self.duplicate = self._counter(
            "spectraq_spectra_duplicate", "Cached spectra whose id was answered before"
        )
        self.given_back = self._counter(
            "spectraq_records_given_back", "Messages dropped here, to be read again"
        )
        self.dead_letters = Counter(
            "spectraq_dead_letters",
            "Messages that could not be analysed, by reason",
            ["reason"],
            registry=self.registry,
        )
        for reason in DeadLetterReason:
            self.dead_letters.labels(reason)  # at zero, or the first letter of a kind would be no increase
        self.in_hand = self._gauge("spectraq_records_in_hand", "Messages read whose fate is not settled")
        self.results = Counter(
            "spectraq_results", "Published spectra by class", ["spectype"], registry=self.registry
        )
        self.changes = Counter(
            "spectraq_changes",
            "Published spectra by what became of the comparison with an earlier one of the object",
            ["outcome"],
            registry=self.registry,
        )
        self.anomalies = self._counter("spectraq_anomalies_flagged", "Published spectra flagged as anomalous")

    def _flow_metrics(self) -> None:
        self.stage_seconds = Histogram(
            "spectraq_stage_seconds",
            "Time of one batch in a stage",
            ["stage"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self.batch_spectra = Histogram(
            "spectraq_batch_spectra", "Messages in a batch", buckets=SPECTRA, registry=self.registry
        )
        self.latency_seconds = Histogram(
            "spectraq_latency_seconds",
            "From a message's timestamp to its results' acknowledgement",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "spectraq_lag", "Messages behind the end of a partition", ["partition"], registry=self.registry
        )
        self.group_lag = Gauge(
            "spectraq_group_lag",
            "Messages between the group's commit and the end of each partition, whoever reads it",
            ["partition"],
            registry=self.registry,
        )
        self.assigned = self._gauge("spectraq_partitions_assigned", "Partitions that this worker reads")
        self.on_hold = self._gauge("spectraq_on_hold", "1 while fetching is paused because enough is in hand")

    def _trouble_metrics(self) -> None:
        self.epochs = Counter(
            "spectraq_epochs", "Times the work in hand was dropped", ["reason"], registry=self.registry
        )
        self.publish_failures = self._counter(
            "spectraq_publish_failures", "Batches whose publication failed; they are read again"
        )
        self.overtaken = self._counter(
            "spectraq_records_overtaken", "Messages that retention deleted before they were read"
        )
        self.ownerless = Gauge(
            "spectraq_partition_ownerless",
            "1 while nobody of the group reads a partition, 0 while somebody does",
            ["partition"],
            registry=self.registry,
        )
        self.rejoins = self._counter(
            "spectraq_rejoins", "Times the worker had the group share out partitions that nobody read"
        )
        self.resubscriptions = self._counter(
            "spectraq_resubscriptions", "Times the worker subscribed again because it was stuck"
        )
        self.cache_failures = self._counter(
            "spectraq_cache_failures", "Calls to the cache that failed or were not made"
        )
        self.cache_open = self._gauge("spectraq_cache_circuit_open", "1 while the cache is left alone")
        self.schema_registry_failures = self._counter(
            "spectraq_schema_registry_failures",
            "Requests for a schema that got no answer; they are repeated",
        )
        self.analysis_failures = self._counter(
            "spectraq_analysis_failures", "Batches that failed in the networks and were split"
        )
        self.batch_limit = self._gauge("spectraq_batch_limit", "Spectra that fit into memory at once")
        self.ready = self._gauge("spectraq_ready", "1 while the worker is joined and can publish")

    def _counter(self, name: str, text: str) -> Counter:
        return Counter(name, text, registry=self.registry)

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)
