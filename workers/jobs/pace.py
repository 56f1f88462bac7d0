"""How far a job may run ahead of the workers: what waits in Kafka lies on a disk."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from kafka import TopicPartition

from spectraq.workers.settings import Settings
from spectraq.workers.transport.lag import GroupLag, group_lag

ASK_S = 2.0


class Pace:
    """Knows how many spectra wait, by asking Kafka now and then and counting what was sent since.

    A thread of its own asks, so that sending does not wait for it.

    Parameters
    ----------
    settings
        In force.
    most
        Spectra that may wait before sending rests.
    """

    def __init__(self, settings: Settings, most: int) -> None:
        self._settings, self._most = settings, most
        self._asker = ThreadPoolExecutor(1, "pace")
        self._asked = 0.0
        self._asking: tuple[Future[GroupLag], int] | None = None  # and what had been sent then
        self._sent_then = 0
        self.group: GroupLag | None = None

    def __enter__(self) -> Self:
        """Return it."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ask no more."""
        self._asker.shutdown(wait=False, cancel_futures=True)

    def look(self, sent: int) -> None:
        """Take Kafka's answer, and ask again unless it was asked just now.

        Parameters
        ----------
        sent
            What this run has sent until now.

        Raises
        ------
        UnreachableError
            Where it does not answer.
        """
        if self._asking is not None and self._asking[0].done():
            self.group, self._sent_then = self._asking[0].result(), self._asking[1]
            self._asking = None
        if self._asking is None and time.monotonic() - self._asked >= ASK_S:
            self._asking = self._asker.submit(group_lag, self._settings), sent
            self._asked = time.monotonic()

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
