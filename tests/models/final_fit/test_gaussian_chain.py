import numpy as np
import pytest

from spectraq.models.final_fit.gaussian_chain import BLOCK, most_probable

N = 150


def by_definition(left, ivar, deviation, length):
    """Mean, variance, effective number and evidence of the process by matrices of the whole stretch."""
    place = np.arange(len(left))
    prior = np.exp(-np.abs(place[:, None] - place) / length) * deviation * deviation[:, None]
    root = np.sqrt(ivar)
    system = np.eye(len(left)) + prior * root * root[:, None]
    inverse = np.linalg.inv(system)
    mean = prior @ (root * (inverse @ (root * left)))
    variance = (prior - prior @ (root[:, None] * inverse * root) @ prior).diagonal()
    gain = (root * left) @ (root * left) - (root * left) @ inverse @ (root * left)
    evidence = (gain - np.linalg.slogdet(system)[1]) / 2
    return mean, variance, np.trace(np.eye(len(left)) - inverse), evidence


@pytest.mark.parametrize("length", [1.0, 2.0, 5.0])
def test_two_passes_along_blocks_are_the_process_of_the_whole_stretch(length):
    random = np.random.default_rng(3)
    deviation = random.uniform(0.1, 0.4, N)
    ivar = random.uniform(5, 200, N) * (random.random(N) > 0.1)
    left = random.normal(0, 0.3, N)
    mean, variance, parameters, evidence = by_definition(left, ivar, deviation, length)
    planes = [plane.astype(np.float32) for plane in (left, ivar, deviation)]
    process = most_probable(*planes, length, (1.0,))
    assert np.allclose(process.mean, mean, atol=0.004)
    assert np.allclose(process.variance, variance, rtol=0.02)
    assert process.parameters == pytest.approx(parameters, rel=0.002)
    assert process.evidence == pytest.approx(evidence, rel=0.002)


@pytest.mark.parametrize("strength", [0.1, 0.3, 1.0])
def test_the_strength_that_made_the_data_is_the_most_probable(strength):
    random = np.random.default_rng(4)
    place = np.arange(600)
    prior = strength**2 * np.exp(-np.abs(place[:, None] - place) / 3) + 1e-9 * np.eye(600)
    truth = np.linalg.cholesky(prior) @ random.standard_normal(600)
    left = (truth + 0.05 * random.standard_normal(600)).astype(np.float32)
    one = np.ones(600, np.float32)
    process = most_probable(left, 400 * one, one, 3.0, (0.03, 0.1, 0.3, 1.0, 3.0))
    assert process.evidence == most_probable(left, 400 * one, one, 3.0, (strength,)).evidence > 6
    assert ((process.mean - truth) ** 2 / process.variance).mean() == pytest.approx(1.0, abs=0.2)


def test_blocks_apart_hold_what_is_in_one_of_them_alone():
    random = np.random.default_rng(6)
    place = np.arange(320)
    dip = -0.5 * np.exp(-0.5 * ((place - 80) / 4) ** 2)
    left = (dip + 0.05 * random.standard_normal(320)).astype(np.float32)
    one = np.ones(320, np.float32)
    process = most_probable(left, 400 * one, one, 5.0, (0.1, 0.3), together=False)
    assert np.flatnonzero(process.variance).tolist() == list(range(2 * BLOCK, 3 * BLOCK))
    assert process.mean[80] == pytest.approx(-0.5, abs=0.1)
    together = most_probable(left, 400 * one, one, 5.0, (0.1, 0.3))
    assert process.evidence > together.evidence + 20
    assert process.parameters < together.parameters / 5


def test_noise_alone_is_no_process():
    left = np.random.default_rng(5).standard_normal(500).astype(np.float32)
    one = np.ones(500, np.float32)
    for together in (True, False):
        process = most_probable(left, one, one, 5.0, (0.3, 1.0), together)
        assert process.evidence == process.parameters == 0.0
        assert not process.mean.any()
