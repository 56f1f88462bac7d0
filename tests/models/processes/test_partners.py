"""Processes that share the work change no answer, and nobody who loses one notices more than the time."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
import pytest

from spectraq.models import pipeline as shared
from spectraq.models.answer import NOTHING_EXTRA, Extra
from spectraq.models.observation import Observation, UnusableSpectrum
from spectraq.models.pipeline import Pipeline
from spectraq.models.processes.pool import Networks, Place
from spectraq.models.simulate import simulate
from tests.support.same_answers import assert_same_answers

START_S = 60
OTHERS: set[int] = set()
"""Partners that pipelines of other tests have."""


def partners(of: psutil.Process | None = None) -> list[psutil.Process]:
    """The partner processes that a process has got in this test."""
    found = []
    for child in (of or psutil.Process()).children():
        with suppress(psutil.NoSuchProcess):
            if child.pid not in OTHERS and "spectraq.models.processes_main" in " ".join(child.cmdline()):
                found.append(child)
    return found


@pytest.fixture(autouse=True)
def others() -> Iterator[None]:
    """Leave the partners of other tests out."""
    OTHERS.update(child.pid for child in partners())
    yield
    OTHERS.clear()


def until(holds: Callable[[], bool], seconds: float = START_S) -> None:
    """Wait."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def spectra() -> list[Observation]:
    return [one.observation for one in simulate(48, seed=5)]


@pytest.fixture(scope="module")
def alone() -> Pipeline:
    """A pipeline for one core."""
    return Pipeline.load(threads=1)


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pipeline]:
    """A pipeline for two cores that shares from the first batch on."""
    monkeypatch.setattr(shared, "SPECTRA_ALONE", 0)
    made = Pipeline.load(threads=2)
    yield made
    made.close()


@pytest.fixture
def place(alone: Pipeline, spectra: list[Observation]) -> Iterator[Place]:
    """A place whose partner works."""
    made = Place(Networks(None, None, alone.digest))
    until(made.ready)
    yield made
    made.leave()


def test_a_partner_gives_the_same_answers(place: Place, alone: Pipeline, spectra: list[Observation]) -> None:
    assert place.done(lambda partner: partner.analyze(spectra, NOTHING_EXTRA)) == alone.analyze(spectra)


def test_a_batch_is_shared_and_its_answers_keep_their_order(
    two: Pipeline, alone: Pipeline, spectra: list[Observation]
) -> None:
    expected = alone.analyze(spectra)

    assert two.analyze(spectra) == expected  # the partner is not ready yet
    assert two.start_partners() == 1
    before = partners()[0].cpu_times().user
    for _ in range(5):
        assert two.analyze(spectra) == expected
    assert partners()[0].cpu_times().user > before
    two.close()
    assert not partners()


def test_models_and_measurements_are_shared_and_are_those_of_one_process_to_the_bit(
    two: Pipeline, alone: Pipeline, spectra: list[Observation]
) -> None:
    extra = Extra.MODEL | Extra.MEASUREMENT
    assert two.start_partners() == 1
    before = partners()[0].cpu_times().user
    found = two.analyze(spectra, extra)
    assert partners()[0].cpu_times().user > before
    assert all(answer.model is not None and answer.measurement is not None for answer in found)
    assert_same_answers(found, alone.analyze(spectra, extra))


def test_no_process_is_started_for_few_spectra(spectra: list[Observation]) -> None:
    few = Pipeline.load(threads=2)
    few.analyze(spectra)
    few.analyze(spectra[:1])
    assert not partners()


def test_a_spectrum_that_cannot_be_analysed_is_refused_as_ever_and_the_partner_goes_on(
    place: Place, two: Pipeline, spectra: list[Observation]
) -> None:
    infrared = Observation(spectra[0].wavelength + 20000, spectra[0].flux, spectra[0].ivar)
    assert place.done(lambda partner: partner.analyze([infrared], NOTHING_EXTRA)) is None
    assert place.done(lambda partner: partner.analyze(spectra[:1], NOTHING_EXTRA)) is not None
    assert two.start_partners() == 1
    with pytest.raises(UnusableSpectrum, match="usable pixels"):
        two.analyze([*spectra[:20], infrared, *spectra[20:]])


@pytest.mark.parametrize("fault", [signal.SIGKILL, signal.SIGSTOP])
def test_a_partner_that_is_lost_costs_no_answer(
    fault: signal.Signals,
    two: Pipeline,
    alone: Pipeline,
    spectra: list[Observation],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("spectraq.models.processes.pool.ANSWER_S", 2.0)
    assert two.start_partners() == 1
    os.kill(partners()[0].pid, fault)
    assert two.analyze(spectra) == alone.analyze(spectra)
    until(lambda: two.analyze(spectra) is not None and not partners(), 5)
    assert "its share is done here" in caplog.text
    two.analyze(spectra)
    assert not partners()  # not at once: what ended one may end the next


def test_a_partner_with_other_networks_is_not_asked(alone: Pipeline, spectra: list[Observation]) -> None:
    other = Place(Networks(None, alone.members[:1], alone.digest))
    other.done(lambda partner: partner.analyze(spectra, NOTHING_EXTRA))
    assert partners()
    until(
        lambda: other.done(lambda partner: partner.analyze(spectra, NOTHING_EXTRA)) is None and not partners()
    )


SCRIPT = """
import sys, time
from spectraq.models import pipeline
from spectraq.models.simulate import simulate

print("main", flush=True)
pipeline.SPECTRA_ALONE = 0
made = pipeline.Pipeline.load(threads=2)
spectra = [one.observation for one in simulate(48, seed=5)]
made.start_partners()
made.analyze(spectra)
print("shared", flush=True)
if sys.argv[1] == "wait":
    time.sleep(600)
"""


def test_a_script_without_a_guard_is_run_once_and_leaves_no_process() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "end"], capture_output=True, text=True, timeout=2 * START_S, check=True
    )
    assert done.stdout == "main\nshared\n"
    assert done.stderr == ""


def test_a_partner_ends_with_its_owner() -> None:
    owner = subprocess.Popen([sys.executable, "-c", SCRIPT, "wait"], stdout=subprocess.PIPE, text=True)
    with owner:
        assert owner.stdout is not None
        assert [owner.stdout.readline(), owner.stdout.readline()] == ["main\n", "shared\n"]
        (partner,) = partners(psutil.Process(owner.pid))
        owner.kill()
    until(lambda: not partner.is_running() or partner.status() == psutil.STATUS_ZOMBIE, 10)
