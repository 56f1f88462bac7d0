"""How long a partition of the results had nothing new, as a reader sees it while a feed goes on."""

from __future__ import annotations

import threading
import time
import uuid

import confluent_kafka

from tests.support.feed import Feed


class Silence(threading.Thread):
    """Follows the redshifts until `stop` is set.

    A result is on the partition that its spectrum was on, so that a partition which nobody reads shows.
    """

    def __init__(self, feed: Feed) -> None:
        super().__init__(name="silence", daemon=True)
        self.stop = threading.Event()
        self._last: dict[int, float] = {}
        self._longest_s = 0.0
        self._topic = feed.settings().topics.redshifts
        self._client = confluent_kafka.Consumer(
            {
                "bootstrap.servers": feed.bootstrap_servers,
                "group.id": f"silence-{uuid.uuid4().hex}",
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 10,
                "reconnect.backoff.max.ms": 200,
                "topic.metadata.refresh.interval.ms": 500,
                "log_level": 0,
            }
        )

    def run(self) -> None:
        """Take down when each partition had its last result."""
        partitions = self._client.list_topics(self._topic, 10).topics[self._topic].partitions
        self._client.assign([confluent_kafka.TopicPartition(self._topic, n, 0) for n in partitions])
        while not self.stop.is_set():
            messages = self._client.consume(500, 0.05)
            now = time.monotonic()
            for partition in [message.partition() for message in messages if not message.error()]:
                self._longest_s = max(self._longest_s, now - self._last.get(partition, now))
                self._last[partition] = now
        self._client.close()

    def longest_s(self) -> float:
        """Return the longest time that any partition had no result since this was asked the last time."""
        now = time.monotonic()
        longest_s = max([self._longest_s, *(now - last for last in list(self._last.values()))])
        self._longest_s = 0.0
        return longest_s
