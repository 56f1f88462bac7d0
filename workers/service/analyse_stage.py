"""The middle of the worker: a batch of records becomes messages to publish."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import structlog

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.workers.cache.answers import Cache, Cached
from spectraq.workers.cache.stream_reference import StreamReference
from spectraq.workers.contract.convert import Results, Subject, messages
from spectraq.workers.contract.outgoing import outgoing_results
from spectraq.workers.deadletters.write import dead_letter, outgoing_letter
from spectraq.workers.inference import Failure, SafeInference
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.operations.watchdog import Watchdog
from spectraq.workers.service.batcher import Batch, Readable
from spectraq.workers.service.history import NO_HISTORY, NOTHING_BESIDE, Beside, History
from spectraq.workers.settings import Settings, WorkerSettings
from spectraq.workers.transport.epoch import Epoch
from spectraq.workers.transport.messages import Outgoing

if TYPE_CHECKING:
    from spectraq.workers.service.change_stage import ChangeStage

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer, twice."""

    given: Answer  # as the networks gave it: what the cache keeps
    published: Answer  # its anomaly judged by the stream


@dataclass(frozen=True, slots=True)
class Analysed:
    """A batch with everything that is to be published for it."""

    batch: Batch
    outgoing: tuple[Outgoing, ...]
    answered: tuple[tuple[Subject, Judged], ...]
    cached: int  # of these, from the cache
    duplicates: int  # of the cached, those whose id was answered before
    reasons: dict[str, int]  # dead letters by reason
    changes: dict[str, int]  # spectra by what became of the comparison with an earlier one


