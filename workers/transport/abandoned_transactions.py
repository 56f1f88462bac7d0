"""Transactions that a dead worker left open, ended by whoever inherits its partitions.

Until a transaction ends, the offsets of its partitions are not known and readers of the results wait. The
worker itself ends it when it starts again in the same slot. The broker does after
`kafka.transaction_timeout_s` and up to ten seconds more, unless it decided how it ends and forgot to tell.
Where the slot stays empty, another member of the group need not wait so long.
"""

from __future__ import annotations

import threading
import time
from typing import Any

import structlog
from kafka.errors import KafkaError

from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.endings import heir

EVERY_S = 1.0
LONGEST_WAIT_S = 30.0
"""A look that failed is repeated after 1, 2, 4 s and so on, and after this at most."""

SEPARATOR = ":"
"""No slot contains it (`worker.slot`), so the group is what stands before the last one, and nothing else."""

NO_GROUP = "Dead"
"""Kafka's word for the state of a group that it does not know."""

log = structlog.get_logger(__name__)


def transactional_id(settings: Settings, slot: str) -> str:
    """Return the name that a slot publishes under; a new producer of that name ends the old one's work."""
    return f"{settings.kafka.group_id}{SEPARATOR}{slot}"


def is_of_group(settings: Settings, name: str) -> bool:
    """Return whether a transactional id is that of a slot of this group."""
    group, _, slot = name.rpartition(SEPARATOR)
    return group == settings.kafka.group_id and bool(slot)


class AbandonedTransactions:
    """Looks, beside the loop, for open transactions of slots that are no longer in the group."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._began = 0.0
        self._stopped = threading.Event()

    def end_soon(self) -> None:
        """Begin to look, unless that is under way or was done within the last second."""
        if self._settings.worker.delivery != "exactly_once" or time.monotonic() - self._began < EVERY_S:
            return
        if self._thread is None or not self._thread.is_alive():
            self._began = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="abandoned-transactions", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Begin no more looks; one that is under way may end."""
        self._stopped.set()

    def _run(self) -> None:
        """Look until a look has succeeded."""
        wait_s = EVERY_S
        while not self._stopped.is_set():
            try:
                self._end_all()
                return
            except (KafkaError, UnreachableError) as error:
                log.info("abandoned_transactions_wait", error=str(error), next_try_s=wait_s)
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _end_all(self) -> None:
        """End what is abandoned; one that can't be ended keeps none of the others waiting."""
        ours = transactional_id(self._settings, self._settings.worker.slot)
        failure: Exception | None = None
        for name in abandoned(self._settings):
            if name == ours:
                continue  # the producer ends it
            try:
                _end(self._settings, name)
            except (KafkaError, UnreachableError) as error:
                failure = error
        if failure is not None:
            raise failure


def abandoned(settings: Settings) -> list[str]:
    """List the open transactions of this group's slots that have no member in the group.

    Raises
    ------
    UnreachableError
        Where the broker does not answer or does not permit it.
    """
    with administrator(settings.kafka) as client:
        listed: dict[int, list[Any]] = client.list_transactions(state_filters=["Ongoing"])
        names = {entry.transactional_id for entries in listed.values() for entry in entries}
        open_names = {name for name in names if is_of_group(settings, name)}
        if not open_names:
            return []
        group = client.describe_groups([settings.kafka.group_id])[settings.kafka.group_id]
        if group["error"] and group["group_state"] != NO_GROUP:
            raise UnreachableError(f"who is in the group is not known: {group['error']}")
    alive = {transactional_id(settings, str(member["group_instance_id"])) for member in group["members"]}
    return sorted(open_names - alive)


def _end(settings: Settings, name: str) -> None:
    with heir(settings, name):
        log.info("abandoned_transaction_ended", transactional_id=name)
