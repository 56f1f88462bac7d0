"""How far a job may run ahead of the workers: what waits in Kafka lies on a disk."""

from __future__ import annotations

import time

from kafka import TopicPartition

from spectraq.workers.settings import Settings
from spectraq.workers.transport.lag import GroupLag, group_lag

ASK_S = 2.0


class Pace:
    """Knows how many spectra wait, by asking Kafka now and then and counting what was sent since.

    Parameters
    ----------
    settings
        In force.
    most
        Spectra that may wait before sending rests.
    """

    def __init__(self, settings: Settings, most: int) -> None:
        self._settings, self._most = settings, most
        self._asked = 0.0
        self._sent_then = 0
        self.group: GroupLag | None = None

    def look(self, sent: int) -> None:
        """Ask Kafka, unless it was asked just now; `sent` is what this run has sent until now."""
        if time.monotonic() - self._asked < ASK_S:
            return
        self.group = group_lag(self._settings)
        self._asked, self._sent_then = time.monotonic(), sent

    def is_ahead(self, sent: int) -> bool:
        """Return whether as many wait as may."""
        return self.group is not None and self.group.lag + sent - self._sent_then >= self._most

    @property
    def workers(self) -> int:
        """Workers that read, as Kafka knows it."""
        return 0 if self.group is None else len(self.group.members)

    def has_passed(self, ends: dict[TopicPartition, int]) -> bool:
        """Return whether the workers have brought all before these offsets to an end."""
        if self.group is None:
            return False
        topics = self._settings.topics
        lags = {TopicPartition(topics.spectra, lag.partition): lag for lag in self.group.partitions}
        lags |= {TopicPartition(topics.priority, lag.partition): lag for lag in self.group.urgent}
        return all(
            (lags[place].committed or 0) >= end for place, end in ends.items() if place in lags and end
        )
