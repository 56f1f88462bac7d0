"""Results on topics of a test's own, filters over them, and what they let through as a stranger reads it."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import confluent_kafka
import confluent_kafka.admin
import pytest

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from spectraq.workers.filters.expression import Vocabulary
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.result_records import result_records
from spectraq.workers.filters.stream import Filtered, run
from spectraq.workers.settings import Settings, load_settings
from tests.support.commandline import SPECTRAQ
from tests.support.feed import Feed
from tests.support.results import results

KINDS = ("classifications", "redshifts", "anomalies", "measurements")


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return Vocabulary(result_records(load_settings()))


class Filters:
    """Filters of one test over the results of numbered spectra.

    Parameters
    ----------
    feed
        Its topics.
    expressions
        Of each filter, by name.
    """

    def __init__(self, feed: Feed, log: Path) -> None:
        feed.measured = True
        self.feed = feed
        self.expressions: dict[str, str] = {}
        self.options: dict[str, Any] = {}
        self.webhooks: dict[str, dict[str, Any]] = {}
        self.slot = "0"
        self._log = log

    def settings(self) -> Settings:
        named = {
            name: {"expression": text} | self.webhooks.get(name, {})
            for name, text in self.expressions.items()
        }
        own = {"topic": f"{self.feed.name}.filtered", "group_id": f"{self.feed.name}-filters"}
        return load_settings(**self.feed.sections(), filters=own | self.options | named)

    def drain(self, metrics: FilterMetrics | None = None) -> Filtered:
        """Run filters in this process until the topics are drained."""
        return run(self.settings(), threading.Event(), until_drained=True, metrics=metrics)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start filters as a process."""
        environment = self.feed.environment(slot=f"{self.feed.name}-{self.slot}")
        filters = self.settings().filters
        values = filters.model_dump(include=set(type(filters).model_fields), exclude_unset=True)
        environment |= {f"SPECTRAQ_FILTERS__{key}".upper(): str(value) for key, value in values.items()}
        for name, text in self.expressions.items():
            environment[f"SPECTRAQ_FILTERS__{name}__EXPRESSION".upper()] = text
        with self._log.open("a") as log:
            return subprocess.Popen(
                [SPECTRAQ, "filter", "run", *arguments],
                env={**os.environ, **environment},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    def publish(self, numbers: Iterable[int], leave_out: Iterable[tuple[int, str]] = ()) -> None:
        """Publish the results of numbered spectra, without some kinds of some."""
        left_out = set(leave_out)
        messages: dict[str, list[tuple[bytes, bytes]]] = defaultdict(list)
        for number in numbers:
            for topic, message in results(number):
                if topic in KINDS and (number, topic) not in left_out:
                    messages[topic].append(framed(message))
        for topic, of_topic in messages.items():
            self.feed.publish(of_topic, to=topic)

    def passed(self, name: str, at_least: int = 0) -> list[dict[str, Any]]:
        """Read what a filter let through, as a foreign reader of what is committed sees it.

        A commit is decided before it is seen, so `at_least` so many are waited for.
        """
        topic, deadline = self.settings().filters.topic_of(name), time.monotonic() + 20
        while True:
            values = values_of(self.feed.bootstrap_servers, topic)
            if len(values) >= at_least or time.monotonic() > deadline:
                return [json.loads(value) for value in values]
            time.sleep(0.1)

    def wait_for_members(self, many: int) -> None:
        """Wait until the group has so many members and is settled."""
        group = self.settings().filters.group_id
        admin = confluent_kafka.admin.AdminClient({"bootstrap.servers": self.feed.bootstrap_servers})
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            described = admin.describe_consumer_groups([group])[group].result()
            if len(described.members) == many and described.state.name == "STABLE":
                return
            time.sleep(0.1)
        raise AssertionError(f"{group} has not {many} members")


@pytest.fixture
def filters(feed: Feed, tmp_path: Path) -> Filters:
    return Filters(feed, tmp_path / "filters.log")


def framed(message: Message) -> tuple[bytes, bytes]:
    """Key and value of a message as they are published."""
    return getattr(message, "spectrum_id", "").encode(), codec.encode(message)


def expected(numbers: Iterable[int], passes: Callable[[dict[str, Any]], bool]) -> list[str]:
    """The ids of the numbered spectra whose results pass, as Python sees it."""
    found = []
    for number in numbers:
        of_spectrum: dict[str, Any] = dict(results(number))
        if passes(of_spectrum):
            found.append(of_spectrum["redshifts"].spectrum_id)
    return sorted(found)


def values_of(bootstrap_servers: str, topic: str) -> list[bytes]:
    """The bodies on a topic up to where it ends now."""
    consumer = confluent_kafka.Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": f"foreign-{uuid.uuid4().hex}",
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        numbers = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in numbers])
        bodies, open_ones = [], len(numbers)
        while open_ones:
            message = consumer.poll(60)
            assert message is not None
            if message.error() is None:
                bodies.append(message.value())
            else:
                assert message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
                open_ones -= 1
    finally:
        consumer.close()
    return bodies
