"""Records that Kafka deleted before they were read: said aloud, counted, and gone on from."""

from __future__ import annotations

from typing import Any

import structlog
from kafka import TopicPartition

log = structlog.get_logger(__name__)


class Overtaken:
    """Moves partitions whose next offset is not there any more to the oldest record that is.

    The client would do so by itself, and silently.

    Parameters
    ----------
    client
        The `KafkaConsumer`.

    Attributes
    ----------
    records
        That nobody will ever read.
    """

    def __init__(self, client: Any) -> None:
        self.records = 0
        self._client = client
        self._counted: dict[TopicPartition, int] = {}  # until a commit, every rewind asks for them again

    def go_on(self, asked: dict[TopicPartition, int], timeout_ms: int) -> None:
        """Go on after what is gone.

        Parameters
        ----------
        asked
            The offset that was asked for, by partition.

        Raises
        ------
        KafkaError
            Where Kafka does not say what is there; the next poll asks again.
        """
        oldest = self._client.beginning_offsets(list(asked), timeout_ms=timeout_ms)
        for partition, offset in asked.items():
            begin = oldest[partition]
            lost = max(begin - max(offset, self._counted.get(partition, 0)), 0)
            self.records += lost
            self._counted[partition] = begin
            self._client.seek(partition, begin)
            log.error(
                "retention_overtook_the_worker" if begin > offset else "the_topic_was_made_anew",
                topic=partition.topic,
                partition=partition.partition,
                asked=offset,
                oldest=begin,
                lost=lost,
            )
