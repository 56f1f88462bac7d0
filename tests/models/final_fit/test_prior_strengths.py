import math

import torch

from spectraq.models.final_fit.prior_strengths import evidence, prior_strengths
from spectraq.models.final_fit.shapes import Part

PART = [Part.RESPONSE] * 6 + [Part.NARROW] * 6


def equations(amplitude, snr, seed=0, n=400):
    """Normal equations of twelve random shapes of which each pixel has this S/N."""
    random = torch.Generator().manual_seed(seed)
    shapes = torch.randn(12, n, generator=random, dtype=torch.float64)
    noise = torch.randn(n, generator=random, dtype=torch.float64)
    data = snr * (torch.as_tensor(amplitude, dtype=torch.float64) @ shapes) + noise
    return snr**2 * shapes @ shapes.T, snr * shapes @ data


def test_what_is_no_more_than_noise_gets_no_strength():
    for seed in range(20):
        assert not prior_strengths(*equations([0.0] * 12, 10.0, seed), PART).any()


def test_only_the_part_that_the_data_pay_for_gets_strength_and_about_as_much_as_it_has():
    strength = prior_strengths(*equations([0.0] * 6 + [0.1, -0.1] * 3, 10.0), PART)
    assert not strength[:6].any()
    assert 0.03 < float(strength[6]) < 0.31 and len(set(strength[6:].tolist())) == 1


def test_what_pays_at_a_high_signal_does_not_at_a_low_one():
    amplitude = [0.03, -0.03] * 6
    assert prior_strengths(*equations(amplitude, 30.0), PART).all()
    assert not prior_strengths(*equations(amplitude, 0.3), PART).any()


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
    assert math.isclose(evidence(shapes @ shapes.T, shapes @ data, strength), expected, rel_tol=1e-9)


def test_sums_that_overflow_leave_the_best_fit_as_it_is():
    normal = torch.full((12, 12), math.inf, dtype=torch.float64)
    assert not prior_strengths(normal, torch.full((12,), math.nan, dtype=torch.float64), PART).any()
