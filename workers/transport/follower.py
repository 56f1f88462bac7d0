"""Read topics without being part of a group: nothing is committed, nobody else's reading is disturbed."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

from kafka import KafkaConsumer, TopicPartition

from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import KafkaSettings, Settings
from spectraq.workers.transport.connection import client_options, close_quietly, reaching
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.reader import readable, reader

PARTITION_BYTES = 4 << 20


def groupless_reader(kafka: KafkaSettings, role: str, partition_bytes: int) -> KafkaConsumer:
    """Return a client that sees what is committed, belongs to no group and commits nothing.

    Parameters
    ----------
    kafka, role
        As of `client_options`.
    partition_bytes
        Bytes that a partition gives in one response.

    Raises
    ------
    UnreachableError
        Where the broker does not answer.
    """
    options = client_options(kafka, role) | {
        "group_id": None,
        "enable_auto_commit": False,
        "isolation_level": "read_committed",
        "max_partition_fetch_bytes": partition_bytes,
        "fetch_max_wait_ms": 100,
    }
    return reader(kafka, options)


class Follower:
    """All partitions of some topics, from their beginning or their end, as a read_committed reader sees them.

    Raises
    ------
    UnreachableError
        Where the broker does not answer, or a topic does not exist.
    """

    def __init__(self, settings: Settings, topics: Sequence[str], from_beginning: bool = False) -> None:
        self._client = groupless_reader(settings.kafka, "follower", PARTITION_BYTES)
        try:
            with reaching(settings.kafka):
                self._assign(topics, from_beginning)
        except BaseException:
            self.close()
            raise

    def _assign(self, topics: Sequence[str], from_beginning: bool) -> None:
        self.partitions: list[TopicPartition] = []
        for topic in topics:
            numbers = self._client.partitions_for_topic(topic)
            if not numbers:
                raise UnreachableError(
                    f"topic {topic} does not exist; create it with `spectraq topics create`"
                )
            self.partitions += [TopicPartition(topic, number) for number in sorted(numbers)]
        self._client.assign(self.partitions)
        # Read at once: a lazy seek to the end would miss what arrives before the first poll.
        starts = self._client.beginning_offsets(self.partitions) if from_beginning else self.ends()
        for partition, offset in starts.items():
            self._client.seek(partition, offset)

    def __enter__(self) -> Self:
        """Return the follower."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def close(self) -> None:
        """Close the client."""
        close_quietly(self._client)

    def poll(self, timeout_s: float) -> list[Record]:
        """Return what has come, waiting at most `timeout_s` for the first message.

        A record batch that can't be read is stepped over, and said in the log.
        """
        return readable(self._client.poll(timeout_ms=int(timeout_s * 1000)))

    def ends(self) -> dict[TopicPartition, int]:
        """Return the end of each partition, as this reader may see it."""
        ends: dict[TopicPartition, int] = self._client.end_offsets(self.partitions)
        return ends

    def begins(self) -> dict[TopicPartition, int]:
        """Return the oldest offset kept of each partition; a seek to before it would go to the end."""
        begins: dict[TopicPartition, int] = self._client.beginning_offsets(self.partitions)
        return begins

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on reading a partition from an offset."""
        self._client.seek(partition, offset)

    def seek_to_time(self, since_ms: int) -> None:
        """Go on with the first message of each partition that is not older (milliseconds since 1970 UTC)."""
        ends = self.ends()
        offsets = self._client.offsets_for_times(dict.fromkeys(self.partitions, since_ms))
        for partition in self.partitions:
            first = offsets.get(partition)
            self._client.seek(partition, ends[partition] if first is None else first.offset)

    def drained(self) -> bool:
        """Return whether everything that is there now has been returned by `poll`."""
        return self.reached(self.ends())

    def reached(self, ends: dict[TopicPartition, int]) -> bool:
        """Return whether everything before these offsets has been returned by `poll`."""
        return all(self._client.position(partition) >= end for partition, end in ends.items())
