"""One bad spectrum must not take its batch down; the networks are stubbed: what is tested is splitting."""

import numpy as np
import pytest
import torch

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.observation import Observation
from spectraq.workers.errors import AnalysisError
from spectraq.workers.inference import Failure, SafeInference, device, out_of_memory
from tests.support.plumbing import answer_of, spectrum_flux


class Fragile:
    """Fails as told; otherwise answers with what `answer_of` makes of the pixels."""

    digest = "fragile"
    version = "1"

    def __init__(
        self, bad: frozenset[float] = frozenset(), room: int = 10**9, error: Exception | None = None
    ) -> None:
        self.bad = bad
        self.room = room
        self.error = error or ValueError("a pixel that no network likes")
        self.calls: list[int] = []

    def analyze(self, observations, extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        self.calls.append(len(observations))
        if len(observations) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        if any(float(o.flux[0]) in self.bad for o in observations):
            raise self.error
        return [answer_of(o) for o in observations]


def observations(n: int) -> list[Observation]:
    wavelength = np.linspace(4000.0, 9000.0, 200)
    return [Observation(wavelength, spectrum_flux(i)) for i in range(n)]


def test_the_one_bad_spectrum_of_a_batch_is_found_and_all_others_are_answered_in_order() -> None:
    spectra = observations(64)
    pipeline = Fragile(bad=frozenset({float(spectra[37].flux[0])}))
    found = SafeInference(pipeline, 64).answers(spectra)
    assert [i for i, answer in enumerate(found) if isinstance(answer, Failure)] == [37]
    assert "a pixel that no network likes" in found[37].message
    good = [i for i in range(64) if i != 37]
    assert [found[i] for i in good] == [answer_of(spectra[i]) for i in good]
    assert len(pipeline.calls) <= 2 * 6 + 2


def test_out_of_memory_halves_the_batch_for_good() -> None:
    pipeline = Fragile(room=10)
    splits = []
    analysis = SafeInference(pipeline, 64, lambda: splits.append(1))
    assert analysis.answers(observations(64)) == [answer_of(o) for o in observations(64)]
    assert analysis.limit == 8
    assert splits
    pipeline.calls.clear()
    analysis.answers(observations(64))
    assert pipeline.calls == [8] * 8


def test_the_memory_of_the_machine_counts_as_memory_too() -> None:
    assert out_of_memory(MemoryError())
    assert out_of_memory(
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")
    )
    assert not out_of_memory(ValueError("shape"))


def test_networks_that_fail_on_everything_stop_the_worker_and_send_nothing_to_the_dead_letters() -> None:
    class Broken(Fragile):
        def analyze(self, observations, extra: Extra = NOTHING_EXTRA) -> list[Answer]:
            raise RuntimeError("CUDA error: unspecified launch failure")

    with pytest.raises(AnalysisError, match="fail on every spectrum"):
        SafeInference(Broken(), 64).answers(observations(3))


@pytest.mark.parametrize("field", ["z", "zerr", "chi2", "anomaly_score"])
def test_an_answer_that_is_not_finite_is_a_failure(field: str) -> None:
    import dataclasses

    class Blind(Fragile):
        def analyze(self, observations, extra: Extra = NOTHING_EXTRA) -> list[Answer]:
            return [dataclasses.replace(answer_of(o), **{field: float("nan")}) for o in observations]

    (found,) = SafeInference(Blind(), 64).answers(observations(1))
    assert isinstance(found, Failure)
    assert "finite" in found.message


def test_auto_is_a_gpu_where_there_is_one_and_cuda_is_refused_where_there_is_none() -> None:
    assert device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert device("cpu") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="no CUDA device"):
            device("cuda")
