"""Find one message on its topic: by its place where that is known, else by its key and about when it came."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from workers.settings import Settings
from workers.transport.connection import client_options, close_quietly, connect
from workers.web.pixels import Place

FETCH_BYTES = 1 << 20
TIMEOUT_S = 8.0
BEFORE_S = 900.0
"""A spectrum is looked for from this long before its results."""
SCANNED = 20_000
"""Messages read at most in search of a key."""


class Lookup:
    """Reads single messages, for any number of threads, one at a time.

    Parameters
    ----------
    settings
        Where Kafka is.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._client: KafkaConsumer | None = None

    def at(self, place: Place) -> bytes | None:
        """Return the message at a place, or None where it is no longer kept."""
        with self._lock:
            return self._guarded(lambda client: self._read(client, place))

    def by_key(self, topic: str, key: str, at: float, before_s: float = BEFORE_S) -> bytes | None:
        """Return the newest message under a key that came within `before_s` before a time, or None."""
        with self._lock:
            return self._guarded(lambda client: self._search(client, topic, key.encode(), at, before_s))

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._client is not None:
                close_quietly(self._client)
                self._client = None

    def _guarded(self, call: Callable[[KafkaConsumer], bytes | None]) -> bytes | None:
        """Call with a client; one that failed is thrown away."""
        if self._client is None:
            options = client_options(self._settings.kafka, "page") | {
                "group_id": None,
                "enable_auto_commit": False,
                "isolation_level": "read_committed",
                "max_partition_fetch_bytes": FETCH_BYTES,
                "fetch_max_wait_ms": 100,
            }
            self._client = connect(KafkaConsumer, self._settings.kafka, options)
        try:
            return call(self._client)
        except (KafkaError, OSError):
            close_quietly(self._client)
            self._client = None
            return None

    def _read(self, client: KafkaConsumer, place: Place) -> bytes | None:
        partition = TopicPartition(place.topic, place.partition)
        client.assign([partition])
        if client.beginning_offsets([partition])[partition] > place.offset:
            return None
        client.seek(partition, place.offset)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            for record in client.poll(timeout_ms=200, max_records=1).get(partition, ()):
                return bytes(record.value) if record.offset == place.offset else None
        return None

    def _search(
        self, client: KafkaConsumer, topic: str, key: bytes, at: float, before_s: float
    ) -> bytes | None:
        numbers = client.partitions_for_topic(topic) or ()
        partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
        client.assign(partitions)
        since = client.offsets_for_times(dict.fromkeys(partitions, int((at - before_s) * 1000)))
        ends = client.end_offsets(partitions)
        for partition in partitions:
            start = since.get(partition)
            client.seek(partition, ends[partition] if start is None else start.offset)
        found: bytes | None = None
        deadline, scanned = time.monotonic() + TIMEOUT_S, 0
        while time.monotonic() < deadline and scanned < SCANNED:
            for records in client.poll(timeout_ms=200).values():
                for record in records:
                    scanned += 1
                    if record.key == key and record.timestamp <= at * 1000:
                        found = bytes(record.value)
            if all(client.position(partition) >= ends[partition] for partition in partitions):
                break
        return found
