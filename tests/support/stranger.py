"""A member of the group that leads it and gives some partitions to nobody, as long as it is told to."""

from __future__ import annotations

import threading
from typing import Any

from kafka import KafkaConsumer
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.protocol.consumer.metadata import ConsumerProtocolAssignment

from spectraq.workers.settings import Settings


class LeavesOut(CooperativeStickyAssignor):
    """Shares out all partitions but some."""

    def __init__(self, left_out: set[int]) -> None:
        super().__init__()
        self.left_out = left_out

    def assign(self, cluster: Any, members: Any) -> dict[str, Any]:
        """Give them away as the parent does, but for those that are left out."""
        return {
            member: ConsumerProtocolAssignment(self.version, self._kept(assigned), b"")
            for member, assigned in super().assign(cluster, members).items()
        }

    def _kept(self, assigned: Any) -> list[tuple[str, list[int]]]:
        kept: dict[str, list[int]] = {}
        for topic, number in assigned.partitions():
            if number not in self.left_out:
                kept.setdefault(topic, []).append(number)
        return sorted(kept.items())


class Stranger:
    """Such a member, in the group of some settings, for the time of a `with` block."""

    def __init__(self, settings: Settings, left_out: set[int]) -> None:
        self.assignor = LeavesOut(left_out)
        self._client = KafkaConsumer(
            settings.topics.spectra,
            bootstrap_servers=settings.kafka.bootstrap_servers,
            group_id=settings.kafka.group_id,
            partition_assignment_strategy=[self.assignor],
            enable_auto_commit=False,
            session_timeout_ms=6000,
            heartbeat_interval_ms=200,
        )
        self._joined = threading.Event()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._poll, daemon=True)

    def __enter__(self) -> Stranger:
        """Join, and stay; it leads, since it is the first."""
        self._thread.start()
        assert self._joined.wait(15), "the stranger did not join"
        return self

    def __exit__(self, *_: object) -> None:
        """Leave."""
        self._over.set()
        self._thread.join()
        self._client.close()

    def _poll(self) -> None:
        while not self._over.is_set():
            self._client.poll(timeout_ms=200)
            if self._client.assignment():
                self._joined.set()
