"""Error bars of redshifts: measured so that pulls are one, by class and survey."""

import json

import numpy as np
import pytest
import torch

from spectraq.models.answers.redshift_errors import ClassErrors, RedshiftErrors, survey_key
from spectraq.models.classes import CLASSES
from spectraq.models.training.measure.redshift_errors import Sample, measured, pulls, spread


def sample(rng: np.random.Generator, n: int, truth: float, survey: str) -> Sample:
    """Answers whose error is `truth` times the curvature's, and never less than 2e-5."""
    sigma = np.exp(rng.uniform(np.log(3e-6), np.log(2e-4), n))
    offset = rng.normal(0, 1, n) * np.hypot(truth * sigma, 2e-5)
    return Sample(np.ones(n, int), offset, sigma, np.full(n, survey))


def joined(first: Sample, second: Sample) -> Sample:
    """One sample of two."""
    pairs = [(getattr(first, name), getattr(second, name)) for name in ("kind", "offset", "sigma", "survey")]
    return Sample(*(np.concatenate(pair) for pair in pairs))


def test_scale_and_floor_are_found() -> None:
    found = measured(sample(np.random.default_rng(0), 4000, 1.7, "sdss"), {})
    scale, floor = found.of_survey("sdss", noise_estimated=False)
    assert scale == pytest.approx(1.7, rel=0.15)
    assert floor == pytest.approx(2e-5, rel=0.15)


def test_a_survey_with_larger_errors_gets_larger_ones() -> None:
    rng = np.random.default_rng(1)
    both = joined(sample(rng, 300, 1.0, "sdss"), sample(rng, 300, 3.0, "lamost"))
    found = measured(both, {})
    assert found.factors["lamost"] > 1.3 * found.factors["sdss"]
    pull = pulls(both, (ClassErrors(1, 0), found, ClassErrors(1, 0)))
    for survey in ("sdss", "lamost"):
        assert 0.8 < spread(pull[both.survey == survey]) < 1.25


def test_a_survey_of_four_spectra_has_no_factor_of_its_own() -> None:
    rng = np.random.default_rng(2)
    found = measured(joined(sample(rng, 100, 1.0, "sdss"), sample(rng, 4, 20.0, "boss")), {})
    assert set(found.factors) == {"sdss"}
    assert found.of_survey("boss", noise_estimated=False) == (found.scale, found.floor)


def test_too_few_answers_are_an_error() -> None:
    with pytest.raises(ValueError, match="29 right answers; 30 are needed"):
        measured(sample(np.random.default_rng(3), 29, 1.0, "sdss"), {})


def test_every_candidate_gets_the_error_of_its_class_and_survey() -> None:
    star = ClassErrors(2.0, 0.0, {"lamost": 3.0, "unknown without ivar": 0.5})
    errors = RedshiftErrors((star, ClassErrors(1.0, 4e-5), ClassErrors(1.0, 0.0, {}, {"desi": 3e-4})))
    curvature = torch.full((3, 2), 1e-5)
    kind = torch.tensor([[0, 1], [0, 2], [2, 0]])
    found = errors.sigma(curvature, kind, ["LAMOST", "desi", None], [False, False, True])
    expected = [
        [6e-5, np.hypot(1e-5, 4e-5)],
        [2e-5, np.hypot(1e-5, 3e-4)],
        [1e-5, 1e-5],
    ]
    assert found.numpy() == pytest.approx(np.array(expected), rel=1e-5)


def test_noise_that_was_estimated_makes_a_survey_of_its_own() -> None:
    assert survey_key("DESI", noise_estimated=False) == "desi"
    assert survey_key(None, noise_estimated=True) == "unknown without ivar"


def test_a_folder_without_the_card_uses_the_shipped_one(tmp_path) -> None:
    shipped = RedshiftErrors.load()
    assert RedshiftErrors.load(tmp_path) == shipped
    about = {"scale": 3.0, "floor": 1e-6, "factors": {}, "zero_points": {}}
    (tmp_path / "errors.json").write_text(json.dumps({"classes": dict.fromkeys(CLASSES, about)}))
    assert RedshiftErrors.load(tmp_path).of_class[0] == ClassErrors(3.0, 1e-6)
    assert shipped.of_class[0].scale < 3.0
