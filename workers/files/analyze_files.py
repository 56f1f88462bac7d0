"""Files in, results out, without Kafka or Redis: the same checks, networks and messages as a worker's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from spectraq.models.answer import NOTHING_EXTRA, Extra
from spectraq.models.observation import Observation
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Results, Subject, messages, observation
from spectraq.workers.errors import ReadError, RejectedSpectrum
from spectraq.workers.files.file_groups import FileGroups, Given
from spectraq.workers.inference import Failure, SafeInference

if TYPE_CHECKING:
    from spectraq.models.anomaly.reference import Reference


@dataclass(frozen=True, slots=True)
class Answered:
    """One spectrum's results; its pixels are let go."""

    file: str
    row: int
    subject: Subject
    results: Results

    def as_json(self) -> dict[str, Any]:
        """Return what `spectraq analyze --json` prints of it."""
        measurement = self.results.measurement
        return {
            "source": {"file": self.file, "row": self.row},
            "spectrum_id": self.subject.spectrum_id,
            "classification": self.results.classification.to_json_dict(),
            "redshift": self.results.redshift.to_json_dict(),
            "anomaly": self.results.anomaly.to_json_dict(),
            **({} if measurement is None else {"measurement": measurement.to_json_dict()}),
        }


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A file (without a row), or one spectrum of it, that has no answer, and why."""

    file: str
    row: int | None
    error: str
    spectrum_id: str | None = None

    def __str__(self) -> str:
        """Return in one line which spectrum has no answer, and why."""
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.error}"

    def as_json(self) -> dict[str, Any]:
        """Return what `spectraq analyze --json` prints of it."""
        return {
            "source": {"file": self.file, "row": self.row},
            "spectrum_id": self.spectrum_id,
            "error": self.error,
        }


def analyze(
    items: Iterable[Spectrum | ReadError],
    analysis: SafeInference,
    batch_spectra: int,
    max_pixels: int,
    measurements: bool = False,
) -> Iterator[Answered | Unanswered]:
    """Return answers of spectra in batches, in their order, as they come, their anomalies judged alone.

    Parameters
    ----------
    items
        What `spectraq.workers.readers.read` yields.
    analysis
        The networks.
    batch_spectra, max_pixels
        As of `settings.WorkerSettings`.
    measurements
        Whether lines and what follows from them are measured, too: it takes 2 to 3 times as long.
    """
    batches = _batches(items, batch_spectra, max_pixels)
    return judged_alone((given_of(batch, analysis, measurements) for batch in batches), analysis)


def judged_alone(
    batches: Iterable[Iterable[Given | Unanswered]], analysis: SafeInference
) -> Iterator[Answered | Unanswered]:
    """Yield the results of outcomes, each as it comes."""
    for outcome in chain.from_iterable(batches):
        yield outcome if isinstance(outcome, Unanswered) else _answered(outcome, analysis)


def analyze_in_groups(
    items: Iterable[Spectrum | ReadError],
    analysis: SafeInference,
    batch_spectra: int,
    max_pixels: int,
    normal: Reference,
    done: Callable[[int], None] = lambda spectra: None,
    measurements: bool = False,
) -> Iterator[Answered | Unanswered]:
    """Return answers in the spectra's order, anomalies judged by what their folders show to be normal there.

    Nothing comes before the last spectrum was analysed. Where reading or analysing ends with an error, or by
    Ctrl-C, what was analysed until then is yielded before that error is raised.

    Parameters
    ----------
    items, analysis, batch_spectra, max_pixels, measurements
        As of `analyze`.
    normal
        What the networks' answers are judged by.
    done
        Called with the number of spectra of every batch that was analysed.
    """

    def batches() -> Iterator[Iterable[Given | Unanswered]]:
        for batch in _batches(items, batch_spectra, max_pixels):
            yield given_of(batch, analysis, measurements)
            done(len(batch))

    return judged_in_groups(batches(), analysis, normal)


def judged_in_groups(
    batches: Iterable[Iterable[Given | Unanswered]], analysis: SafeInference, normal: Reference
) -> Iterator[Answered | Unanswered]:
    """Yield the results of outcomes when all have come, judged as `analyze_in_groups` says."""
    groups, ended = FileGroups(normal), None
    with closing(groups):
        try:
            for batch in batches:
                groups.keep(map(_kept, batch))
        except (Exception, KeyboardInterrupt) as error:
            ended = error
        for outcome in groups.judged():
            yield _unanswered(outcome) if isinstance(outcome, str) else _answered(outcome, analysis)
    if ended is not None:
        raise ended


def _kept(outcome: Given | Unanswered) -> Given | str:
    return outcome if isinstance(outcome, Given) else json.dumps(asdict(outcome))


def _unanswered(text: str) -> Unanswered:
    return Unanswered(**json.loads(text))


def _batches(
    items: Iterable[Spectrum | ReadError], batch_spectra: int, max_pixels: int
) -> Iterator[list[tuple[Spectrum, Observation] | Unanswered]]:
    batch: list[tuple[Spectrum, Observation] | Unanswered] = []
    for item in items:
        batch.append(prepared(item, max_pixels))
        if len(batch) == batch_spectra:
            yield batch
            batch = []
    if batch:
        yield batch


def prepared(item: Spectrum | ReadError, max_pixels: int) -> tuple[Spectrum, Observation] | Unanswered:
    """Return a spectrum with the networks' view of it, or why there is no answer to it."""
    if isinstance(item, ReadError):
        return Unanswered(item.file, item.row, str(item))
    try:
        return item, observation(item, max_pixels)
    except RejectedSpectrum as error:
        return Unanswered(item.source_file or "", item.source_row, str(error), item.spectrum_id)


def given_of(
    batch: list[tuple[Spectrum, Observation] | Unanswered], analysis: SafeInference, measurements: bool
) -> Iterator[Given | Unanswered]:
    """Yield what comes of each of a batch, as `prepared` made it."""
    observations = [entry[1] for entry in batch if not isinstance(entry, Unanswered)]
    answers = iter(analysis.answers(observations, Extra.MEASUREMENT if measurements else NOTHING_EXTRA))
    for entry in batch:
        if isinstance(entry, Unanswered):
            yield entry
            continue
        spectrum, answer = entry[0], next(answers)
        file, row = spectrum.source_file or "", spectrum.source_row or 0
        if isinstance(answer, Failure):
            yield Unanswered(file, row, answer.message, spectrum.spectrum_id)
        else:
            yield Given(file, row, Subject.of(spectrum), answer)


def _answered(given: Given, analysis: SafeInference) -> Answered:
    return Answered(
        given.file, given.row, given.subject, messages(given.subject, given.answer, analysis.pipeline)
    )
