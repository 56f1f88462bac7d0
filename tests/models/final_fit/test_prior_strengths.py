import math

import numpy as np
import pytest
import torch

from spectraq.models.final_fit.prior_strengths import HURDLE_NATS, STEPS, Posterior, most_probable
from spectraq.models.final_fit.shapes import Part

PART = [Part.RESPONSE] * 6 + [Part.NARROW] * 6


def equations(amplitude, snr, seed=0, n=400):
    """Normal equations of twelve random shapes of which each pixel has this S/N."""
    random = np.random.default_rng(seed)
    shapes, noise = random.standard_normal((12, n)), random.standard_normal(n)
    data = snr * (np.asarray(amplitude) @ shapes) + noise
    return snr**2 * shapes @ shapes.T, snr * shapes @ data


def evidence(normal, vector, strength):
    """The logarithm of the evidence of prior strengths, less that of none, by its definition."""
    system = np.eye(len(strength)) + strength[:, None] * normal * strength
    solved = np.linalg.solve(system, strength * vector)
    return (strength * vector) @ solved / 2 - np.linalg.slogdet(system)[1] / 2


def strengths(normal, vector):
    """Of each of the twelve shapes, zero where its part was left out."""
    posterior = most_probable(normal, vector, PART)
    strength = np.zeros(len(PART))
    strength[posterior.kept] = posterior.strength
    return strength


def test_what_is_no_more_than_noise_hardly_ever_gets_strength():
    let_in = [strengths(*equations([0.0] * 12, 10.0, seed)).any() for seed in range(60)]
    assert sum(let_in) <= 3


def test_only_the_part_that_the_data_pay_for_gets_strength_and_about_as_much_as_it_has():
    strength = strengths(*equations([0.0] * 6 + [0.1, -0.1] * 3, 10.0))
    assert not strength[:6].any()
    assert strength[6:] == pytest.approx([0.1] * 6, rel=0.1)


def test_what_pays_at_a_high_signal_does_not_at_a_low_one():
    amplitude = [0.03, -0.03] * 6
    assert strengths(*equations(amplitude, 30.0)).all()
    assert not strengths(*equations(amplitude, 0.3)).any()


@pytest.mark.parametrize("snr", [3.0, 30.0])
def test_no_strengths_near_those_that_were_chosen_are_more_probable(snr):
    normal, vector = equations([0.2, -0.1] * 3 + [1.0, -0.5] * 3, snr)
    chosen = strengths(normal, vector)
    assert chosen.all() and STEPS < 5
    best = evidence(normal, vector, chosen)
    for first in (0.7, 1.0, 1.4):
        for second in (0.7, 1.0, 1.4):
            trial = chosen * np.repeat([first, second], 6)
            assert evidence(normal, vector, trial) < best + 0.1


def test_the_gain_of_a_part_is_the_evidence_with_it_less_that_without():
    normal, vector = equations([0.2, -0.1] * 6, 5.0)
    strength = np.repeat([0.3, 0.05], 6)
    gained = Posterior.of(normal, vector, np.arange(12), strength).gained(np.array([6, 6]))
    for part, own in enumerate((slice(0, 6), slice(6, 12))):
        without = strength.copy()
        without[own] = 0.0
        expected = evidence(normal, vector, strength) - evidence(normal, vector, without)
        assert gained[part] == pytest.approx(expected, rel=1e-9)
        assert gained[part] > HURDLE_NATS


def test_the_evidence_is_that_of_the_data_with_amplitudes_integrated_out():
    random = torch.Generator().manual_seed(1)
    shapes, data = torch.randn(3, 40, generator=random).double(), torch.randn(40, generator=random).double()
    strength = torch.tensor([0.3, 0.0, 1.0], dtype=torch.float64)
    eye = torch.eye(40, dtype=torch.float64)
    whole = torch.distributions.MultivariateNormal(
        torch.zeros(40).double(), eye + shapes.T @ torch.diag(strength**2) @ shapes
    )
    nothing = torch.distributions.MultivariateNormal(torch.zeros(40).double(), eye)
    expected = float(whole.log_prob(data) - nothing.log_prob(data))
    normal, vector = (shapes @ shapes.T).numpy(), (shapes @ data).numpy()
    assert math.isclose(evidence(normal, vector, strength.numpy()), expected, rel_tol=1e-9)


def test_sums_that_overflow_leave_the_best_fit_as_it_is():
    assert not strengths(np.full((12, 12), math.inf), np.full(12, math.nan)).any()


def test_sums_that_no_shapes_can_have_leave_the_best_fit_as_it_is():
    assert not strengths(np.full((12, 12), 1e9) - 2e9 * np.eye(12), np.ones(12)).any()
