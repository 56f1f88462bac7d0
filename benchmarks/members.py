"""What each network of the ensemble adds: the figures with it alone, and with it taken out.

    python benchmarks/members.py --data DATA

Figures are of the labelled real spectra of DATA with trusted labels, and of hard mocks that no network has
seen (faults on, every survey, short ranges). "misfit" is the fit's squared error against the noiseless mock
in units of the noise, median over mocks above S/N 8.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.pipeline import Pipeline
from spectraq.models.training import material
from spectraq.models.training.mocks import MAX_BATCH, Mocks, MockSky
from spectraq.models.training.mocks.surveys import NoiseShapes
from spectraq.workers.files.labelled_spectra import LabelledSpectrum, labelled, noise

SEED = 921
BATCHES = 2
BRIGHT = 8.0


@dataclass(frozen=True)
class Sample:
    """Gridded spectra with their truth."""

    gridded: Gridded
    spectype: NDArray[np.str_]
    z: NDArray[np.float64]


def real_sample(spectra: list[LabelledSpectrum]) -> Sample:
    """Real spectra with trusted labels."""
    trusted = [spectrum for spectrum in spectra if spectrum.trusted]
    gridded = grid_batch([spectrum.observation for spectrum in trusted])
    spectype = np.array([spectrum.spectype for spectrum in trusted])
    return Sample(gridded, spectype, np.array([spectrum.z for spectrum in trusted]))


def mock_sample(mocks: Mocks) -> Sample:
    """Mocks as the pipeline sees spectra."""
    return Sample(Gridded.of_grid(mocks.flux, mocks.ivar), mocks.spectype, mocks.z)


def judged(analysis: BatchAnalysis, sample: Sample) -> dict[str, float]:
    """Class accuracy, and by class the fraction with class and redshift right."""
    spectype = np.array(CLASSES)[analysis.decision.spectype.numpy()]
    z = z_of(analysis.lag, sample.gridded.offset).numpy()
    right = spectype == sample.spectype
    found = {"class": float(right.mean())}
    for name, limit in SAME_Z.items():
        mine = sample.spectype == name
        near = np.abs(z - sample.z) < limit * (1 + sample.z)
        found[name] = float((right & near)[mine].mean())
    return found


def misfit(analysis: BatchAnalysis, mocks: Mocks) -> float:
    """Median squared error of the fit of bright mocks in units of the noise's variance."""
    model = analysis.fit.model * analysis.prepared.scale
    used = (mocks.ivar > 0).sum(1)
    error = ((model - mocks.truth).square() * mocks.ivar).sum(1) / used
    return float(error[analysis.prepared.snr > BRIGHT].median())


def ensembles(names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return all together, each left out, and each alone."""
    found = {"the ensemble": names}
    for name in names:
        found[f"without {name}"] = tuple(other for other in names if other != name)
    for name in (*names, "unet"):
        found[f"{name} alone"] = (name,)
    return found


def main() -> None:
    """Ask every ensemble and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    options = parser.parse_args()
    spectra = list(labelled(options.data))
    shapes = NoiseShapes.of(noise(options.data, spectra))
    sky = MockSky(material.load(options.data), shapes, material.sky_lines(options.data), SEED)
    mocks = [sky.batch(MAX_BATCH) for _ in range(BATCHES)]
    real = real_sample(spectra)
    table = Table(
        "members", *(f"{sample} {f}" for sample in ("real", "mock") for f in ("class", *SAME_Z)), "misfit"
    )
    for name, members in ensembles(Pipeline.load().members).items():
        pipeline = Pipeline.load(members=members)
        of_real = judged(pipeline.analysis(real.gridded), real)
        analyses = [pipeline.analysis(mock_sample(batch).gridded) for batch in mocks]
        of_mocks = [judged(a, mock_sample(batch)) for a, batch in zip(analyses, mocks, strict=True)]
        mean = {key: float(np.mean([one[key] for one in of_mocks])) for key in of_real}
        rest = float(np.mean([misfit(a, batch) for a, batch in zip(analyses, mocks, strict=True)]))
        figures = [*of_real.values(), *mean.values()]
        table.add_row(name, *(f"{value:.4f}" for value in figures), f"{rest:.2f}")
    Console(width=150).print(table)


if __name__ == "__main__":
    main()
