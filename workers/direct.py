"""Files in, results out, without Kafka or Redis: the same decoding, networks and messages as a worker's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from models.observation import Observation
from schemas.spectrum import Spectrum
from workers.analysis import Analysis, Failure
from workers.answers import Results, messages, observation
from workers.errors import ReadError, RejectedSpectrum


@dataclass(frozen=True)
class Answered:
    """One spectrum and its results."""

    file: str
    row: int
    spectrum: Spectrum
    results: Results

    def as_json(self) -> dict[str, Any]:
        """Return what `spectraq analyze --json` prints of it."""
        return {
            "source": {"file": self.file, "row": self.row},
            "spectrum_id": self.spectrum.spectrum_id,
            "classification": self.results.classification.to_json_dict(),
            "redshift": self.results.redshift.to_json_dict(),
            "anomaly": self.results.anomaly.to_json_dict(),
        }


@dataclass(frozen=True)
class Unanswered:
    """A file, or one spectrum of it, that has no answer, and why."""

    file: str
    row: int | None
    error: str
    spectrum_id: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{self.file}{'' if self.row is None else f', row {self.row}'}: {self.error}"

    def as_json(self) -> dict[str, Any]:
        """Return what `spectraq analyze --json` prints of it."""
        return {
            "source": {"file": self.file, "row": self.row or 0},
            "spectrum_id": self.spectrum_id,
            "error": self.error,
        }


def analyze(
    items: Iterable[Spectrum | ReadError], analysis: Analysis, batch_spectra: int, max_pixels: int
) -> Iterator[Answered | Unanswered]:
    """Answer spectra in batches, in their order, as they come.

    Parameters
    ----------
    items
        What `workers.readers.read` yields.
    analysis
        The networks.
    batch_spectra, max_pixels
        As of `settings.WorkerSettings`.
    """
    batch: list[tuple[Spectrum, Observation] | Unanswered] = []
    waiting = 0
    for item in items:
        prepared = _prepare(item, max_pixels)
        batch.append(prepared)
        waiting += not isinstance(prepared, Unanswered)
        if waiting == batch_spectra:
            yield from _answer(batch, analysis)
            batch, waiting = [], 0
    yield from _answer(batch, analysis)


def _prepare(item: Spectrum | ReadError, max_pixels: int) -> tuple[Spectrum, Observation] | Unanswered:
    if isinstance(item, ReadError):
        return Unanswered(item.file, item.row, str(item))
    try:
        return item, observation(item, max_pixels)
    except RejectedSpectrum as error:
        return Unanswered(item.source_file or "", item.source_row, str(error), item.spectrum_id)


def _answer(
    batch: list[tuple[Spectrum, Observation] | Unanswered], analysis: Analysis
) -> Iterator[Answered | Unanswered]:
    found = iter(analysis.answers([entry[1] for entry in batch if not isinstance(entry, Unanswered)]))
    for entry in batch:
        if isinstance(entry, Unanswered):
            yield entry
            continue
        spectrum, answer = entry[0], next(found)
        file, row = spectrum.source_file or "", spectrum.source_row or 0
        if isinstance(answer, Failure):
            yield Unanswered(file, row, answer.message, spectrum.spectrum_id)
        else:
            yield Answered(file, row, spectrum, messages(spectrum, answer, analysis.pipeline))
