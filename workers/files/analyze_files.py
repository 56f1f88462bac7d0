"""Files in, results out, without Kafka or Redis: the same checks, networks and messages as a worker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from spectraq.models.observation import Observation
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Results, Subject, messages, observation
from spectraq.workers.errors import ReadError, RejectedSpectrum
from spectraq.workers.inference import Failure, SafeInference


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
    """Answer spectra in batches, in their order, as they come.

    Parameters
    ----------
    items
        What `spectraq.workers.readers.read` yields.
    analysis
        The networks.
    batch_spectra, max_pixels
        As of `settings.WorkerSettings`.
    measurements
        Whether lines and what follows from them are measured, too: it takes some twenty times as long.
    """
    batch: list[tuple[Spectrum, Observation] | Unanswered] = []
    for item in items:
        batch.append(_prepared(item, max_pixels))
        if len(batch) == batch_spectra:
            yield from _answers(batch, analysis, measurements)
            batch = []
    yield from _answers(batch, analysis, measurements)


def _prepared(item: Spectrum | ReadError, max_pixels: int) -> tuple[Spectrum, Observation] | Unanswered:
    if isinstance(item, ReadError):
        return Unanswered(item.file, item.row, str(item))
    try:
        return item, observation(item, max_pixels)
    except RejectedSpectrum as error:
        return Unanswered(item.source_file or "", item.source_row, str(error), item.spectrum_id)


def _answers(
    batch: list[tuple[Spectrum, Observation] | Unanswered], analysis: SafeInference, measurements: bool
) -> Iterator[Answered | Unanswered]:
    observations = [entry[1] for entry in batch if not isinstance(entry, Unanswered)]
    answers = iter(analysis.answers(observations, with_model=measurements))
    for entry in batch:
        if isinstance(entry, Unanswered):
            yield entry
            continue
        spectrum, answer = entry[0], next(answers)
        file, row = spectrum.source_file or "", spectrum.source_row or 0
        if isinstance(answer, Failure):
            yield Unanswered(file, row, answer.message, spectrum.spectrum_id)
        else:
            results = messages(spectrum, answer, analysis.pipeline)
            yield Answered(file, row, Subject.of(spectrum), results)
