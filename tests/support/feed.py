"""A stream of a test's own: topics, numbered spectra, workers, and what came out."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaProducer

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.ledger import Balance
from spectraq.workers.service.loop import run
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.topics import ensure_topics
from tests.support.foreign import KINDS, Message, read_all
from tests.support.plumbing import Plumbing, spectrum_flux

WAVELENGTH = np.linspace(4000.0, 9000.0, 200)
PROCESS = Path(__file__).parent / "process.py"


def numbered(number: int) -> Spectrum:
    """A small spectrum that its number decides."""
    return Spectrum(spectrum_id=f"spectrum-{number}", flux=spectrum_flux(number), wavelength=WAVELENGTH)


class Feed:
    """Topics of one test, what is put into them, and what comes out."""

    def __init__(self, bootstrap_servers: str, redis_url: str, replication: int = 1) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.redis_url = redis_url
        self.name = uuid.uuid4().hex[:8]
        self.measured = False  # most streams are about messages, not about what is measured
        self.topics: dict[str, Any] = {"replication": replication}
        self.kafka_options: dict[str, Any] = {}
        self.redis_options: dict[str, Any] = {}
        ensure_topics(self.settings())

    def sections(self, **worker: Any) -> dict[str, Any]:
        """The settings of this test, by section."""
        return {
            "kafka": {
                "bootstrap_servers": self.bootstrap_servers,
                "group_id": self.name,
                "session_timeout_s": 6.0,
                "call_timeout_s": 5.0,
                "bootstrap_timeout_s": 3.0,
            }
            | self.kafka_options,
            "redis": {"url": self.redis_url} | self.redis_options,
            "topics": {name: f"{self.name}.{name}" for name in Topics.kinds()} | self.topics,
            "worker": {
                "slot": f"{self.name}-0",
                "publish_measurements": self.measured,
                **worker,
            },
        }

    @property
    def kinds(self) -> tuple[str, ...]:
        """The topics that have one result of each spectrum."""
        return (*KINDS, "measurements") if self.measured else KINDS

    def settings(self, **worker: Any) -> Settings:
        """The settings of this test."""
        return load_settings(**self.sections(**worker))

    def environment(self, **worker: Any) -> dict[str, str]:
        """The same for another process."""
        return {
            f"SPECTRAQ_{section}__{key}".upper(): str(value)
            for section, values in self.sections(**worker).items()
            for key, value in values.items()
        }

    def with_priority(self) -> None:
        """Let urgent spectra have a topic of their own."""
        self.topics["priority"] = f"{self.name}.priority"
        ensure_topics(self.settings())

    def publish(
        self, messages: Iterable[Spectrum | tuple[bytes, bytes]], to: str = "spectra", **options: Any
    ) -> None:
        """Put spectra, or raw keys and values, into one of the topics."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap_servers, **options)
        topic = getattr(self.settings().topics, to)
        futures = []
        for message in messages:
            if isinstance(message, Spectrum):
                message = (message.spectrum_id.encode(), codec.encode(message))
            futures.append(producer.send(topic, key=message[0], value=message[1]))
        producer.flush()
        assert all(future.succeeded() for future in futures)
        producer.close()

    def work(self, pipeline: Any = None, metrics: Metrics | None = None, **worker: Any) -> Balance:
        """Run a worker in this process until the topic is drained."""
        settings = self.settings(**worker)
        return run(settings, pipeline or Plumbing(), threading.Event(), until_drained=True, metrics=metrics)

    def worker(self, *arguments: str, log: Path, **worker: Any) -> subprocess.Popen[str]:
        """Start a worker process; its log goes to a file."""
        with log.open("a") as stderr:
            return subprocess.Popen(
                [sys.executable, str(PROCESS), *arguments],
                env={**os.environ, **self.environment(**worker)},
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )

    def read(self, kind: str, isolation: str = "read_committed") -> list[Message]:
        """Read one of the topics with a foreign client."""
        topic = getattr(self.settings().topics, kind)
        return read_all(self.bootstrap_servers, topic, isolation)

    def count(self, kind: str) -> int:
        """Count what a reader of committed messages finds in one of the topics."""
        return len(self.read(kind))
