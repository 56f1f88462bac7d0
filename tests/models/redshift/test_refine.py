"""Minima are found apart from each other, to a fraction of a pixel, with errors that mean what they say."""

import numpy as np
import pytest
import torch

from spectraq.models.pipeline import Pipeline
from spectraq.models.redshift.minima import NOTHING, distinct, parabola, quartic, sigma_lnz
from spectraq.models.simulate import simulate


def test_a_parabola_is_found_exactly() -> None:
    x = torch.arange(20.0)
    curve = (7 - 0.5 * (x - 11.3).square())[None]
    peak = parabola(curve, curve.argmax(1, keepdim=True))
    assert float(peak.index) == pytest.approx(11.3, abs=1e-5)
    assert float(peak.height) == pytest.approx(7, abs=1e-5)
    assert float(peak.curvature) == pytest.approx(1, abs=1e-5)


def test_a_peak_at_an_end_stays_inside() -> None:
    curve = torch.arange(10.0)[None]
    peak = parabola(curve, torch.tensor([[9]]))
    assert 7 <= float(peak.index) <= 9 and torch.isfinite(peak.height).all()


@pytest.mark.parametrize("top", [6.0, 6.15, 6.35, 6.5, 6.8])
def test_a_quartic_finds_the_top_of_a_narrow_line_better_than_a_parabola(top: float) -> None:
    x = torch.arange(13.0)
    curve = (1e4 * torch.exp(-0.5 * ((x - top) / 2.0).square()))[None]
    at = curve.argmax(1, keepdim=True)
    rough, fine = parabola(curve, at), quartic(curve, at)
    assert float(fine.index) == pytest.approx(top, abs=0.004)
    assert abs(float(fine.index) - top) <= abs(float(rough.index) - top) + 1e-6
    assert float(fine.height) == pytest.approx(1e4, rel=1e-3)
    assert float(fine.curvature) == pytest.approx(2500, rel=0.05)


def test_a_curve_without_a_top_keeps_the_parabola() -> None:
    rising = torch.arange(10.0).square()[None]
    at = rising.argmax(1, keepdim=True)
    kept = quartic(rising, at)
    assert torch.equal(kept.index, parabola(rising, at.clamp(2, 7)).index)
    assert torch.isfinite(kept.height).all()


def test_minima_that_are_too_near_are_one() -> None:
    score = torch.full((1, 100), -50.0)
    score[0, [20, 23, 60]] = torch.tensor([5.0, 4.0, 3.0])
    height, column = distinct(score, 2, width=6)
    assert column.tolist() == [[20, 60]] and height.tolist() == [[5.0, 3.0]]


def test_a_curve_without_a_second_minimum_says_so() -> None:
    score = -torch.arange(50.0)[None]
    height, _ = distinct(score, 3, width=6)
    assert float(height[0, 0]) == 0 and (height[0, 1:] <= NOTHING).all()


def test_the_error_falls_with_curvature_and_grows_with_misfit() -> None:
    one, four = torch.tensor([1.0]), torch.tensor([4.0])
    assert float(sigma_lnz(four, one, 1)) == pytest.approx(float(sigma_lnz(one, one, 1)) / 2)
    assert float(sigma_lnz(one, four, 1)) == pytest.approx(float(sigma_lnz(one, one, 1)) * 2)
    assert torch.isfinite(sigma_lnz(torch.tensor([-1.0]), one, 1)).all()


def test_errors_of_simulated_redshifts_are_of_the_right_size(pipeline: Pipeline) -> None:
    made = [one for one in simulate(400, seed=11) if one.fault is None]
    answers = pipeline.analyze([one.observation for one in made])
    pull = np.array([(a.z - m.z) / a.zerr for a, m in zip(answers, made, strict=True)])
    near = np.abs(pull) < 20  # the rest found another redshift altogether
    assert near.mean() > 0.95
    assert 0.6 < 1.4826 * np.median(np.abs(pull[near])) < 1.5
