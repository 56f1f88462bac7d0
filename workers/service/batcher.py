"""Gathers records into batches, bounded in count, pixels, bytes and time."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from itertools import count

from kafka import TopicPartition
from kafka.structs import ConsumerGroupMetadata

from spectraq.models.observation import Observation
from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.settings import WorkerSettings
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.offsets import Offsets

AHEAD = 2
"""Batches that may wait here: one to hand over at once, one to fill meanwhile."""

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Readable:
    """A record that holds a spectrum that can be analysed."""

    record: Record
    spectrum: Spectrum
    observation: Observation

    @property
    def pixels(self) -> int:
        """Pixels of the spectrum."""
        return int(self.observation.flux.size)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that holds none, and the dead letter that says why."""

    record: Record
    letter: DeadLetter
    pixels: int = 0


Item = Readable | Unreadable


@dataclass(frozen=True, slots=True)
class Batch:
    """Records that are analysed, published and committed together, in the order they were read."""

    items: tuple[Item, ...]
    epoch: int
    membership: ConsumerGroupMetadata  # of the poll that returned the first of them
    number: int = field(default_factory=lambda: next(_numbers))

    @property
    def offsets(self) -> Offsets:
        """The next offset of each partition once all of this is published."""
        return {
            TopicPartition(item.record.topic, item.record.partition): item.record.next_offset
            for item in self.items
        }


class Batcher:
    """Fills batches in the order of the records.

    A batch is due when it is full, when its oldest record has waited `max_wait_s`, and at once where the
    networks have nothing to do: a spectrum that comes alone waits for no other. Whoever takes batches takes
    one only when there is room for it, so under load they grow by themselves up to the bounds, and a slow
    transaction does not pile up small ones.
    """

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._urgent: deque[tuple[Item, float]] = deque()
        self._items: deque[tuple[Item, float]] = deque()
        self._membership: ConsumerGroupMetadata | None = None
        self._pixels = 0
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._items)

    @property
    def full(self) -> bool:
        """Whether to stop fetching."""
        return (
            len(self._items) >= AHEAD * self._settings.batch_spectra
            or self._pixels >= AHEAD * self._settings.batch_pixels
            or self._bytes >= AHEAD * self._settings.batch_bytes
        )

    def add(self, items: list[Item], membership: ConsumerGroupMetadata, urgent: bool = False) -> None:
        """Append what one poll returned; what is urgent is taken first, in batches of its own."""
        now = time.monotonic()
        if not len(self):
            self._membership = membership
        for item in items:
            (self._urgent if urgent else self._items).append((item, now))
            self._pixels += item.pixels
            self._bytes += len(item.record.value)

    def due_in_s(self, idle: bool) -> float | None:
        """Seconds until a batch is due: 0 when it is, or the networks are `idle`; None without records."""
        if not len(self):
            return None
        if idle or self._urgent or self._filled():
            return 0.0
        return max(self._items[0][1] + self._settings.max_wait_s - time.monotonic(), 0.0)

    def take(self, epoch: int) -> Batch:
        """Take the oldest records, as many as one batch holds, at least one."""
        assert self._membership is not None
        waiting = self._urgent or self._items
        items: list[Item] = []
        pixels = size = 0
        while waiting and len(items) < self._settings.batch_spectra:
            item = waiting[0][0]
            pixels += item.pixels
            size += len(item.record.value)
            if items and (pixels > self._settings.batch_pixels or size > self._settings.batch_bytes):
                break
            waiting.popleft()
            self._pixels -= item.pixels
            self._bytes -= len(item.record.value)
            items.append(item)
        return Batch(tuple(items), epoch, self._membership)

    def clear(self) -> int:
        """Drop everything, and return how many records that were."""
        dropped = len(self)
        self._urgent.clear()
        self._items.clear()
        self._pixels = self._bytes = 0
        return dropped

    def _filled(self) -> bool:
        return (
            len(self._items) >= self._settings.batch_spectra
            or self._pixels >= self._settings.batch_pixels
            or self._bytes >= self._settings.batch_bytes
        )
