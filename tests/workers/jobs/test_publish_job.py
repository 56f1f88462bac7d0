"""Jobs of many spectra: killed, interrupted, resumed, and what their ledger says, on real Kafka."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from pyarrow import parquet

from tests.support.commandline import SPECTRAQ
from tests.support.feed import WAVELENGTH, Feed
from tests.support.plumbing import spectrum_flux

N = 600
Publish = Callable[..., subprocess.Popen[str]]


def table(path: Path, rows: range, group: int = 400, bad: tuple[int, ...] = ()) -> Path:
    """A Parquet table of numbered spectra, a row each."""
    flux = [list(spectrum_flux(row)) if row not in bad else [] for row in rows]
    columns = {"object_id": list(rows), "flux": flux, "wavelength": [WAVELENGTH] * len(rows)}
    parquet.write_table(pyarrow.table(columns), path, row_group_size=group)
    return path


@pytest.fixture
def publish(feed: Feed, tmp_path: Path) -> Publish:
    """Starts `spectraq publish` with a journal, in a process of its own."""

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [str(SPECTRAQ), "publish", "--journal", "job", "--json", *words],
            env={**os.environ, **feed.environment()},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return start


@pytest.fixture
def worker(feed: Feed, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    running = feed.worker(log=tmp_path / "worker.log", delivery="exactly_once")
    yield running
    running.terminate()
    running.communicate(timeout=20)


def until(is_so: Callable[[], bool], running: subprocess.Popen[str]) -> None:
    """Wait for something, as long as the process runs."""
    while not is_so():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)


def ledger(process: subprocess.Popen[str], code: int = 0) -> dict[str, Any]:
    """What it said at its end."""
    said, complaints = process.communicate(timeout=100)
    assert process.returncode == code, (said, complaints)
    found: dict[str, Any] = json.loads(said) | {"said": complaints}
    return found


def test_a_job_that_is_killed_again_and_again_sends_all_and_nothing_twice(
    feed: Feed, publish: Publish, worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    first = table(tmp_path / "a.parquet", range(N // 2), bad=(7,))
    second = table(tmp_path / "b.parquet", range(N // 2, N), group=10_000)
    words = (str(first), str(second), "--rate", "300")
    for kill, sent in ((signal.SIGKILL, 100), (signal.SIGINT, 350)):
        running = publish(*words)
        until(lambda sent=sent: feed.count("spectra") >= sent, running)
        running.send_signal(kill)
        running.communicate(timeout=30)
    done = ledger(publish(*words), code=1)
    assert (done["sent"], done["answered"], done["unanswered"]) == (N - 1, N - 1, 0)
    assert (done["unreadable"], done["doubled"], done["balanced"]) == (1, 0, True)
    assert len({m.key for m in feed.read("spectra")}) == feed.count("spectra") == N - 1
    assert feed.count("redshifts") == N - 1
