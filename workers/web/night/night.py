"""The night so far: the last N results, their counts, the pixels that came with them; memory is bounded."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter, OrderedDict
from typing import Any

from spectraq.models.ranking import (
    INSTRUMENT,
    NO_VERDICTS,
    Flagged,
    FlaggedSpectrum,
    VerdictWeights,
    interest,
)
from spectraq.schemas import codec
from spectraq.schemas.codec import DecodeError
from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.results import Anomaly, Measurement, ModelSpectrum, Result, SharedFault
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.verdict import Verdict
from spectraq.workers.web.night.counts import Counts
from spectraq.workers.web.night.entry import Entry, Row, is_listed, name_of
from spectraq.workers.web.night.filters import Filters
from spectraq.workers.web.night.message_store import Name, Pixels, Place

PIXEL_BYTES = 128 << 20
MODEL_BYTES = 64 << 20
MEASUREMENT_BYTES = 32 << 20
LATEST = 40
CARDS = 12
FAULTS = 200
"""That many spectra share, kept to be shown."""
VERDICTS = 20
"""Of one spectrum, of as many people, the latest."""


class Night:
    """What the page shows, for any number of threads.

    Parameters
    ----------
    keep
        Results that are kept; older ones are let go.
    pixel_bytes
        Bytes of spectra that are kept in memory.
    weights
        What people said of flags before.
    """

    def __init__(
        self, keep: int, pixel_bytes: int = PIXEL_BYTES, weights: VerdictWeights = NO_VERDICTS
    ) -> None:
        self.boot = uuid.uuid4().hex
        self.started = time.time()
        self.keep = keep
        self._weights = weights
        self.lock = threading.RLock()
        self.counts = Counts()
        self.spectra = Pixels(pixel_bytes, 2 * keep)
        self.models = Pixels(MODEL_BYTES, 2 * keep)
        self.measurements = Pixels(MEASUREMENT_BYTES, 2 * keep)
        self._entries: OrderedDict[Name, Entry] = OrderedDict()
        self._digests: dict[str, dict[str, None]] = {}  # of the entries, by spectrum id
        self._verdicts: OrderedDict[str, list[Verdict]] = OrderedDict()
        self._flagged: OrderedDict[Name, Row] = OrderedDict()
        self._faults: OrderedDict[str, SharedFault] = OrderedDict()
        self.trouble = "starting"
        self.judged = 0  # verdicts taken: where it changes, a page asks again
        self.complete_from: float | None = None  # unix seconds: of older results some are not kept

    def take(self, message: Result, body: bytes, at: float) -> None:
        """Keep a result of the three kinds; one that has come before changes nothing."""
        assert is_listed(message)
        with self.lock:
            name = name_of(message)
            entry = self._entries.get(name)
            if entry is None:
                entry = self._entries[name] = Entry(Row(*name))
                self._digests.setdefault(name.spectrum_id, {})[name.digest] = None
                self._let_go(2 * self.keep)
            if entry.names.get(message.kind) == message.result_id:
                return
            if entry.counted:
                self.counts.add(entry.row, -1)
                entry.counted = entry.timed = False
                entry.packed.clear()
                self._entries.move_to_end(name)
            entry.take(message, body, at)
            if isinstance(message, Anomaly):
                self._take_faults(message)
            if entry.complete:
                self._settle(entry)

    def _take_faults(self, anomaly: Anomaly) -> None:
        for fault in anomaly.reported:
            self._faults[fault.fault_id] = fault
            self._faults.move_to_end(fault.fault_id)
        while len(self._faults) > FAULTS:
            self._faults.popitem(last=False)

    def _settle(self, entry: Entry) -> None:
        row = entry.row
        entry.counted = True
        self.counts.add(row)
        self.counts.settled(row)
        self._time(entry)
        self._flagged.pop(entry.name, None)
        if row.flagged:
            self._flagged[entry.name] = row
        self._let_go(self.keep)

    def _let_go(self, most: int) -> None:
        """Forget the oldest. Those that no third result completes may be as many again, not more."""
        while len(self._entries) > most:
            name, gone = self._entries.popitem(last=False)
            self._flagged.pop(name, None)
            self._forget_digest(name)
            self.begin_at(gone.row.at)
            if gone.counted:
                self.counts.add(gone.row, -1)

    def _forget_digest(self, name: Name) -> None:
        digests = self._digests[name.spectrum_id]
        del digests[name.digest]
        if not digests:
            del self._digests[name.spectrum_id]

    def begin_at(self, at: float) -> None:
        """Note that of what is older than this, not everything is kept."""
        self.complete_from = max(at, self.complete_from or 0.0)

    def _time(self, entry: Entry) -> None:
        place = self.spectra.place(entry.name)
        if place is not None and place.at <= entry.row.at and not entry.timed:
            entry.timed = True
            self.counts.waited(entry.row.at - place.at)

    def sort(self) -> None:
        """Bring entries into the order of their times: at the start, partitions are read one by one."""
        with self.lock:
            entries = sorted(self._entries.items(), key=lambda item: item[1].row.at)
            self._entries = OrderedDict(entries)
            self._flagged = OrderedDict((name, e.row) for name, e in entries if name in self._flagged)

    def arrived(self, at: float) -> None:
        """Count a message on the topic of spectra, whatever it is."""
        with self.lock:
            self.counts.spectra.add(at)

    def take_spectrum(self, spectrum: Spectrum, body: bytes, place: Place | None) -> None:
        """Keep a spectrum's message."""
        name = Name(spectrum.spectrum_id, spectrum.digest)
        with self.lock:
            self.spectra.put(name, body, place)
            entry = self._entries.get(name)
            if entry is not None and entry.counted:
                self._time(entry)  # at the start, results may be read before their spectrum

    def take_model(self, model: ModelSpectrum, body: bytes, place: Place | None) -> None:
        """Keep a best fit."""
        with self.lock:
            self.models.put(name_of(model), body, place)

    def take_measurement(self, measurement: Measurement, body: bytes, place: Place | None) -> None:
        """Keep a measurement."""
        with self.lock:
            self.measurements.put(name_of(measurement), body, place)

    def take_letter(self, letter: DeadLetter) -> None:
        """Count a dead letter."""
        self.count_letter(str(letter.reason))

    def count_letter(self, reason: str) -> None:
        """Count what has no results, by the reason."""
        with self.lock:
            self.counts.letters[reason] += 1

    def take_verdict(self, verdict: Verdict) -> None:
        """Keep what a person says, in the place of what the same person said of the same pixels before."""
        with self.lock:
            said = self._verdicts.setdefault(verdict.spectrum_id, [])
            who = (verdict.author, verdict.spectrum_digest)
            before = [other for other in said if (other.author, other.spectrum_digest) == who]
            if all(other.time_ms <= verdict.time_ms for other in before):
                said[:] = [other for other in said if other not in before][-VERDICTS + 1 :]
                said.append(verdict)
                self.judged += 1
            if len(self._verdicts) > self.keep:
                self._verdicts.popitem(last=False)

    def verdicts(self, name: Name) -> list[Verdict]:
        """Return what people said of a spectrum, oldest first; not of other pixels under its id."""
        with self.lock:
            said = self._verdicts.get(name.spectrum_id, ())
            return [verdict for verdict in said if verdict.spectrum_digest in (name.digest, "")]

    def entry(self, name: Name) -> Entry | None:
        """Return what is known of a spectrum."""
        with self.lock:
            return self._entries.get(name)

    def newest(self, spectrum_id: str) -> Name | None:
        """Return which spectrum of an id was answered last; where none was, which came last."""
        with self.lock:
            names = [Name(spectrum_id, digest) for digest in self._digests.get(spectrum_id, ())]
            if not names:
                return self.spectra.newest(spectrum_id)
            return max(names, key=lambda name: (self._entries[name].counted, self._entries[name].row.at))

    def rows(self, filters: Filters) -> tuple[list[Row], int]:
        """Return rows that pass, at most `filters.limit`, and how many pass in all.

        Newest first, or the strangest: what is flagged by its interest, then the others by their score.
        """
        passes = filters.condition()
        with self.lock:
            entries = [entry.row for entry in reversed(self._entries.values()) if entry.counted]
            kinds = Counter(row.kind for row in self._flagged.values())
            kinds.update(fault.kind for fault in self._faults.values())
        passing = [row for row in entries if passes(row)]
        if filters.order == "strangest":
            passing.sort(key=lambda row: self._strangeness(row, kinds), reverse=True)
        return passing[: filters.limit], len(passing)

    def _strangeness(self, row: Row, kinds: Counter[str]) -> tuple[bool, float]:
        """Return what to order by; a fault that many share counts with the spectrum that it is told with."""
        reasons: list[Flagged] = [row] if row.flagged else []
        if row.fault:
            strength = row.fault_strength
            reasons.append(FlaggedSpectrum(row.fault_kind, INSTRUMENT, strength, row.snr, row.survey))
        interests = [interest(reason, kinds, self._weights) for reason in reasons]
        return bool(reasons), max(interests, default=row.score)

    def as_json(self) -> dict[str, Any]:
        """Return the frame of the stream view."""
        now = time.time()
        with self.lock:
            latest = [e.row.as_json() for e in _last(self._entries, 2 * LATEST) if e.counted][:LATEST]
            cards = [row.as_json() for row in _last(self._flagged, CARDS)]
            faults = [
                fault.model_dump() | {"shown": self.counts.shared[fault.fault_id]}
                for fault in _last(self._faults, CARDS)
            ]
            return {
                "boot": self.boot,
                "started": self.started,
                "now": now,
                "kept": len(self._entries),
                "keep": self.keep,
                "complete_from": self.complete_from,
                "trouble": self.trouble,
                "judged": self.judged,
                **self.counts.as_json(now),
                "latest": latest,
                "anomalies": cards,
                "faults": faults,
            }


def _last(items: OrderedDict[Any, Any], n: int) -> list[Any]:
    return [item for item, _ in zip(reversed(items.values()), range(n), strict=False)]


def decoded(body: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> Result | DeadLetter | Verdict | None:
    """Return a message of the result topics; None if it is not one of our messages."""
    try:
        message = codec.decode(body, headers)
    except DecodeError:
        return None
    return message if isinstance(message, (Result, DeadLetter, Verdict)) else None
