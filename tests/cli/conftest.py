"""The command line where nothing can be reached, and on a real stack with topics of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table
from commandline import CommandLine

from spectraq.workers.local.stack import LocalStack

KINDS = ("spectra", "classifications", "redshifts", "anomalies", "models", "dead_letters", "verdicts")


@pytest.fixture
def offline(tmp_path: Path) -> CommandLine:
    """The command line where there is neither Kafka nor Redis."""
    nowhere = {
        "SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1",
        "SPECTRAQ_KAFKA__BOOTSTRAP_TIMEOUT_S": "1",
        "SPECTRAQ_REDIS__URL": "redis://127.0.0.1:1/0",
    }
    return CommandLine(nowhere, tmp_path)


@pytest.fixture
def online(stack: LocalStack, tmp_path: Path) -> CommandLine:
    """The command line on the stack, with topics and a group of this test's own."""
    name = uuid.uuid4().hex[:8]
    environment = stack.environment() | {
        "SPECTRAQ_KAFKA__GROUP_ID": name,
        "SPECTRAQ_WORKER__SLOT": f"{name}-0",
    }
    for kind in KINDS:
        environment[f"SPECTRAQ_TOPICS__{kind.upper()}"] = f"{name}.{kind}"
    command = CommandLine(environment, tmp_path)
    command("topics", "create")
    return command


@pytest.fixture
def spectra(tmp_path: Path) -> Callable[[int], Path]:
    """Write n hot, featureless stars as one table file of n rows, and return its path."""

    def write(n: int) -> Path:
        rng = np.random.default_rng(n)
        wavelength = np.linspace(4000.0, 9000.0, 2500)
        flux = (wavelength / 5000) ** -3 + rng.normal(0, 0.05, (n, 2500))
        table = Table(
            {
                "spectrum_id": [f"{tmp_path.name}-{row}" for row in range(n)],
                "wavelength_vac": np.tile(wavelength, (n, 1)),
                "flux": flux.astype(np.float32),
                "ivar": np.full((n, 2500), 400.0, np.float32),
            }
        )
        table["wavelength_vac"].unit = "Angstrom"
        path = tmp_path / "stars.fits"
        table.write(path)
        return path

    return write
