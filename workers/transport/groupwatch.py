"""Asks Kafka, beside the loop, who of the group reads what, and how far it has come in every partition."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError

from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.lag import GroupOwners, PartitionLag, group_owners, partition_lags

EVERY_S = 2.0
"""Of a group's first member; the second asks half as often, and so on, so that a large group asks little."""
SELDOM_S = 30.0
UNSETTLED_S = 0.5
LAG_EVERY_S = 4.0
LEADERLESS_S = 2.0
STUCK_S = 60.0
"""A call that has not come back after this is left alone with its client."""
LEAVING_S = 2.0

Lags = dict[TopicPartition, PartitionLag]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Look:
    """What Kafka said of the group."""

    at: float  # monotonic time before it was asked
    group: GroupOwners
    lags: Lags  # of some seconds ago; empty where it did not say


class GroupWatch:
    """A thread with a client of its own, since an administrator's calls may take their time.

    Parameters
    ----------
    settings
        The settings in force.

    Attributes
    ----------
    latest
        What was seen last; none while Kafka does not say.
    """

    def __init__(self, settings: Settings) -> None:
        self.latest: Look | None = None
        self._settings = settings
        self._soon = threading.Event()
        self._over = threading.Event()
        self._turns = 0  # of the thread that counts: one that is stuck does not
        self._busy_since = 0.0
        self._said = ""
        self._thread: threading.Thread | None = None

    def look_soon(self) -> None:
        """Ask at once, and go on asking; the first call starts the thread."""
        self._soon.set()
        if self._thread is None:
            self._begin()

    def revive(self) -> None:
        """Begin with another thread and client where a call has not come back."""
        if self._busy_since and time.monotonic() - self._busy_since > STUCK_S:
            log.warning("group_watch_stuck", advice="another connection is made")
            self._begin()

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()
        self._soon.set()
        if self._thread is not None:
            self._thread.join(LEAVING_S)

    def _begin(self) -> None:
        self.latest = None
        self._turns += 1
        self._busy_since = 0.0
        self._thread = threading.Thread(
            target=self._run, args=(self._turns,), name="group-watch", daemon=True
        )
        self._thread.start()

    def _run(self, turn: int) -> None:
        while self._counts(turn):
            try:
                self._look_on(turn)
            except Exception as error:  # whatever a client meets, the worker must not go blind
                if self._counts(turn):
                    self._say("group_not_known", str(error))
                    self.latest, self._busy_since = None, 0.0
                    self._over.wait(EVERY_S)

    def _look_on(self, turn: int) -> None:
        """Ask again and again over one connection, which an error ends."""
        lags: Lags = {}
        lags_at = 0.0
        with ExitStack() as closing:
            client = None
            while self._wait() and self._counts(turn):
                self._busy_since = began = time.monotonic()
                client = client or closing.enter_context(administrator(self._settings.kafka))
                group = group_owners(client, self._settings)
                self._tell(turn, Look(began, group, lags))
                if began - lags_at > LAG_EVERY_S:
                    lags, lags_at = self._lags(client, group), began
                    self._tell(turn, Look(began, group, lags))
                if not group.state:
                    return  # that broker is the group's coordinator no more
                if self._counts(turn):
                    self._busy_since = 0.0

    def _lags(self, client: Any, group: GroupOwners) -> Lags:
        try:
            lags = partition_lags(client, self._settings, group, LEADERLESS_S)
        except KafkaError as error:
            self._say("lag_not_known", str(error))  # who reads what is known all the same
            return {}
        self._said = ""
        return lags

    def _say(self, event: str, error: str) -> None:
        """Log what is not known once, and not every two seconds for as long as Kafka is away."""
        if event != self._said:
            log.info(event, error=error)
        self._said = event

    def _tell(self, turn: int, look: Look) -> None:
        if self._counts(turn):
            self.latest = look

    def _counts(self, turn: int) -> bool:
        return self._turns == turn and not self._over.is_set()

    def _wait(self) -> bool:
        self._soon.wait(self._pause_s())
        self._soon.clear()
        return not self._over.is_set()

    def _pause_s(self) -> float:
        look = self.latest
        if look is None:
            return EVERY_S
        group = look.group
        if not group.settled or None in group.owners.values():
            return UNSETTLED_S
        slot = self._settings.worker.slot
        rank = group.members.index(slot) if slot in group.members else 0
        return float(min(EVERY_S * (1 + rank), SELDOM_S))
