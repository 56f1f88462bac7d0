"""How far the workers are behind, who of them is alive, and what the cache finds: asked every two seconds."""

from __future__ import annotations

import threading
import time
from typing import Any

from kafka.errors import KafkaError

from spectraq.workers.cache.answers import looked_up
from spectraq.workers.errors import SpectraqError, UnreachableError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.lag import GroupLag, group_lag

EVERY_S = 2.0
WINDOW = 30
"""Readings over which rates are taken: a minute."""


class Vitals(threading.Thread):
    """Asks Kafka and Redis until `stop` is set; what they said last is in `latest`.

    Parameters
    ----------
    settings
        Where both are.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="vitals", daemon=True)
        self.stop = threading.Event()
        self.latest: dict[str, Any] = {"lag": None, "cache": None}
        self._settings = settings
        self._drained: dict[int, list[tuple[float, int]]] = {}  # by partition: time and committed offset
        self._hits: list[tuple[int, int]] = []

    def run(self) -> None:
        """Ask, wait, ask again."""
        while not self.stop.is_set():
            self.latest = {"lag": self._lag(), "cache": self._cache()}
            self.stop.wait(EVERY_S)

    def _lag(self) -> dict[str, Any] | None:
        try:
            group = group_lag(self._settings)
        except (SpectraqError, KafkaError, OSError):
            return None
        now = time.monotonic()
        return {
            "group": group.group_id,
            "state": group.state,
            "members": list(group.members),
            "total": group.lag,
            "ownerless": list(group.ownerless),
            "partitions": [self._partition(group, number, now) for number in range(len(group.partitions))],
        }

    def _partition(self, group: GroupLag, number: int, now: float) -> dict[str, Any]:
        """Describe a partition; its lag in seconds is what the present rate takes to drain it."""
        partition = group.partitions[number]
        readings = self._drained.setdefault(partition.partition, [])
        readings.append((now, partition.committed or partition.begin))
        del readings[:-WINDOW]
        (then, before), (_, after) = readings[0], readings[-1]
        rate = (after - before) / (now - then) if now > then else 0.0
        seconds = 0.0 if partition.lag == 0 else partition.lag / rate if rate > 0 else None
        return {
            "partition": partition.partition,
            "lag": partition.lag,
            "seconds": seconds,
            "rate": rate,
            "member": partition.member,
        }

    def _cache(self) -> dict[str, Any] | None:
        if not self._settings.redis.enabled:
            return None
        try:
            hits, lookups = looked_up(self._settings.redis)
        except UnreachableError:
            return None
        self._hits.append((hits, lookups))
        del self._hits[:-WINDOW]
        first_hits, first = self._hits[0]
        share = (hits - first_hits) / (lookups - first) if lookups > first else None
        return {"hits": hits, "lookups": lookups, "share": share}
