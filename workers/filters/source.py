"""The filters' end of the topics of results: a member of their group that goes back to what is committed.

All partitions of one number go to one member, since the results of a spectrum lie in those.
"""

from __future__ import annotations

import structlog
from kafka.errors import KafkaError

from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_member import GroupMember
from spectraq.workers.transport.group_options import Role
from spectraq.workers.transport.offsets import Offsets

POLL_RECORDS = 500

log = structlog.get_logger(__name__)


class FilterReader(GroupMember):
    """A member of the group of filters.

    Parameters
    ----------
    settings
        The settings in force.
    topics
        Whose partitions are shared out.
    epoch, watchdog
        As of `GroupMember`.
    group_id
        Of the group; None: that of the filters.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """

    def __init__(
        self,
        settings: Settings,
        topics: list[str],
        epoch: Epoch,
        watchdog: Watchdog,
        group_id: str | None = None,
    ) -> None:
        role = Role(
            "filters",
            settings.worker.slot,
            group_id or settings.filters.group_id,
            POLL_RECORDS,
            static=False,
            together=True,
        )
        super().__init__(settings.kafka, role, topics, epoch, watchdog)

    def begins(self) -> Offsets | None:
        """Go back to the committed offset of every partition we own, and return where each begins.

        None where Kafka does not tell them, as while a transaction of a dead process is open.
        """
        committed = self.rewind()
        if committed is None:
            return None
        new = sorted(self.assignment - committed.keys())
        try:
            with self._deadline("oldest offsets"):
                begins: Offsets = self._client.beginning_offsets(new, timeout_ms=int(self._call_s * 1000))
        except KafkaError as error:
            log.warning("rewind_waits", error=str(error))
            return None
        self.seek(begins)
        return begins | {partition: start.offset for partition, start in committed.items()}

    def partitions(self) -> dict[str, set[int]]:
        """Return the partition numbers of each topic, as far as known."""
        with self._deadline("partitions"):
            return {topic: set(self._client.partitions_for_topic(topic) or ()) for topic in self._topics}
