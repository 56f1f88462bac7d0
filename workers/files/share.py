"""A share of files, read and analysed in one process: paths in, answers and remarks out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.processes import wire
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Subject
from spectraq.workers.errors import ReadError
from spectraq.workers.files.analyze_files import Unanswered, given_of, prepared
from spectraq.workers.files.file_groups import Given
from spectraq.workers.inference import SafeInference
from spectraq.workers.readers import read
from spectraq.workers.readers.format import Medium

if TYPE_CHECKING:
    from spectraq.models.pipeline import Pipeline

MOST_SPECTRA = 256
"""Of a share; with more, the files that follow are another one."""
PROGRAM = "spectraq.workers.files.share:answer_request"
"""What a process of another core is asked for, as `Pipeline.load` takes it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """How files are read and analysed: as of `readers.read`, and of `analyze_files.analyze`."""

    format: str | None
    medium: Medium | None
    wavelength_unit: str | None
    batch_spectra: int
    max_pixels: int
    measurements: bool


@dataclass(slots=True)
class Share:
    """What came of files.

    Attributes
    ----------
    outcomes
        In the order of files and rows.
    remarks
        What was assumed: file and sentence.
    left
        Those of the files that were not read, as those before them held so many spectra; their order is kept.
    """

    outcomes: list[Given | Unanswered]
    remarks: list[tuple[str, str]]
    left: list[str]


class Here:
    """The networks of this process, asked by one thread."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.digest, self.version = pipeline.digest, pipeline.version

    def analyze(self, observations: Sequence[Any], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Answer each observation, in order."""
        return self._pipeline.analyze_here(observations, extra)


def analyze_share(files: Sequence[str], pipeline: Pipeline, wanted: Wanted) -> Share:
    """Return what comes of files of few spectra; those are left that follow on `MOST_SPECTRA`.

    Raises
    ------
    AnalysisError
        Where the networks fail on every spectrum.
    """
    share = Share([], [], list(files))
    items: list[Spectrum | ReadError] = []
    while share.left and len(items) < MOST_SPECTRA:
        file = share.left[0]
        remarks: list[tuple[str, str]] = []
        held = list(islice(_read(file, wanted, remarks), MOST_SPECTRA + 1))
        if len(held) > MOST_SPECTRA:
            break  # its rows are shared by their pixels
        items += held
        share.remarks += remarks
        share.left.pop(0)
    share.outcomes += _outcomes(items, SafeInference(Here(pipeline), wanted.batch_spectra), wanted)
    return share


def analyze_rows(file: str, networks: SafeInference, wanted: Wanted) -> Iterator[Share]:
    """Yield what comes of a file of many spectra, a batch at a time, on all cores."""
    remarks: list[tuple[str, str]] = []
    items = _read(file, wanted, remarks)
    while batch := list(islice(items, wanted.batch_spectra)):
        yield Share(list(_outcomes(batch, networks, wanted)), list(remarks), [])
        remarks.clear()


def _read(file: str, wanted: Wanted, remarks: list[tuple[str, str]]) -> Iterator[Spectrum | ReadError]:
    return read(
        file,
        wanted.format,
        medium=wanted.medium,
        wavelength_unit=wanted.wavelength_unit,
        note=lambda sentence: remarks.append((file, sentence)),
    )


def _outcomes(
    items: Iterable[Spectrum | ReadError], networks: SafeInference, wanted: Wanted
) -> Iterator[Given | Unanswered]:
    batch = [prepared(item, wanted.max_pixels) for item in items]
    return given_of(batch, networks, wanted.measurements)


def answer_request(pipeline: Pipeline, request: dict[str, Any]) -> dict[str, Any]:
    """Do what `request_of` asks for, in the process that is asked: the result is JSON's."""
    share = analyze_share(request["files"], pipeline, Wanted(**request["wanted"]))
    answers = [outcome.answer for outcome in share.outcomes if isinstance(outcome, Given)]
    return {
        "outcomes": [
            [one.file, one.row, asdict(one.subject)] if isinstance(one, Given) else asdict(one)
            for one in share.outcomes
        ],
        "answers": wire.written(answers)[0].decode(),
        "remarks": share.remarks,
        "left": share.left,
    }


def request_of(files: Sequence[str], wanted: Wanted) -> dict[str, Any]:
    """Return what `answer_request` takes."""
    return {"files": list(files), "wanted": asdict(wanted)}


def share_of(answered: dict[str, Any]) -> Share:
    """Read what `answer_request` gave."""
    answers = iter(wire.read(answered["answers"].encode(), b""))
    outcomes: list[Given | Unanswered] = []
    for record in answered["outcomes"]:
        if isinstance(record, dict):
            outcomes.append(Unanswered(**record))
        else:
            file, row, subject = record
            outcomes.append(Given(file, row, Subject(**subject), next(answers)))
    return Share(outcomes, [(file, sentence) for file, sentence in answered["remarks"]], answered["left"])
