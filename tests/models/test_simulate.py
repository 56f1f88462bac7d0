"""Simulated spectra are various, repeatable, and made from shipped weights alone."""

import collections

import numpy as np

from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import FAULTS, SURVEYS, simulate


def test_the_same_seed_gives_the_same_spectra() -> None:
    for here, there in zip(simulate(5, seed=7), simulate(5, seed=7), strict=True):
        assert here.z == there.z and here.fault == there.fault
        assert np.array_equal(here.observation.flux, there.observation.flux)
    assert simulate(1, seed=1)[0].z != simulate(1, seed=2)[0].z


def test_they_are_of_every_class_survey_and_quality() -> None:
    made = simulate(500, seed=1)
    assert set(collections.Counter(one.spectype for one in made)) == {"STAR", "GALAXY", "QSO"}
    assert {one.observation.survey for one in made} == set(SURVEYS)
    assert len({one.subtype for one in made}) > 10
    snr = np.array([one.snr for one in made])
    assert snr.min() < 2 and snr.max() > 30
    assert max(one.z for one in made if one.spectype == "QSO") > 2.5


def test_a_few_per_cent_have_a_named_fault() -> None:
    faults = [one.fault for one in simulate(1500, seed=2) if one.fault is not None]
    assert 0.02 < len(faults) / 1500 < 0.07
    assert set(faults) == set(FAULTS)


def test_they_can_all_be_analysed() -> None:
    for one in simulate(200, seed=3):
        one.observation.check()


def test_the_signal_is_what_was_asked_for() -> None:
    for one in simulate(100, seed=5):
        flux, ivar = one.observation.flux, one.observation.ivar
        assert ivar is not None
        used = ivar > 0
        measured = float(np.median(np.abs(flux[used]) * np.sqrt(ivar[used])))
        assert 0.7 * one.snr < measured < 1.4 * one.snr + 0.5


def test_the_truth_is_found_again(pipeline: Pipeline) -> None:
    made = [one for one in simulate(300, seed=6) if one.fault is None]
    answers = pipeline.analyze([one.observation for one in made])
    right = [a.spectype == one.spectype for a, one in zip(answers, made, strict=True)]
    near = [abs(a.z - one.z) < 0.005 * (1 + one.z) for a, one in zip(answers, made, strict=True)]
    assert np.mean(right) > 0.95 and np.mean(near) > 0.95
