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

from spectraq.workers.jobs.journal import Journal
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
def a_worker(feed: Feed, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
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
    feed: Feed, publish: Publish, a_worker: subprocess.Popen[str], tmp_path: Path
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


def test_a_job_rests_while_more_may_not_wait_and_goes_on_with_a_worker(
    feed: Feed, publish: Publish, tmp_path: Path
) -> None:
    words = (str(table(tmp_path / "a.parquet", range(N))), "--max-lag", "50", "--rate", "40")
    running = publish(*words)
    until(lambda: feed.count("spectra") >= 50, running)
    before, sent = 0, 50
    while sent > before:
        time.sleep(1.5)
        before, sent = sent, feed.count("spectra")
    assert sent < N
    running.send_signal(signal.SIGINT)
    said = running.communicate(timeout=30)[1]
    assert running.returncode == 130
    assert "no worker reads" in said and "the same command goes on" in said


def test_dead_letters_of_a_job_are_counted_by_their_reason(
    feed: Feed, publish: Publish, a_worker: subprocess.Popen[str], tmp_path: Path
) -> None:
    flux = [list(spectrum_flux(row)) for row in range(4)]
    columns = {"flux": flux, "ivar": [[1.0] * 200, [0.0] * 200, [1.0] * 200, [0.0] * 200]}
    parquet.write_table(pyarrow.table(columns | {"wavelength": [WAVELENGTH] * 4}), tmp_path / "a.parquet")
    done = ledger(publish(str(tmp_path / "a.parquet")))
    assert (done["sent"], done["answered"], done["dead_lettered"], done["unanswered"]) == (4, 2, 2, 0)
    assert done["reasons"] == {"no_good_pixels": 2}


def test_a_journal_that_does_not_fit_is_refused_in_one_line(
    feed: Feed, publish: Publish, tmp_path: Path
) -> None:
    path = table(tmp_path / "a.parquet", range(3))
    done = ledger(publish(str(path), "--no-wait"))
    assert (done["sent"], done["unanswered"]) == (3, 3)
    assert ledger(publish(str(path), "--no-wait"))["sent"] == feed.count("spectra") == 3
    feed.topics["redshifts"] = feed.settings().topics.classifications
    assert "this job's results is" in publish_says(publish(str(path)))
    del feed.topics["redshifts"]
    table(tmp_path / "a.parquet", range(5))
    assert "a.parquet has changed" in publish_says(publish(str(path)))
    with Journal(tmp_path / "job"):
        assert "another process" in publish_says(publish(str(path)))
    (tmp_path / "job").write_bytes(b"no database" * 100)
    assert "is no journal" in publish_says(publish(str(path)))


def publish_says(process: subprocess.Popen[str]) -> str:
    """The one line with which it ends."""
    complaints = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and "Traceback" not in complaints
    return complaints
