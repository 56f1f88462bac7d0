"""The results of spectra brought together, of all partitions that are ours, and read as far as asked."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import structlog
from kafka import TopicPartition

from spectraq.schemas.codec import DecodeError
from spectraq.schemas.filtered import Filtered
from spectraq.workers.filters.join import Join, Spectrum
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.result_fields import Work, fields_of, work_of
from spectraq.workers.filters.result_records import LEAD, ResultRecord
from spectraq.workers.settings import Settings
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import Offsets

LEAST_HELD = 200
"""Results of one partition number; fewer would be given up at once, as a poll gives more than that."""

log = structlog.get_logger(__name__)


class Joined:
    """The results of one spectrum.

    Parameters
    ----------
    spectrum
        What came of it.
    records
        Which kinds there are, by name.
    metrics
        Counts what is no result.
    """

    def __init__(
        self, spectrum: Spectrum, records: Mapping[str, ResultRecord], metrics: FilterMetrics
    ) -> None:
        self._records = records
        self._metrics = metrics
        self._came = {LEAD.kind: spectrum.lead, **spectrum.parts}
        self._fields: dict[str, dict[str, Any] | None] = {}
        self.work: Work = spectrum.work
        self.time_ms = spectrum.lead.timestamp_ms

    def fields(self, name: str) -> dict[str, Any] | None:
        """Return the fields of a result; None where it has not come or is none."""
        if name not in self._fields:
            self._fields[name] = self._read(name)
        return self._fields[name]

    def filtered(self, name: str, digest: str) -> Filtered:
        """Return what goes out where the filter of a name, with an expression of a digest, is passed."""
        results = {kind: self.fields(kind) for kind in self._records}
        return Filtered(
            filter=name,
            expression_digest=digest,
            spectrum_id=self.work.spectrum_id,
            results=results,
        )

    def _read(self, name: str) -> dict[str, Any] | None:
        record = self._came.get(name)
        if record is None:
            return None
        try:
            return fields_of(record, self._records[name].record)
        except DecodeError as error:
            note_unreadable(record, name, error, self._metrics)
            return None


class JoinedResults:
    """What is in hand, a `Join` for each partition number.

    Parameters
    ----------
    settings
        The settings in force.
    records
        Every kind of result by name.
    spoken_of
        The records that filters speak of. Of those that only some spectra have, no other is read.
    metrics
        Counts what is incomplete, no result, or a copy.
    """

    def __init__(
        self,
        settings: Settings,
        records: Mapping[str, ResultRecord],
        spoken_of: Collection[str],
        metrics: FilterMetrics,
    ) -> None:
        self._filters = settings.filters
        self._metrics = metrics
        self._records = {
            name: record
            for name, record in records.items()
            if not record.absent and (record.always or name in spoken_of)
        }
        self._kinds = {record.topic: name for name, record in self._records.items()}
        self._joins: dict[int, Join] = {}
        self._positions: Offsets = {}

    @property
    def topics(self) -> list[str]:
        """The topics that are read."""
        return list(self._kinds)

    def begin(self, begins: Offsets) -> None:
        """Drop what is in hand, and begin at the offset of each of our partitions."""
        self._positions = dict(begins)
        waits_s = {
            name: self._filters.wait_s if record.always else self._filters.settle_s
            for name, record in self._records.items()
            if name != LEAD.kind
        }
        self._joins = {
            number: Join(LEAD.kind, waits_s, self._share(begins))
            for number in {partition.partition for partition in begins}
        }

    def _share(self, begins: Offsets) -> int:
        """Return how many results may be in hand of each partition number."""
        return max(self._filters.held // max(len({p.partition for p in begins}), 1), LEAST_HELD)

    def take(self, records: Sequence[Record]) -> None:
        """Take messages as they came."""
        now = time.monotonic()
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            if partition not in self._positions or record.offset < self._positions[partition]:
                continue  # revoked at this moment, or there already
            self._positions[partition] = record.next_offset
            kind = self._kinds[record.topic]
            try:
                if not self._joins[record.partition].add(kind, record, work_of(record), now):
                    self._metrics.copies.inc()
            except DecodeError as error:
                note_unreadable(record, kind, error, self._metrics)

    def ready(self) -> Iterator[Joined]:
        """Yield the spectra whose results are together."""
        for join in self._joins.values():
            for spectrum in join.ready():
                for kind, record in self._records.items():
                    if record.always and kind != LEAD.kind and kind not in spectrum.parts:
                        self._metrics.incomplete.labels(kind).inc()
                        log.warning("result_did_not_come", record=kind, spectrum=spectrum.work.spectrum_id)
                yield Joined(spectrum, self._records, self._metrics)

    def offsets(self) -> Offsets:
        """Return how far all is done: the oldest message in hand of each partition, or where reading is."""
        found = {}
        for partition, position in self._positions.items():
            held = self._joins[partition.partition].offset(self._kinds[partition.topic])
            found[partition] = position if held is None else held
        return found

    def unwanted(self, partitions: Collection[TopicPartition]) -> set[TopicPartition]:
        """Return the partitions that are not to be read now: of those enough is in hand."""
        wanted = {number: join.wanted() for number, join in self._joins.items()}
        return {p for p in partitions if self._kinds[p.topic] not in wanted.get(p.partition, ())}

    def asks(self) -> list[TopicPartition]:
        """Return the partitions of which it matters now where they end."""
        now = time.monotonic()
        asked = {number: join.asks(now) for number, join in self._joins.items()}
        return [p for p in self._positions if self._kinds[p.topic] in asked[p.partition]]

    def note_positions(self, positions: Offsets) -> None:
        """Learn how far each partition is read, past the ends of transactions, too."""
        for partition, position in positions.items():
            if partition in self._positions:
                self._positions[partition] = max(self._positions[partition], position)
                join = self._joins[partition.partition]
                join.progress[self._kinds[partition.topic]].position = self._positions[partition]

    def note_ends(self, ends: Offsets, now: float) -> None:
        """Learn where partitions ended at a moment."""
        for partition, end in ends.items():
            progress = self._joins[partition.partition].progress[self._kinds[partition.topic]]
            progress.end, progress.asked = end, now

    @property
    def is_empty(self) -> bool:
        """Whether no spectrum waits for results."""
        return all(join.offset(LEAD.kind) is None for join in self._joins.values())


def note_unreadable(record: Record, kind: str, error: DecodeError, metrics: FilterMetrics) -> None:
    """Say and count that a message is no result."""
    place = {"topic": record.topic, "partition": record.partition, "offset": record.offset}
    log.warning("no_result", **place, reason=str(error.reason), message=str(error))
    metrics.unreadable.labels(kind).inc()
