"""What the tests of the numbers share."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from spectraq.models.grid.axis import WAVELENGTH
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.redshift import eigenspectra
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.training.mocks.surveys import NoiseShapes


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    """Arrays of tests are too small to share out, and waiting threads are slow on a busy machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def bases() -> dict[str, Basis]:
    """The shipped eigenspectra."""
    return eigenspectra.load()


@pytest.fixture(scope="session")
def pipeline() -> Pipeline:
    """The shipped pipeline."""
    return Pipeline.load()


@dataclass(frozen=True)
class Labelled:
    """A real spectrum and what its survey says of it."""

    observation: Observation
    spectype: str
    z: float


@pytest.fixture(scope="session")
def labelled(shared_data: Path) -> list[Labelled]:
    """Every real spectrum whose label is trusted."""
    from spectraq.workers.files.labelled_spectra import labelled

    found = list(labelled(shared_data))
    with (shared_data / "spectra/INDEX.csv").open() as lines:
        assert len(found) == sum(1 for _ in csv.DictReader(lines))
    return [Labelled(one.observation, one.spectype, one.z) for one in found if one.trusted]


@pytest.fixture(scope="session")
def noise_shapes() -> NoiseShapes:
    """Flat noise of the five surveys' lengths: nothing here depends on its shape."""
    pixels = {"sdss": 3800, "boss": 4550, "lamost": 3700, "desi": 4300, "smoothed": 4300}
    rng = np.random.default_rng(0)

    def spectrum(n: int) -> Observation:
        wavelength = WAVELENGTH[20 : 20 + n]
        flux = rng.normal(1, 0.1, n).astype(np.float32)
        return Observation(wavelength, flux, np.full(n, 100.0, np.float32))

    return NoiseShapes.of({name: [spectrum(n)] for name, n in pixels.items()})
