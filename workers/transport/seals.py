"""Keeps fetched record batches packed until somebody has written down that they are about to be unpacked.

What ends the process while it is unpacked would end each successor, too, and none would know. Nothing is
written before the bytes are here: a Kafka that does not answer, or a process that is stopped while it waits,
says nothing about a batch.
"""

from __future__ import annotations

from collections.abc import Collection

from kafka import KafkaConsumer, TopicPartition

from spectraq.workers.transport.client_repairs import fetcher_of
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import Offsets


class Seals:
    """Says of which partitions batches are unpacked by `poll`, and unpacks those of the others one by one.

    Until `close`, batches of all partitions are unpacked by `poll`. From then on a partition is sealed until
    its seal is lifted, and again as soon as the epoch moves.

    Parameters
    ----------
    client
        Made by `reader`.
    epoch
        Of the assignment.
    """

    def __init__(self, client: KafkaConsumer, epoch: Epoch) -> None:
        self._fetcher = fetcher_of(client)
        self._epoch = epoch
        self._lifted: frozenset[TopicPartition] = frozenset()
        self._lifted_in = -1

    def close(self) -> None:
        """Have nothing unpacked from now on that nobody asks for."""
        self._fetcher.sealed = self.sealed

    def sealed(self, partition: TopicPartition) -> bool:
        """Return whether batches of a partition wait until they are asked for."""
        return partition not in self._lifted or self._lifted_in != self._epoch.value

    def lift(self, partitions: Collection[TopicPartition], epoch: int) -> None:
        """Let `poll` unpack what comes of these partitions, as long as the epoch lasts."""
        self._lifted, self._lifted_in = frozenset(partitions), epoch

    def waiting(self) -> Offsets:
        """Return the partitions of which a packed batch is here, and the next offset of each.

        Those that have waited longest come first.
        """
        return dict(self._fetcher.waiting())

    def unpack(self, partition: TopicPartition, unread: bool) -> list[Record]:
        """Return the records of the one batch that waits.

        Parameters
        ----------
        partition
            One of `waiting`.
        unread
            Step over the batch as one that can't be read.
        """
        records: list[Record] = self._fetcher.unpack(partition, unread)
        return records
