"""The results of each spectrum brought together, of one partition number of all topics.

Spectra are let go in the order of their leading results (classifications), each once: so the offset of the
first that is still here says all of what is done, and after a restart nothing is asked again. Of the other
topics the offset of the oldest result that is still here is kept; what behind it belongs to spectra that are
done is read again and let go unasked.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from spectraq.workers.filters.result_fields import Work
from spectraq.workers.transport.messages import Record

OVERFULL = 10
"""So many times what may be held, and the first spectrum is let go with what has come of it."""

REMEMBERED = 20_000
"""Leading results of a partition whose copies are known."""


@dataclass(slots=True)
class Progress:
    """How far a topic is read, beside the results themselves.

    Attributes
    ----------
    time_ms
        Of the last message that came.
    position
        Of the message that is read next.
    end, asked
        Where the topic ended when Kafka was asked last, and when that was (monotonic, in s).
    """

    time_ms: int = -1
    position: int = 0
    end: int = 0
    asked: float = -math.inf

    def is_read_up_to(self, moment: float) -> bool:
        """Return whether all that was there at a moment has been read."""
        return self.asked >= moment and self.position >= self.end


@dataclass(slots=True)
class Spectrum:
    """A spectrum whose results are brought together.

    Attributes
    ----------
    lead
        The message of its leading result.
    work
        What its results are of.
    came
        When the leading one came (monotonic, in s).
    parts
        What has come when it is let go.
    """

    lead: Record
    work: Work
    came: float
    parts: dict[str, Record] = field(default_factory=dict)


class _Parts:
    """Results of one kind that wait for their spectrum, in the order of their offsets."""

    def __init__(self) -> None:
        self.by_offset: OrderedDict[int, tuple[Work, Record, float]] = OrderedDict()
        self._by_work: dict[Work, deque[int]] = {}

    def __len__(self) -> int:
        return len(self.by_offset)

    def __contains__(self, work: object) -> bool:
        return work in self._by_work

    def add(self, work: Work, record: Record, now: float) -> None:
        """Keep one."""
        self.by_offset[record.offset] = (work, record, now)
        self._by_work.setdefault(work, deque()).append(record.offset)

    def take(self, work: Work) -> Record | None:
        """Give up the oldest one of some work, and its copies."""
        offsets = self._by_work.pop(work, None)
        if offsets is None:
            return None
        records = [self.by_offset.pop(offset)[1] for offset in offsets]
        return records[0]

    def drop_oldest(self) -> None:
        """Give the oldest one up."""
        offset, (work, _, _) = self.by_offset.popitem(last=False)
        offsets = self._by_work[work]
        offsets.remove(offset)
        if not offsets:
            del self._by_work[work]


class Join:
    """What is in hand of one partition number.

    Parameters
    ----------
    lead
        The kind that every spectrum has one of.
    waits_s
        How long each other kind is waited for: then its topic has been read to its end, or to messages that
        are so much younger than the leading result.
    held
        Results in hand, at most; more are read of the topics alone that the first spectrum waits for.
    """

    def __init__(self, lead: str, waits_s: Mapping[str, float], held: int) -> None:
        self._lead = lead
        self._waits_s = dict(waits_s)
        self._longest_s = max(waits_s.values(), default=0.0)
        self._held = held
        self._queue: deque[Spectrum] = deque()
        self._parts = {kind: _Parts() for kind in waits_s}
        self._waiting: set[Work] = set()
        self._seen: OrderedDict[Work, None] = OrderedDict()
        self.progress = {kind: Progress() for kind in (lead, *waits_s)}

    def add(self, kind: str, record: Record, work: Work, now: float) -> bool:
        """Take a result; false where it is a leading one whose spectrum came before, a copy."""
        self.progress[kind].time_ms = record.timestamp_ms
        if kind != self._lead:
            self._parts[kind].add(work, record, now)
            return True
        if work in self._seen:
            return False
        self._seen[work] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._queue.append(Spectrum(record, work, now))
        self._waiting.add(work)
        return True

    def ready(self) -> Iterator[Spectrum]:
        """Yield the spectra that wait for nothing more, in order."""
        while self._queue and self._is_ready(self._queue[0]):
            spectrum = self._queue.popleft()
            self._waiting.discard(spectrum.work)
            for kind, parts in self._parts.items():
                if (part := parts.take(spectrum.work)) is not None:
                    spectrum.parts[kind] = part
            yield spectrum
        self._let_go_of_orphans()

    def asks(self, now: float) -> set[str]:
        """Return the kinds of which it matters, now, where their topics end."""
        asked = set()
        if self._queue:
            came = self._queue[0].came
            asked = {kind for kind in self._missing(self._queue[0]) if now - came >= self._waits_s[kind]}
        oldest = [next(iter(parts.by_offset.values()))[2] for parts in self._parts.values() if parts]
        if oldest and now - min(oldest) >= self._longest_s:
            asked.add(self._lead)
        return asked

    @property
    def held(self) -> int:
        """How many results are in hand."""
        return len(self._queue) + sum(map(len, self._parts.values()))

    def wanted(self) -> set[str]:
        """Return the kinds to read on: all, or where enough is in hand those that the first one waits for."""
        if self.held < self._held:
            return {self._lead, *self._parts}
        if not self._queue:
            return {self._lead}
        return set(self._missing(self._queue[0]))

    def offset(self, kind: str) -> int | None:
        """Return the offset of the oldest result of a kind that is in hand; None where none is."""
        if kind == self._lead:
            return self._queue[0].lead.offset if self._queue else None
        return next(iter(self._parts[kind].by_offset), None)

    def _missing(self, spectrum: Spectrum) -> list[str]:
        return [kind for kind, parts in self._parts.items() if spectrum.work not in parts]

    def _is_ready(self, spectrum: Spectrum) -> bool:
        if self.held >= OVERFULL * self._held:
            return True
        return all(
            self._is_past(kind, spectrum.lead.timestamp_ms, spectrum.came, self._waits_s[kind])
            for kind in self._missing(spectrum)
        )

    def _is_past(self, kind: str, time_ms: int, came: float, wait_s: float) -> bool:
        """Whether what belongs to a message would have come, were there any."""
        progress = self.progress[kind]
        return 0 <= time_ms < progress.time_ms - wait_s * 1000 or progress.is_read_up_to(came + wait_s)

    def _let_go_of_orphans(self) -> None:
        for parts in self._parts.values():
            while parts:
                work, record, came = next(iter(parts.by_offset.values()))
                waited = self._is_past(self._lead, record.timestamp_ms, came, self._longest_s)
                overfull = self.held >= OVERFULL * self._held and not self._queue
                if work in self._waiting or not (waited or overfull):
                    break
                parts.drop_oldest()
