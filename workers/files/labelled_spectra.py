"""Real spectra with known classes and redshifts, listed in an INDEX.csv beside them.

Training takes their noise (ivar) for its mocks, and calibrates and measures on them; no network is trained
on their flux.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spectraq.models.observation import Observation
from spectraq.models.training.material import fourmost
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import ReadError, RejectedSpectrum
from spectraq.workers.readers import read

SPECTRA, NORMAL = "spectra", "normal"
"""Folders of labelled spectra, and of further ones that are ordinary."""
INDEX = "INDEX.csv"
MAX_PIXELS = 100_000
UNLABELLED_DESI = ("desi-specutils", "desi-fastspecfit")
"""Folders of DESI coadds without labels: the only ones with DESI's own ivar."""


@dataclass(frozen=True)
class LabelledSpectrum:
    """One real spectrum and what its survey says it is."""

    observation: Observation
    name: str  # its file, from the folder of data on, and its row where the file holds several
    source: str  # the folder it lies in
    survey: str  # whose noise it has: "sdss", "boss", "lamost", "smoothed" (no ivar)
    spectype: str
    z: float
    trusted: bool  # the survey's pipeline raised no warning


def _survey(source: str, row: dict[str, str]) -> str:
    if source.startswith("lamost"):
        return "lamost"
    if row["has_ivar"] == "0":
        return "smoothed"
    return "boss" if row["survey"] == "BOSS" else "sdss"


def labelled(data: Path, folder: str = SPECTRA) -> Iterator[LabelledSpectrum]:
    """Yield every labelled spectrum of a folder of `data`.

    Raises
    ------
    ReadError
        Where the index, or a spectrum that it names, can't be read.
    """
    index = data / folder / INDEX
    if not index.exists():
        raise ReadError("there is no index of labelled spectra here", file=str(index))
    wanted: dict[str, list[dict[str, str]]] = defaultdict(list)
    with index.open() as lines:
        for row in csv.DictReader(lines):
            wanted[row["file"]].append(row)
    for file, rows in wanted.items():
        spectra = {item.source_row or 0: item for item in _spectra(data / folder / file)}
        for row in rows:
            number = int(row["row"] or 0) if "row" in row else 0
            if number not in spectra:
                raise ReadError("the index names a spectrum that can't be read", file=file, row=number)
            source = file.split("/")[0]
            yield LabelledSpectrum(
                observation(spectra[number], MAX_PIXELS),
                f"{folder}/{file}" if len(spectra) == 1 else f"{folder}/{file} row {number}",
                source,
                _survey(source, row),
                row["cls"],
                float(row["z"]),
                row["zwarn"] in {"0", "-1", ""},
            )


def _spectra(path: Path) -> list[Spectrum]:
    return [item for item in read(path, note=lambda _: None) if isinstance(item, Spectrum)]


def noise(data: Path, spectra: list[LabelledSpectrum]) -> dict[str, list[Observation]]:
    """Sort real spectra by whose noise they show, "sdss" ... "desi"; 4MOST's is made from its sky model."""
    by_survey: dict[str, list[Observation]] = defaultdict(list)
    for spectrum in spectra:
        by_survey[spectrum.survey].append(spectrum.observation)
    for folder in UNLABELLED_DESI:
        for path in sorted((data / SPECTRA / folder).glob("coadd*.fits")):
            for item in _spectra(path):
                try:
                    by_survey["desi"].append(observation(item, MAX_PIXELS))
                except RejectedSpectrum:
                    continue  # an empty fibre has no noise to take
    if modelled := fourmost.noise(data):
        by_survey["4most"] = modelled
    return dict(by_survey)
