"""Real pairs of spectra of one object at two dates, listed in a PAIRS.csv beside the labelled spectra."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spectraq.models.answer import Extra
from spectraq.models.change.epoch import Epoch
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.training.measure.changes import Repeat
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import ReadError
from spectraq.workers.files.labelled_spectra import MAX_PIXELS, LabelledSpectrum
from spectraq.workers.readers import read

if TYPE_CHECKING:
    from spectraq.models.pipeline import Pipeline

PAIRS = "PAIRS.csv"
ORDINARY_GALAXIES = "sdss-blackholes"
"""Source of galaxies that are observed again as mocks: no galaxy of the data was observed twice."""


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


def repeats(data: Path, pipeline: Pipeline, weights: Path) -> list[Repeat]:
    """Return the pairs that a folder of data lists, analysed.

    Parameters
    ----------
    weights
        Folder with what the surveys' noise leaves out.

    Raises
    ------
    ReadError
        For the first spectrum that can't be read.
    """
    listed = repeated(data)
    files = list(dict.fromkeys(file for pair in listed for file in (pair.earlier, pair.newer)))
    given = [first_of(data / file) for file in files]
    known = dict(zip(files, epochs(pipeline, weights, given), strict=True))
    return [Repeat(known[pair.earlier], known[pair.newer], pair.object) for pair in listed]


def galaxies(labelled: Sequence[LabelledSpectrum], pipeline: Pipeline, weights: Path) -> list[Epoch]:
    """Return ordinary galaxies with a noise of their own, analysed."""
    chosen = [
        one.observation
        for one in labelled
        if one.trusted and one.spectype == "GALAXY" and one.source == ORDINARY_GALAXIES
    ]
    noise = SurveyNoise.load(weights)
    answers = pipeline.analyze(chosen, Extra.MODEL)
    made = [Epoch.of(one, answer, noise) for one, answer in zip(chosen, answers, strict=True)]
    return [epoch for epoch in made if epoch.spectype == "GALAXY"]


def epochs(pipeline: Pipeline, weights: Path, given: Sequence[Spectrum]) -> list[Epoch]:
    """Return spectra with their answers, ready to be compared."""
    noise = SurveyNoise.load(weights)
    observed = [observation(spectrum, MAX_PIXELS) for spectrum in given]
    answers = pipeline.analyze(observed, Extra.MODEL)
    return [
        Epoch.of(one, answer, noise, spectrum.mjd, spectrum.ra, spectrum.dec)
        for one, answer, spectrum in zip(observed, answers, given, strict=True)
    ]


def first_of(file: Path) -> Spectrum:
    """Return the first spectrum of a file.

    Raises
    ------
    ReadError
        Where it can't be read.
    """
    item = next(iter(read(file)))
    if isinstance(item, ReadError):
        raise item
    return item
