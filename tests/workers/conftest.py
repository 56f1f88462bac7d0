"""Fresh topics on a real broker, and the command line where nothing can be reached."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from tests.support.commandline import CommandLine
from tests.support.feed import Feed


@pytest.fixture
def feed(stack: Any) -> Iterator[Feed]:
    """Fresh topics."""
    yield Feed(stack.bootstrap_servers, stack.redis_url)


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Workers that must not outlive the test."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


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
