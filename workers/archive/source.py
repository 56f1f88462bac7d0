"""The sink's end of the topics of results: joins its group, reads, begins where the tables say.

The group shares out the partitions and no more: what is read and not written is known by the tables alone. So
members have no static name, and what the group commits is for those who look at its lag.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from spectraq.workers.errors import UnreachableError
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.group_member import GroupMember
from spectraq.workers.transport.group_options import Role

POLL_RECORDS = 1000
BEYOND_REST_S = 0.2


def topic_ids(settings: Settings, topics: list[str]) -> dict[str, str]:
    """Return the identity of each topic that exists; one that is made anew under its name has another.

    Raises
    ------
    UnreachableError
        Where the broker does not answer, or is older than 2.8 and tells none.
    """
    with administrator(settings.kafka) as client:
        described = client.describe_topics(topics)
    found = {topic["name"]: topic.get("topic_id") for topic in described if not topic["error_code"]}
    if unnamed := [name for name, identity in found.items() if identity is None]:
        raise UnreachableError(
            f"Kafka tells no identity of topic {unnamed[0]}; the archive needs Kafka 2.8 or newer"
        )
    return {name: str(identity) for name, identity in found.items()}


class ResultReader(GroupMember):
    """A member of the group of sinks.

    Parameters
    ----------
    settings
        The settings in force.
    topics
        Whose partitions are shared out.
    epoch, watchdog
        As of `GroupMember`.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """

    def __init__(self, settings: Settings, topics: list[str], epoch: Epoch, watchdog: Watchdog) -> None:
        role = Role("sink", settings.worker.slot, settings.archive.group_id, POLL_RECORDS, static=False)
        super().__init__(settings.kafka, role, topics, epoch, watchdog)

    def tell(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets to the group, for those who look at its lag; what fails is of no account."""
        entries = {partition: OffsetAndMetadata(offset, "", -1) for partition, offset in offsets.items()}
        if entries and self.joined:
            with suppress(KafkaError):
                self._client.commit_async(entries)

    def _go_on_after(self, asked: dict[TopicPartition, int]) -> None:
        super()._go_on_after(asked)
        try:
            ends = self.offsets.ends()
        except KafkaError as error:
            self.trouble = str(error)
            return
        if beyond := [
            partition for partition, offset in asked.items() if offset > ends.get(partition, offset)
        ]:
            # a topic that was made anew has another identity, which the tables have no offsets of
            self.trouble = f"{beyond[0].topic} ends before what the archive has of it: was it made anew?"
            self._epoch.move("beyond the end")
            time.sleep(BEYOND_REST_S)
