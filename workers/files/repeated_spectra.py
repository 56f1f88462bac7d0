"""Real pairs of spectra of one object at two dates, listed in a PAIRS.csv beside the labelled spectra."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectraq.models.answer import Extra
from spectraq.models.change.epoch import Epoch
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import read

if TYPE_CHECKING:
    from spectraq.models.pipeline import Pipeline

PAIRS = "PAIRS.csv"
MAX_PIXELS = 100_000


@dataclass(frozen=True)
class RepeatedSpectrum:
    """Names of two files of one object."""

    earlier: str
    newer: str
    object: str


def repeated(data: Path) -> list[RepeatedSpectrum]:
    """Return the pairs that a folder of data lists, the earlier first.

    Raises
    ------
    ReadError
        Where there is no list.
    """
    path = data / PAIRS
    if not path.exists():
        raise ReadError("there is no list of pairs of spectra here", file=str(path))
    pairs = []
    with path.open() as lines:
        for row in csv.DictReader(lines):
            first, second = row["file1"], row["file2"]
            if float(row["mjd1"]) > float(row["mjd2"]):
                first, second = second, first
            pairs.append((first, second))
    # Pairs that share a spectrum are of one object.
    name: dict[str, str] = {}
    for first, second in pairs:
        one = name.get(first) or name.get(second) or first
        for file, known in list(name.items()):
            if known in (name.get(first), name.get(second)):
                name[file] = one
        name[first] = name[second] = one
    return [RepeatedSpectrum(first, second, name[first]) for first, second in pairs]


def spectra(data: Path, files: Sequence[str]) -> Iterator[Spectrum]:
    """Yield the first spectrum of each file.

    Raises
    ------
    ReadError
        For the first that can't be read.
    """
    for file in files:
        item = next(iter(read(data / file)))
        if isinstance(item, ReadError):
            raise item
        yield item


def epochs(pipeline: Pipeline, noise: SurveyNoise, given: Sequence[Spectrum]) -> list[Epoch]:
    """Return spectra with their answers, ready to be compared."""
    observed = [observation(spectrum, MAX_PIXELS) for spectrum in given]
    answers = pipeline.analyze(observed, Extra.MODEL)
    return [
        Epoch.of(one, answer, noise, spectrum.mjd, spectrum.ra, spectrum.dec)
        for one, answer, spectrum in zip(observed, answers, given, strict=True)
    ]
