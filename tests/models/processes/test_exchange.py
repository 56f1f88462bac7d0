"""Spectra and answers go from process to process as they are."""

import dataclasses
import math

import numpy as np

from spectraq.models.answer import Answer, Extra
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.processes import wire
from spectraq.models.simulate import simulate
from tests.support.same_answers import assert_same_answers


def observations() -> list[Observation]:
    """Simulated spectra, some as other files have them: without ivar, other types, not contiguous."""
    found = [one.observation for one in simulate(4, seed=3)]
    found[0] = dataclasses.replace(found[0], flux_cgs=1e-17)
    found[1] = dataclasses.replace(found[1], ivar=None, survey=None)
    found[2] = dataclasses.replace(found[2], flux=found[2].flux.astype(">f8"))
    found[3] = Observation(*(array[::2] for array in (found[3].wavelength, found[3].flux, found[3].ivar)))
    return found


def test_observations_arrive_as_they_were_sent() -> None:
    sent = observations()
    arrived, extra = wire.unpacked(*wire.packed(sent, Extra.MODEL))
    assert extra == Extra.MODEL
    for here, there in zip(sent, arrived, strict=True):
        assert (here.survey, here.flux_cgs) == (there.survey, there.flux_cgs)
        for name in wire.ARRAYS:
            a, b = getattr(here, name), getattr(there, name)
            assert (a is None) == (b is None)
            if a is not None:
                assert a.dtype == b.dtype
                np.testing.assert_array_equal(a, b)


def test_answers_arrive_to_the_last_bit(pipeline: Pipeline) -> None:
    answers = pipeline.analyze(observations())
    assert any(answer.candidates for answer in answers)
    assert wire.read(*wire.written(answers)) == answers


def test_models_and_measurements_arrive_to_the_last_bit(pipeline: Pipeline) -> None:
    answers = pipeline.analyze(observations(), Extra.MODEL | Extra.MEASUREMENT)
    arrived = wire.read(*wire.written(answers))
    assert all(answer.measurement and answer.measurement.quantities for answer in arrived)
    assert_same_answers(arrived, answers)
    assert arrived[0].model is not None
    arrived[0].model.flux[0] = 0.0  # one's own, as from the networks


def test_numbers_that_are_none_arrive_too(pipeline: Pipeline) -> None:
    answer = dataclasses.replace(pipeline.analyze(observations()[:1])[0], chi2=math.nan, deltachi2=math.inf)
    there: Answer = wire.read(*wire.written([answer]))[0]
    assert math.isnan(there.chi2)
    assert there.deltachi2 == math.inf
