"""Notices a member that is stuck without saying so, frees it, and restarts the process where that fails."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from kafka.errors import KafkaError

from spectraq.workers.operations.watchdog import end_process
from spectraq.workers.settings import WorkerSettings
from spectraq.workers.transport.group_member import GroupMember

ATTEMPTS = 2
"""Subscriptions tried before the process is given up."""

UNSEEN = "is not there, or there is no authorization to read it"

log = structlog.get_logger(__name__)


class StallWatch:
    """Two ways to be stuck: outside a group that answers, and inside it without records despite lag.

    A Kafka that does not answer is neither: then it waits, since a restart would mend nothing.

    Parameters
    ----------
    member
        That is watched.
    settings
        How long it may be stuck.
    needed
        The topic without which there is nothing to do; none where there is no one such.
    on_free
        Called whenever it subscribes again.
    give_up
        Called with the reason when subscribing again did not help; ends the process.
    """

    def __init__(
        self,
        member: GroupMember,
        settings: WorkerSettings,
        needed: str | None = None,
        on_free: Callable[[], None] = lambda: None,
        give_up: Callable[[str], None] = end_process,
    ) -> None:
        self._member = member
        self._settings = settings
        self._needed = needed
        self._needed_seen = True
        self._on_free = on_free
        self._give_up = give_up
        self._attempts = 0
        self._joined = False
        self._quiet_since = time.monotonic()

    def progress(self) -> None:
        """Records came, or a batch was settled."""
        self._attempts = 0
        self._quiet_since = time.monotonic()

    def look(self, in_hand: bool) -> str:
        """Return what keeps it from reading, or an empty string; to be called once a turn."""
        if self._member.joined != self._joined:
            self._joined = not self._joined
            self._quiet_since = time.monotonic()
        quiet_s = time.monotonic() - self._quiet_since
        if not self._joined:
            if quiet_s > self._settings.rejoin_s:
                return self._free(f"outside the group for {quiet_s:.0f} s")
            return self._member.trouble or "joining the group"
        if in_hand:
            self._quiet_since = time.monotonic()  # the watchdog looks after what is in hand
        elif quiet_s > self._settings.stall_s:
            return self._look_for_lag(quiet_s)
        return self._member.trouble or self._look_for_topic()

    def _look_for_topic(self) -> str:
        seen = self._needed not in self._member.unseen
        if self._needed_seen and not seen:
            log.warning("topic_unseen", topic=self._needed, advice=UNSEEN)
        self._needed_seen = seen
        return "" if seen else f"topic {self._needed} {UNSEEN}"

    def _look_for_lag(self, quiet_s: float) -> str:
        try:
            ends = self._member.offsets.ends()
        except KafkaError as error:
            return self._wait(error)
        positions = self._member.offsets.positions()
        behind = {
            partition.partition: ends[partition] - positions.get(partition, 0)
            for partition in self._member.assignment
            if ends.get(partition, 0) > positions.get(partition, 0)
        }
        if behind:
            return self._free(f"no record for {quiet_s:.0f} s despite lag {behind}")
        self.progress()
        return ""

    def _free(self, reason: str) -> str:
        try:
            self._member.offsets.ends()
        except KafkaError as error:
            return self._wait(error)
        self._attempts += 1
        if self._attempts > ATTEMPTS:
            self._give_up(f"{reason}, and subscribing again did not help")
        self._on_free()
        self._member.subscribe_again(reason)
        self._quiet_since = time.monotonic()
        return reason

    def _wait(self, error: KafkaError) -> str:
        self._quiet_since = time.monotonic()
        log.warning("kafka_does_not_answer", error=str(error))
        return "Kafka does not answer"
