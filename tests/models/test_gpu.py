"""On a GPU the answers are those of the CPU."""

import dataclasses

import numpy as np
import pytest
import torch

from spectraq.models.answer import Answer
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")


@pytest.fixture(scope="module")
def spectra() -> list[Observation]:
    drawn = [one.observation for one in simulate(400, seed=11)]
    drawn[7] = dataclasses.replace(drawn[7], ivar=None)
    return drawn


@pytest.fixture(scope="module")
def expected(spectra: list[Observation]) -> list[Answer]:
    """What the CPU says."""
    return Pipeline.load(device="cpu", threads=1).analyze(spectra)


@pytest.fixture(scope="module")
def gpu() -> Pipeline:
    return Pipeline.load(device="cuda")


def assert_same(answers: list[Answer], expected: list[Answer]) -> None:
    """Two kinds of processor round differently: what is published must not show it."""
    for one, other in zip(answers, expected, strict=True):
        assert one.spectype == other.spectype
        assert one.warnings == other.warnings
        assert one.anomaly_flagged == other.anomaly_flagged
        assert one.z == pytest.approx(other.z, abs=0.2 * other.zerr)
        assert one.zerr == pytest.approx(other.zerr, rel=0.1)
        assert one.class_probability == pytest.approx(other.class_probability, abs=0.03)


def test_a_gpu_gives_the_answers_of_the_cpu(
    gpu: Pipeline, spectra: list[Observation], expected: list[Answer]
) -> None:
    assert_same(gpu.analyze(spectra), expected)


def test_what_else_is_in_a_batch_changes_no_answer_of_a_gpu(
    gpu: Pipeline, spectra: list[Observation], expected: list[Answer]
) -> None:
    assert_same(gpu.analyze(spectra[::-1])[::-1], expected)
    assert_same([gpu.analyze([one])[0] for one in spectra[:9]], expected[:9])


def test_the_best_fit_of_a_gpu_is_that_of_the_cpu(gpu: Pipeline, spectra: list[Observation]) -> None:
    cpu = Pipeline.load(device="cpu", threads=1)
    for one, other in zip(gpu.analyze(spectra[:5], True), cpu.analyze(spectra[:5], True), strict=True):
        assert one.model is not None and other.model is not None
        difference = np.abs(one.model.flux - other.model.flux) / np.abs(other.model.flux).mean()
        assert np.median(difference) < 0.01
        assert one.model.chi2_curves.keys() == other.model.chi2_curves.keys()
