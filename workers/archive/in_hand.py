"""What a sink has in hand: rows of all tables, and the offsets behind them, until both are written.

Nothing else is kept anywhere: what is dropped is read again from the offsets that the tables hold.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import structlog
from kafka import TopicPartition

from spectraq.schemas.codec import DecodeError, decode
from spectraq.schemas.message import Message
from spectraq.schemas.results import Result
from spectraq.workers.archive.columns import KINDS, UNREADABLE, row_of, row_of_unreadable
from spectraq.workers.archive.metrics import SinkMetrics
from spectraq.workers.archive.pending import Pending
from spectraq.workers.archive.remembered import Remembered
from spectraq.workers.archive.table import ArchiveTable, Source
from spectraq.workers.archive_settings import ArchiveSettings
from spectraq.workers.transport.messages import Record

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Written:
    """What a sink has done."""

    rows: int = 0
    duplicates: int = 0
    unreadable: int = 0

    def __str__(self) -> str:
        return f"{self.rows} rows, {self.duplicates} duplicates left out, {self.unreadable} unreadable"


class InHand:
    """Rows that were read and are not written, of all tables.

    Parameters
    ----------
    tables
        That rows are written to, by topic.
    unreadable
        The table of what is no result.
    settings
        How much may be in hand.
    metrics
        Counts what is written, and what is not.

    Attributes
    ----------
    next_offsets
        Of each partition, the offset behind what is written or in hand.
    written
        What has been written so far.
    """

    def __init__(
        self,
        tables: Mapping[str, ArchiveTable],
        unreadable: ArchiveTable,
        settings: ArchiveSettings,
        metrics: SinkMetrics,
    ) -> None:
        self.written = Written()
        self.next_offsets: dict[TopicPartition, int] = {}
        self._tables = {topic: table.name for topic, table in tables.items()}
        # in this order they are written
        self._pending = {table.name: Pending(table) for table in (unreadable, *tables.values())}
        self._settings = settings
        self._metrics = metrics
        self._ids: Mapping[str, str] = {}
        self._strange_next: dict[TopicPartition, int] = {}  # of what is no result, which is written before
        self._remembered: dict[TopicPartition, Remembered] = {}

    @property
    def is_full(self) -> bool:
        """Whether no more may be taken before it is written."""
        rows = sum(pending.rows for pending in self._pending.values())
        size = sum(pending.bytes for pending in self._pending.values())
        return rows >= self._settings.commit_rows or size >= self._settings.commit_bytes

    @property
    def is_due(self) -> bool:
        """Whether it is time to write."""
        begun = [pending.since for pending in self._pending.values() if pending.since is not None]
        waited = bool(begun) and time.monotonic() - min(begun) >= self._settings.commit_s
        return self.is_full or waited

    def drop(self) -> None:
        """Forget all of it."""
        for pending in self._pending.values():
            pending.drop()

    def begin(
        self, partitions: Collection[TopicPartition], ids: Mapping[str, str]
    ) -> dict[TopicPartition, int | None]:
        """Look at the tables, and return where each partition goes on; None: at its beginning.

        Parameters
        ----------
        partitions
            That are ours to read.
        ids
            Identity of each topic.

        Raises
        ------
        DeliveryError
            Where a table can't be read.
        """
        self._ids = ids
        for pending in self._pending.values():
            pending.table.refresh()
        begins = {
            p: self._pending[self._tables[p.topic]].table.next_offset(self._source(p)) for p in partitions
        }
        strange = self._pending[UNREADABLE].table
        self._strange_next = {p: strange.next_offset(self._source(p)) or 0 for p in partitions}
        self._remember(begins)
        self.next_offsets = {p: begin or 0 for p, begin in begins.items()}
        return begins

    def take(self, records: Sequence[Record]) -> None:
        """Take messages as rows; those of partitions that `begin` did not name are left out."""
        ordered = sorted(records, key=lambda record: record.topic)
        for topic, of_topic in groupby(ordered, key=lambda record: record.topic):
            name = self._tables[topic]
            rows: list[dict[str, Any]] = []
            strange: list[dict[str, Any]] = []
            offsets: dict[Source, int] = {}
            for record in of_topic:
                partition = TopicPartition(record.topic, record.partition)
                if partition not in self.next_offsets or record.offset < self.next_offsets[partition]:
                    continue  # revoked at this moment, or there already
                self.next_offsets[partition] = offsets[self._source(partition)] = record.next_offset
                self._sort(name, partition, record, rows, strange)
            self._pending[name].add(rows, offsets)
            self._pending[UNREADABLE].add(strange, offsets if strange else {})

    def _sort(
        self,
        name: str,
        partition: TopicPartition,
        record: Record,
        rows: list[dict[str, Any]],
        strange: list[dict[str, Any]],
    ) -> None:
        """Add a message to the rows of its table, to those of what is none, or to neither."""
        try:
            message = _message_of(record, KINDS[name])
            if isinstance(message, Result) and not self._remembered[partition].is_new(
                record.offset, message.result_id
            ):
                self.written.duplicates += 1
                self._metrics.duplicates.labels(name).inc()
                return
            rows.append(row_of(record, message))
        except DecodeError as error:
            place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
            if record.offset < self._strange_next[partition]:
                return
            log.warning("no_result", **place, reason=str(error.reason), message=str(error))
            strange.append(row_of_unreadable(record, str(error.reason), str(error)))
            self.written.unreadable += 1
            self._metrics.unreadable.labels(name).inc()

    def write(self) -> None:
        """Write all of it, table by table.

        Raises
        ------
        DeliveryError
            As `ArchiveTable.append` does; what is left has to be dropped.
        """
        for name, pending in self._pending.items():
            rows, any_message = pending.rows, pending.since is not None
            pending.write()
            if any_message:
                self.written.rows += rows if name != UNREADABLE else 0
                self._metrics.rows.labels(name).inc(rows)
                self._metrics.commits.labels(name).inc()

    def _remember(self, begins: dict[TopicPartition, int | None]) -> None:
        """Learn the results that each partition had last."""
        self._remembered = {p: Remembered(self._settings.remembered) for p in begins}
        for topic, name in self._tables.items():
            ends = {self._source(p): end for p, end in begins.items() if end and p.topic == topic}
            rows = sorted(self._pending[name].table.remembered(ends, self._settings.remembered))
            for number, group in groupby(rows, key=lambda row: row[0]):
                known = ((offset, result_id) for _, offset, result_id in group)
                self._remembered[TopicPartition(topic, number)].learn(known)

    def _source(self, partition: TopicPartition) -> Source:
        return self._ids[partition.topic], partition.partition


def _message_of(record: Record, kind: type[Message]) -> Message:
    if record.damage is not None:
        raise DecodeError(record.damage.reason, record.damage.why)
    return decode(record.value, record.headers, expect=kind)
