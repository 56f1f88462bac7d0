"""Find one message on its topics: by its place where that is known, else by about when it came.

A key may be anybody's: it only says which messages are worth reading. The reader that the caller gives says
which message it is, and the search goes on until it has been seen.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import close_quietly
from spectraq.workers.transport.follower import groupless_reader
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.reader import readable
from spectraq.workers.web.night.message_store import Name, Place

Found = TypeVar("Found")
Read = Callable[[bytes, tuple[tuple[str, bytes], ...], bytes | None], Found | None]
"""Returns what a message's body, headers and key hold, or None where that is not what is looked for."""

FETCH_BYTES = 1 << 20
TIMEOUT_S = 8.0
BEFORE_S = 900.0
"""A spectrum is looked for from this long before its results."""
SCANNED = 20_000
"""Messages gone over at most in a search."""


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

    def at(self, place: Place, read: Read[Found]) -> Found | None:
        """Return the message at a place, or None where it is no longer kept or another one."""
        with self._lock:
            return self._guarded(lambda client: self._read(client, place, read))

    def search(
        self, topics: Sequence[str], name: Name, at: float, read: Read[Found], before_s: float = BEFORE_S
    ) -> Found | None:
        """Return a spectrum's message that came later than `before_s` before a time, or None.

        Gone over are messages that have its id as their key, or whose `ce_id` names it.
        """
        with self._lock:
            return self._guarded(lambda client: _search(client, topics, name, at - before_s, read))

    def close(self) -> None:
        """Let go of the connection."""
        with self._lock:
            if self._client is not None:
                close_quietly(self._client)
                self._client = None

    def _guarded(self, call: Callable[[KafkaConsumer], Found | None]) -> Found | None:
        """Call with a client; one that failed is thrown away."""
        if self._client is None:
            self._client = groupless_reader(self._settings.kafka, "page", FETCH_BYTES)
        try:
            return call(self._client)
        except (KafkaError, OSError):
            close_quietly(self._client)
            self._client = None
            return None

    def _read(self, client: KafkaConsumer, place: Place, read: Read[Found]) -> Found | None:
        partition = TopicPartition(place.topic, place.partition)
        client.assign([partition])
        if client.beginning_offsets([partition])[partition] > place.offset:
            return None
        client.seek(partition, place.offset)
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            polled = client.poll(timeout_ms=200, max_records=1)
            for record in readable(polled):
                return _taken(record, read) if record.offset == place.offset else None
            if polled:
                return None  # it was in a batch that can't be read
        return None


def _search(
    client: KafkaConsumer, topics: Sequence[str], name: Name, since: float, read: Read[Found]
) -> Found | None:
    partitions = [
        TopicPartition(topic, number)
        for topic in topics
        for number in sorted(client.partitions_for_topic(topic) or ())
    ]
    client.assign(partitions)
    starts = client.offsets_for_times(dict.fromkeys(partitions, int(since * 1000)))
    ends = client.end_offsets(partitions)
    for partition in partitions:
        start = starts.get(partition)
        client.seek(partition, ends[partition] if start is None else start.offset)
    marks = (name.spectrum_id.encode(), f"{name.spectrum_id}/{name.digest}".encode())
    deadline, scanned = time.monotonic() + TIMEOUT_S, 0
    while time.monotonic() < deadline and scanned < SCANNED:
        for record in readable(client.poll(timeout_ms=200)):
            scanned += 1
            if record.key == marks[0] or ("ce_id", marks[1]) in record.headers:
                taken = _taken(record, read)
                if taken is not None:
                    return taken
        if all(client.position(partition) >= ends[partition] for partition in partitions):
            break
    return None


def _taken(record: Record, read: Read[Found]) -> Found | None:
    return read(record.value, record.headers, record.key)
