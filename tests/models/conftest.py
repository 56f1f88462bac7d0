"""What the tests of the numbers share."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from models import eigenspectra
from models.eigenspectra import Basis
from models.observation import Observation
from models.pipeline import Pipeline


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
    from workers.labelled import labelled

    found = list(labelled(shared_data))
    with (shared_data / "spectra/INDEX.csv").open() as lines:
        assert len(found) == sum(1 for _ in csv.DictReader(lines))
    return [Labelled(one.observation, one.spectype, one.z) for one in found if one.trusted]