class Analyst:
    """Answers batches: from the cache what is known, from the networks the rest.

    1. Drop a batch of an older epoch: somebody else reads it again.
    2. Look all spectra up in the cache, in one round trip.
    3. Where changes are asked for: remember the spectra, and find the earlier one of each object.
    4. Ask the networks for the others; a spectrum that breaks them becomes a dead letter.
    5. Judge anomalies by what the stream has shown to be normal, and add to that what was answered now.
    6. Compare each spectrum with the earlier one of its object.
    7. Write the results of each spectrum, and the dead letters, as messages.

    Parameters
    ----------
    numbers
        What to write into the frame of each kind of record, by its name, in place of its schema's own number.
    hand_on
        Takes what is to be published.
    drop
        Takes a batch that is not to be published.
    changes
        The memory of objects; None where nothing is compared.
    """

    def __init__(
        self,
        settings: Settings,
        analysis: SafeInference,
        cache: Cache,
        stream: StreamReference,
        epoch: Epoch,
        watchdog: Watchdog,
        metrics: Metrics,
        numbers: Mapping[str, int],
        hand_on: Callable[[Analysed], None],
        drop: Callable[[Batch], None],
        changes: ChangeStage | None = None,
    ) -> None:
        self._settings = settings
        self._analysis = analysis
        self._cache = cache
        self._stream = stream
        self._epoch = epoch
        self._watchdog = watchdog
        self._metrics = metrics
        self._numbers = numbers
        self._hand_on = hand_on
        self._drop = drop
        self._changes = changes

    def __call__(self, batch: Batch) -> None:
        """Analyse one batch and hand it on."""
        # 1. An older epoch
        if batch.epoch != self._epoch.value:
            self._drop(batch)
            return
        readable = [item for item in batch.items if isinstance(item, Readable)]
        # 2. The cache
        with self._metrics.stage_seconds.labels("look_up").time():
            cached = self._look_up(readable)
        # 3. The memory of objects
        with self._metrics.stage_seconds.labels("remember").time():
            histories = self._changes.look_up(readable) if self._changes else [NO_HISTORY] * len(readable)
        # 4. The networks
        with self._metrics.stage_seconds.labels("analyse").time():
            answers, earlier = self._answers(readable, cached, histories)
        # 5. The stream
        with self._metrics.stage_seconds.labels("judge").time():
            judged = self._judged(readable, cached, answers)
        # 6. Changes
        with self._metrics.stage_seconds.labels("compare").time():
            beside = self._beside(readable, judged, histories, earlier)
        # 7. Messages
        with self._metrics.stage_seconds.labels("write").time():
            analysed = self._write(batch, cached, judged, beside)
        self._hand_on(analysed)

    def _look_up(self, readable: list[Readable]) -> list[Cached]:
        extra = _extra(self._settings.worker)
        if Extra.MODEL in extra:
            return [Cached() for _ in readable]  # entries hold no model spectrum
        subjects = [Subject.of(item.spectrum) for item in readable]
        return self._cache.get_many(subjects, measured=Extra.MEASUREMENT in extra)

    def _answers(
        self, readable: list[Readable], cached: list[Cached], histories: list[History]
    ) -> tuple[list[Answer | Failure], list[Answer | Failure | None]]:
        """Return the answers, and those to the earlier spectra that some are compared with."""
        extra = _extra(self._settings.worker)
        pairs = [history.observed is not None for history in histories]
        unknown = [
            item.observation
            for item, entry, paired in zip(readable, cached, pairs, strict=True)
            if not (entry.answer or paired)
        ]
        newer = [item.observation for item, paired in zip(readable, pairs, strict=True) if paired]
        before = [history.observed for history in histories if history.observed is not None]
        with self._watchdog.deadline(self._settings.worker.analysis_timeout_s, "the networks"):
            answered = iter(self._analysis.answers(unknown, extra))
            of_pairs = iter(self._analysis.answers([*newer, *before], extra | Extra.MODEL) if newer else [])
            of_newer = iter([next(of_pairs) for _ in newer])
        self._metrics.batch_limit.set(self._analysis.limit)
        answers = [
            next(of_newer) if paired else entry.answer or next(answered)
            for entry, paired in zip(cached, pairs, strict=True)
        ]
        return answers, [next(of_pairs) if paired else None for paired in pairs]

    def _judged(
        self, readable: list[Readable], cached: list[Cached], answers: list[Answer | Failure]
    ) -> list[Judged | Failure]:
        """Have the stream judge the anomalies; what comes from the cache teaches it nothing new."""
        rows = list(zip(answers, readable, cached, strict=True))
        good = [(a, item, entry) for a, item, entry in rows if not isinstance(a, Failure)]
        surveys = [item.spectrum.survey for _, item, _ in good]
        records = [item.record for _, item, _ in good]
        spectra = [item.spectrum for _, item, _ in good]
        judged = iter(self._stream.judge([row[0] for row in good], surveys, records, spectra))
        fresh = [(a, item.spectrum) for a, item, entry in good if entry.answer is None]
        new = [spectrum for _, spectrum in fresh]
        self._stream.learn([a for a, _ in fresh], [spectrum.survey for spectrum in new], new)
        return [a if isinstance(a, Failure) else Judged(a, next(judged)) for a in answers]

    def _beside(
        self,
        readable: list[Readable],
        judged: list[Judged | Failure],
        histories: list[History],
        earlier: list[Answer | Failure | None],
    ) -> list[Beside]:
        """Compare what has an earlier spectrum, and return what is published beside the results."""
        if self._changes is None:
            return [NOTHING_BESIDE] * len(readable)
        answers = [answer if isinstance(answer, Failure) else answer.published for answer in judged]
        with self._watchdog.deadline(self._settings.worker.analysis_timeout_s, "comparing spectra"):
            return self._changes.beside(readable, answers, histories, earlier)

    def _write(
        self, batch: Batch, cached: list[Cached], judged: list[Judged | Failure], beside: list[Beside]
    ) -> Analysed:
        outgoing: list[Outgoing] = []
        answered: list[tuple[Subject, Judged]] = []
        reasons: Counter[str] = Counter()
        changes: Counter[str] = Counter()
        from_cache = duplicates = 0
        pending = zip(cached, judged, beside, strict=True)
        for item in batch.items:
            if not isinstance(item, Readable):
                reasons[item.letter.reason] += 1
                outgoing.append(outgoing_letter(item.letter, self._settings, self._numbers))
                continue
            entry, answer, others = next(pending)
            if isinstance(answer, Failure):
                letter = dead_letter(item.record, answer.reason, answer.message)
                reasons[letter.reason] += 1
                outgoing.append(outgoing_letter(letter, self._settings, self._numbers))
                continue
            subject = Subject.of(item.spectrum)
            results = messages(subject, answer.published, self._analysis.pipeline)
            outgoing += outgoing_results(
                self._wanted(results), self._settings.topics, item.record.headers, self._numbers
            )
            outgoing += others.outgoing
            changes.update([others.outcome] if others.outcome else [])
            answered.append((subject, answer))
            from_cache += entry.answer is not None
            duplicates += entry.duplicate
        return Analysed(
            batch, tuple(outgoing), tuple(answered), from_cache, duplicates, dict(reasons), dict(changes)
        )

    def _wanted(self, results: Results) -> Results:
        """Leave out what is not to be published: the cache may know more."""
        worker = self._settings.worker
        return replace(
            results,
            model=results.model if worker.publish_models else None,
            measurement=results.measurement if worker.publish_measurements else None,
        )


def _extra(settings: WorkerSettings) -> Extra:
    """Return what answers need beside the usual: what is published asks for it."""
    model = Extra.MODEL if settings.publish_models else NOTHING_EXTRA
    return model | Extra.MEASUREMENT if settings.publish_measurements else model
