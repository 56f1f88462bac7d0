"""Every Prometheus metric of filters: stable names, one help text each; add, but never rename."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class FilterMetrics:
    """The metrics of one process of filters, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.read = self._of_filters("spectraq_filter_read", "Spectra that a filter was asked of")
        self.matched = self._of_filters("spectraq_filter_matched", "Spectra that passed a filter")
        self.undecided = self._of_filters(
            "spectraq_filter_undecided", "Spectra that lack a value that the filter needs; they don't pass"
        )
        self.failed = self._of_filters(
            "spectraq_filter_failed", "Evaluations that failed or took too long; the spectrum doesn't pass"
        )
        self.skipped = self._of_filters(
            "spectraq_filter_skipped", "Spectra that a suspended filter was not asked of"
        )
        self.suspended = Gauge(
            "spectraq_filter_suspended",
            "1 while a filter is suspended because it failed again and again",
            ["filter"],
            registry=self.registry,
        )
        self.posted = self._of_filters("spectraq_filter_posted", "Messages that a webhook took")
        self.post_failures = self._of_filters(
            "spectraq_filter_post_failures", "Posts that were not taken, each try counted"
        )
        self.given_up = self._of_filters(
            "spectraq_filter_posts_given_up",
            "Messages that a webhook did not take at any try; they are left out",
        )
        self.incomplete = self._of_records(
            "spectraq_filter_incomplete", "Results that had not come in time, by record"
        )
        self.unreadable = self._of_records(
            "spectraq_filter_unreadable", "Messages on a topic of results that are no result"
        )
        self.copies = Counter(
            "spectraq_filter_copies",
            "Spectra whose results were published again and are left out",
            registry=self.registry,
        )
        self.failures = Counter(
            "spectraq_filter_publish_failures",
            "Transactions that failed; their messages are read again",
            registry=self.registry,
        )
        self.latency_seconds = Histogram(
            "spectraq_filter_latency_seconds",
            "From a result's message to the transaction of what it passed",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "spectraq_filter_lag",
            "Messages behind the end of a partition",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.ready = Gauge(
            "spectraq_filter_ready",
            "1 while the process is joined and can publish",
            registry=self.registry,
        )

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)

    def _of_filters(self, name: str, text: str) -> Counter:
        return Counter(name, text, ["filter"], registry=self.registry)

    def _of_records(self, name: str, text: str) -> Counter:
        return Counter(name, text, ["record"], registry=self.registry)
