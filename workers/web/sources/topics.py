"""Fill the night from the topics: from a little before their ends, and then as it comes.

The reader belongs to no group and commits nothing, so every page sees everything, a page that is killed
leaves nothing behind, and no worker waits for it. What was kept is read again at the next start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog
from kafka import TopicPartition
from kafka.errors import KafkaError

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.results import Measurement, ModelSpectrum, Result
from spectraq.schemas.verdict import Verdict
from spectraq.workers.errors import UnreachableError
from spectraq.workers.operations.masking import masked
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.topics import list_topics
from spectraq.workers.web.night.entry import is_listed, is_ours
from spectraq.workers.web.night.message_store import Place
from spectraq.workers.web.night.night import Night, decoded
from spectraq.workers.web.night.spectrum_json import quickly_decoded

log = structlog.get_logger(__name__)

POLL_S = 0.25
RETRY_S = 1.0
PIXELS_BACK = 200
"""Spectra a partition that are read again at the start; older ones are looked up when asked for."""
LETTERS_BACK = 1000
RESULT_BYTES = 64 << 10
"""A worker's result takes a few thousand bytes; one beyond this is not kept, so that memory stays bounded."""


class Following(threading.Thread):
    """Follows the topics until `stop` is set; with Kafka gone it waits, and goes on where it was.

    Parameters
    ----------
    settings
        Where Kafka is, and the names of the topics.
    night
        What is filled.
    """

    def __init__(self, settings: Settings, night: Night) -> None:
        super().__init__(name="following", daemon=True)
        self.stop = threading.Event()
        self._settings, self._night = settings, night
        self._next: dict[TopicPartition, int] = {}
        self._jumped: set[TopicPartition] = set()  # older results lie there, and are not read
        topics = settings.topics
        self._takes: dict[str, Callable[[Record], None]] = {
            **dict.fromkeys(topics.of_spectra, self._spectrum),
            topics.classifications: self._result,
            topics.redshifts: self._result,
            topics.anomalies: self._result,
            topics.models: self._model,
            topics.measurements: self._measurement,
            topics.dead_letters: self._letter,
            topics.verdicts: self._verdict,
        }

    def run(self) -> None:
        """Follow, and begin again whenever the reader fails."""
        while not self.stop.is_set():
            try:
                self._follow()
            except (UnreachableError, KafkaError, OSError) as error:
                self._night.trouble = masked(str(error)) or type(error).__name__
                log.warning("page_cannot_read", error=self._night.trouble)
                self.stop.wait(RETRY_S)

    def _follow(self) -> None:
        present = {topic.name for topic in list_topics(self._settings) if topic.partitions}
        topics = self._settings.topics
        needed = set(self._takes) - {topics.models, topics.measurements, topics.verdicts}
        if missing := needed - present:
            raise UnreachableError(
                f"Kafka shows no topic {', '.join(sorted(missing))}; make them with `spectraq topics create`,"
                " or ask for the right to read them"
            )
        with Follower(self._settings, sorted(present & set(self._takes))) as follower:
            self._night.trouble = "reading what was published before"
            ends, filled = self._go_back(follower), False
            while not self.stop.is_set():
                records = follower.poll(POLL_S)
                for record in records:
                    self._take(record)
                if not filled and follower.reached(ends):
                    self._night.sort()
                    self._night.trouble, filled = "", True

    def _take(self, record: Record) -> None:
        partition = TopicPartition(record.topic, record.partition)
        if partition in self._jumped:
            self._jumped.remove(partition)
            self._night.begin_at(_place(record).at)
        self._takes[record.topic](record)
        self._next[partition] = record.next_offset

    def _go_back(self, follower: Follower) -> dict[TopicPartition, int]:
        """Seek to where the last reader was, or to a little before the ends, and return the ends."""
        ends, begins = follower.ends(), follower.begins()
        topics = self._settings.topics
        for partition, end in ends.items():
            shares = sum(other.topic == partition.topic for other in ends)
            back = dict.fromkeys((*topics.of_spectra, topics.models, topics.measurements), PIXELS_BACK)
            back[topics.dead_letters] = LETTERS_BACK
            start = end - back.get(partition.topic, -(-self._night.keep // shares))
            next_offset = self._next.get(partition)
            start = min(max(start if next_offset is None else next_offset, begins[partition]), end)
            if self._takes[partition.topic] == self._result and start > (next_offset or begins[partition]):
                self._jumped.add(partition)
            follower.seek(partition, start)
        return ends

    def _spectrum(self, record: Record) -> None:
        place = _place(record)
        self._night.arrived(place.at)
        spectrum = quickly_decoded(record.value, record.headers)
        if spectrum is not None:
            self._night.take_spectrum(spectrum, codec.encode(spectrum), place)

    def _model(self, record: Record) -> None:
        message = decoded(record.value, record.headers)
        if isinstance(message, ModelSpectrum) and is_ours(message):
            self._night.take_model(message, _body(record), _place(record))

    def _measurement(self, record: Record) -> None:
        message = decoded(record.value, record.headers)
        if isinstance(message, Measurement) and is_ours(message):
            self._night.take_measurement(message, _body(record), _place(record))

    def _result(self, record: Record) -> None:
        if len(record.value) > RESULT_BYTES:
            return
        message = decoded(record.value, record.headers)
        if isinstance(message, Result) and is_listed(message) and is_ours(message):
            self._night.take(message, _body(record), _place(record).at)

    def _verdict(self, record: Record) -> None:
        message = decoded(record.value, record.headers)
        if isinstance(message, Verdict):
            self._night.take_verdict(message)

    def _letter(self, record: Record) -> None:
        message = decoded(record.value, record.headers)
        if isinstance(message, DeadLetter):
            self._night.take_letter(message)


def _body(record: Record) -> bytes:
    """Return what is kept without its headers."""
    return codec.own_frame(record.value, record.headers)


def _place(record: Record) -> Place:
    now = time.time()  # a producer's clock may be anything; what has come is not of the future
    time_s = min(record.timestamp_ms / 1000, now) if record.timestamp_ms > 0 else now
    return Place(record.topic, record.partition, record.offset, time_s)
