"""Every Prometheus metric of a sink: stable names, one help text each; add, but never rename."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class SinkMetrics:
    """The metrics of one sink, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.rows = self._of_tables("spectraq_sink_rows", "Rows that are written, by table")
        self.duplicates = self._of_tables(
            "spectraq_sink_duplicates", "Results that were there already and are not written again"
        )
        self.unreadable = self._of_tables(
            "spectraq_sink_unreadable", "Messages on a topic of results that are no result"
        )
        self.commits = self._of_tables("spectraq_sink_commits", "Transactions of a table")
        self.failures = Counter(
            "spectraq_sink_commit_failures",
            "Transactions that failed; their messages are read again",
            registry=self.registry,
        )
        self.commit_seconds = Histogram(
            "spectraq_sink_commit_seconds",
            "Time of the transactions of all tables",
            buckets=SECONDS,
            registry=self.registry,
        )
        self.lag = Gauge(
            "spectraq_sink_lag",
            "Messages behind the end of a partition",
            ["topic", "partition"],
            registry=self.registry,
        )
        self.ready = Gauge(
            "spectraq_sink_ready", "1 while the sink is joined and can write", registry=self.registry
        )

    def text(self) -> bytes:
        """All of them in Prometheus's text format."""
        return generate_latest(self.registry)

    def _of_tables(self, name: str, text: str) -> Counter:
        return Counter(name, text, ["table"], registry=self.registry)
