"""Files that other processes read give the same as files that are read here, in order, whatever is lost."""

from __future__ import annotations

import dataclasses
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from spectraq.models import pipeline as shared
from spectraq.models.pipeline import Pipeline
from spectraq.workers.errors import ReadError
from spectraq.workers.files import analyze_paths, share
from spectraq.workers.files.analyze_files import Unanswered, given_of, prepared
from spectraq.workers.files.analyze_paths import Outcome, PathAnalysis
from spectraq.workers.files.share import Wanted
from spectraq.workers.inference import SafeInference
from spectraq.workers.readers import read
from tests.support import made_files as made

WANTED = Wanted(None, None, None, batch_spectra=8, max_pixels=100_000, measurements=False)


@pytest.fixture(scope="module")
def two() -> Iterator[Pipeline]:
    """A pipeline of two cores, of which the other is asked from the first file on."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared, "SPECTRA_ALONE", 0)
        patch.setattr(analyze_paths, "SHARE_FILES", 4)
        pipeline = Pipeline.load(threads=2, further=share.PROGRAM)
        assert pipeline.start_partners() == 1
        yield pipeline
        pipeline.close()


@pytest.fixture
def files(tmp_path: Path) -> list[str | ReadError]:
    """Files of one spectrum and of several, a broken one, one that is not there, and no file at all."""
    good = [str(made.sdss_spec(tmp_path / f"spec-{number}.fits", plate=266 + number)) for number in range(14)]
    several = str(made.desi(tmp_path / "coadd.fits", [1, 2, 3]))
    broken = tmp_path / "broken.fits"
    broken.write_bytes(Path(good[0]).read_bytes()[:5000])
    listed: list[str | ReadError] = [*good[:5], str(broken), *good[5:9], several, str(tmp_path / "none.fits")]
    return [*listed, ReadError("no such file or folder", file="x"), *good[9:]]


def here(files: list[str | ReadError], pipeline: Pipeline) -> tuple[list[Outcome], list[tuple[str, str]]]:
    """What comes of files that are read one after the other in this process, and what is assumed of them."""
    remarks: list[tuple[str, str]] = []
    items = []
    for file in files:
        if isinstance(file, ReadError):
            items.append(file)
        else:
            items += list(read(file, note=lambda sentence, file=file: remarks.append((file, sentence))))
    batch = [prepared(item, WANTED.max_pixels) for item in items]
    return list(given_of(batch, SafeInference(pipeline, 64), False)), remarks


def names(outcomes: list[Outcome]) -> list[tuple[str, int | None, str]]:
    """Files and rows in order, and which of them have an answer, and which."""
    return [
        (one.file, one.row, one.error if isinstance(one, Unanswered) else one.answer.spectype)
        for one in outcomes
    ]


def by_paths(
    files: list[str | ReadError], pipeline: Pipeline
) -> tuple[list[Outcome], list[tuple[str, str]], int]:
    remarks: list[tuple[str, str]] = []
    done: list[int] = []
    networks = SafeInference(pipeline, WANTED.batch_spectra)
    paths = PathAnalysis(networks, pipeline, WANTED, lambda *remark: remarks.append(remark), done.append)
    outcomes = [one for several in paths.outcomes(files) for one in several]
    return outcomes, remarks, sum(done)


def test_files_read_in_other_processes_give_the_same(two: Pipeline, files: list[str | ReadError]) -> None:
    right, said = here(files, two)
    outcomes, remarks, done = by_paths(files, two)
    assert names(outcomes) == names(right)
    for one, other in zip(outcomes, right, strict=True):
        if not isinstance(one, Unanswered) and not isinstance(other, Unanswered):
            assert one.subject == other.subject
            assert one.answer.z == pytest.approx(other.answer.z, abs=1e-6)
    assert remarks == said
    assert done == len(files)


def test_a_file_of_many_spectra_is_shared_by_its_rows(
    two: Pipeline, files: list[str | ReadError], monkeypatch: pytest.MonkeyPatch
) -> None:
    right, _ = here(files, two)
    monkeypatch.setattr(share, "MOST_SPECTRA", 2)
    monkeypatch.setattr(
        two, "further", lambda request, spectra: None
    )  # the limit holds in this process alone
    outcomes, _, done = by_paths(files, two)
    assert names(outcomes) == names(right)
    assert done == len(files)


def test_what_other_processes_send_is_read_as_it_was(two: Pipeline, files: list[str | ReadError]) -> None:
    wanted = [file for file in files if isinstance(file, str)][:6]
    sent = two.further(share.request_of(wanted, WANTED), len(wanted))
    assert sent is not None
    found, right = share.share_of(sent), share.analyze_share(wanted, two, WANTED)
    assert names(found.outcomes) == names(right.outcomes)
    assert (found.remarks, found.left) == (right.remarks, right.left)
    first, other = found.outcomes[0], right.outcomes[0]
    assert not isinstance(first, Unanswered)
    assert not isinstance(other, Unanswered)
    assert dataclasses.asdict(first.subject) == dataclasses.asdict(other.subject)


def test_shares_keep_the_order_and_are_small_at_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = [str(tmp_path / str(number)) for number in range(300)]
    for file in small:
        Path(file).touch()
    monkeypatch.setattr(analyze_paths, "SHARE_FILES", 64)
    shares = list(analyze_paths._shares([*small[:200], ReadError("no", file="x"), *small[200:]], 2))
    assert [len(one) for one in shares[:4]] == [16, 16, 64, 64]
    assert max(map(len, shares)) == 64
    assert [one for several in shares for one in several if isinstance(one, str)] == small


def test_a_process_that_is_killed_costs_no_file(two: Pipeline, files: list[str | ReadError]) -> None:
    right, _ = here(files, two)
    (partner,) = [
        child for child in psutil.Process().children() if "processes_main" in " ".join(child.cmdline())
    ]
    threading.Timer(0.1, lambda: os.kill(partner.pid, signal.SIGKILL)).start()
    outcomes, _, done = by_paths(files, two)
    assert names(outcomes) == names(right)
    assert done == len(files)
