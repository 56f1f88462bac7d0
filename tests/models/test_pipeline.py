"""One door: real spectra in, right answers out, the same whatever else is in the batch."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spectraq.models.answer import Answer, Extra
from spectraq.models.classes import CLASSES, SUBCLASSES
from spectraq.models.observation import Observation, UnusableSpectrum
from spectraq.models.pipeline import Pipeline
from spectraq.models.shipped import MissingWeightsError
from spectraq.models.simulate import Simulated, simulate
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.files.labelled_spectra import NORMAL
from spectraq.workers.files.labelled_spectra import labelled as labelled_in

N_MIXED = 64
"""A batch of mixed lengths and samplings."""


@pytest.fixture(scope="module")
def mixed() -> list[Observation]:
    """Simulated spectra of four surveys, some cut short, some without ivar."""
    found = []
    for i, one in enumerate(simulate(N_MIXED, seed=8)):
        observation = one.observation
        if i % 5 == 0:
            part = slice(300, 300 + 700 + 20 * i)
            observation = Observation(
                observation.wavelength[part], observation.flux[part], observation.ivar[part], "short"
            )
        if i % 7 == 0:
            observation = dataclasses.replace(observation, ivar=None)
        found.append(observation)
    return found


def numbers(value: object) -> Iterator[float]:
    """Every number anywhere in an answer."""
    if isinstance(value, float | int | np.floating):
        yield float(value)
    elif isinstance(value, np.ndarray):
        yield from value.ravel().tolist()
    elif isinstance(value, dict):
        for part in value.values():
            yield from numbers(part)
    elif isinstance(value, tuple):
        for part in value:
            yield from numbers(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from numbers(getattr(value, field.name))


@pytest.fixture(scope="module")
def answered(pipeline: Pipeline, labelled: list) -> list[Answer]:
    """Answers to every real spectrum with a trusted label."""
    return pipeline.analyze([one.observation for one in labelled])


def fraction_within(labelled: list, answered: list[Answer], spectype: str, limit: float) -> float:
    delta = [
        abs(a.z - one.z) / (1 + one.z)
        for one, a in zip(labelled, answered, strict=True)
        if one.spectype == spectype
    ]
    return float(np.mean(np.array(delta) < limit))


def test_real_spectra_get_the_right_class(labelled: list, answered: list[Answer]) -> None:
    right = [a.spectype == one.spectype for one, a in zip(labelled, answered, strict=True)]
    assert np.mean(right) >= 0.975


@pytest.mark.parametrize(
    ("spectype", "limit", "least"), [("GALAXY", 0.0033, 0.96), ("QSO", 0.015, 0.93), ("STAR", 0.0033, 0.98)]
)
def test_real_spectra_get_the_right_redshift(
    labelled: list, answered: list[Answer], spectype: str, limit: float, least: float
) -> None:
    assert fraction_within(labelled, answered, spectype, limit) >= least


def test_redshift_errors_of_real_spectra_are_of_the_right_size(
    labelled: list, answered: list[Answer]
) -> None:
    for spectype in CLASSES:
        pull = np.array(
            [
                (a.z - one.z) / a.zerr
                for one, a in zip(labelled, answered, strict=True)
                if one.spectype == spectype and abs(a.z - one.z) < 0.01 * (1 + one.z)
            ]
        )
        assert 0.5 < 1.4826 * np.median(np.abs(pull - np.median(pull))) < 1.6


def test_warnings_are_few_on_good_spectra_and_more_on_wrong_answers(
    labelled: list, answered: list[Answer]
) -> None:
    limit = {"GALAXY": 0.0033, "STAR": 0.0033, "QSO": 0.015}
    doubtful = np.array([not ZWarn.from_names(a.warnings).trusted for a in answered])
    good = np.array(
        [
            a.spectype == one.spectype and abs(a.z - one.z) < limit[one.spectype] * (1 + one.z)
            for one, a in zip(labelled, answered, strict=True)
        ]
    )
    assert doubtful[good].mean() < 0.05
    assert good[~doubtful].mean() >= 0.99


def test_quasars_nearer_than_the_networks_were_taught_are_found(
    pipeline: Pipeline, shared_data: Path
) -> None:
    """Real ones, moved: networks take H alpha there for a line of a distant quasar."""
    near = [one for one in labelled_in(shared_data, NORMAL) if one.spectype == "QSO" and one.z < 0.35][:24]
    assert len(near) == 24
    z = np.geomspace(0.0045, 0.0195, len(near))
    moved = [
        dataclasses.replace(one.observation, wavelength=one.observation.wavelength * (1 + to) / (1 + one.z))
        for one, to in zip(near, z, strict=True)
    ]
    answers = pipeline.analyze(moved)
    right = np.array(
        [a.spectype == "QSO" and abs(a.z - to) < 0.005 for a, to in zip(answers, z, strict=True)]
    )
    doubtful = np.array([not ZWarn.from_names(a.warnings).trusted for a in answers])
    assert right.mean() >= 0.85
    assert (right | doubtful).mean() >= 0.95


def test_few_normal_real_spectra_are_flagged(answered: list[Answer]) -> None:
    assert np.mean([a.anomaly_flagged for a in answered]) < 0.04


def test_an_answer_does_not_depend_on_the_batch(pipeline: Pipeline, mixed: list[Observation]) -> None:
    together = pipeline.analyze(mixed)
    order = np.random.default_rng(1).permutation(len(mixed))
    shuffled = pipeline.analyze([mixed[i] for i in order])
    for place, i in enumerate(order):
        assert shuffled[place] == together[i]
    for i in range(0, len(mixed), 9):
        assert pipeline.analyze([mixed[i]])[0] == together[i]


def test_one_thread_and_two_give_the_same(pipeline: Pipeline, mixed: list[Observation]) -> None:
    single = Pipeline.load(threads=1)
    assert single.digest == pipeline.digest
    assert single.analyze(mixed) == Pipeline.load(threads=2).analyze(mixed)


def test_an_answer_does_not_depend_on_the_unit_of_flux(pipeline: Pipeline, mixed: list[Observation]) -> None:
    def in_cgs(one: Observation) -> Observation:
        ivar = None if one.ivar is None else (one.ivar.astype(np.float64) * 1e34).astype(np.float32)
        return dataclasses.replace(one, flux=(one.flux * 1e-17).astype(np.float32), ivar=ivar)

    for here, there in zip(
        pipeline.analyze(mixed[:16]), pipeline.analyze([in_cgs(m) for m in mixed[:16]]), strict=True
    ):
        assert (here.spectype, here.subtype) == (there.spectype, there.subtype)
        assert abs(here.z - there.z) < 0.05 * here.zerr  # rounding alone
        # A short spectrum hardly tells eigenspectra and polynomials apart: their shares are worth less than
        # their sum.
        assert here.coeff[0] == pytest.approx(there.coeff[0] * 1e17, rel=5e-2, abs=1e-3)


def test_nothing_that_is_not_finite_escapes(pipeline: Pipeline, mixed: list[Observation]) -> None:
    hard = [
        dataclasses.replace(
            mixed[1], flux=np.where(np.arange(mixed[1].flux.size) % 3, mixed[1].flux, np.nan)
        ),
        dataclasses.replace(mixed[2], flux=np.zeros_like(mixed[2].flux)),
        dataclasses.replace(mixed[3], flux=-np.abs(mixed[3].flux)),
        dataclasses.replace(mixed[4], flux=np.full_like(mixed[4].flux, 1e30)),
        dataclasses.replace(mixed[6], ivar=np.full_like(mixed[6].flux, 1e30)),
        dataclasses.replace(mixed[8], flux=np.ones_like(mixed[8].flux), ivar=None),
        Observation(mixed[9].wavelength[:130], mixed[9].flux[:130], mixed[9].ivar[:130]),
    ]
    for answer in pipeline.analyze(mixed + hard, Extra.MODEL):
        assert all(math.isfinite(number) for number in numbers(answer))
        assert answer.zerr > 0 and answer.z > -1


def test_an_answer_is_complete(pipeline: Pipeline, mixed: list[Observation]) -> None:
    for answer in pipeline.analyze(mixed):
        assert tuple(answer.class_probability) == CLASSES
        assert tuple(answer.subclass_probability) == SUBCLASSES
        assert sum(answer.class_probability.values()) == pytest.approx(1, abs=1e-5)
        assert sum(answer.subclass_probability.values()) == pytest.approx(1, abs=1e-5)
        assert answer.spectype == max(
            answer.class_probability, key=lambda name: answer.class_probability[name]
        )
        first = answer.candidates[0]
        assert (first.spectype, first.subtype, first.z) == (answer.spectype, answer.subtype, answer.z)
        assert first.deltachi2 == 0
        assert sum(one.probability for one in answer.candidates) <= 1 + 1e-5
        if answer.spectype != "STAR":
            assert 3 <= len(answer.candidates) <= 5
        ZWarn.from_names(answer.warnings)
        assert answer.anomaly_reference
        assert answer.anomaly_reasons or not answer.anomaly_flagged


def test_the_model_follows_the_observation(pipeline: Pipeline) -> None:
    made: list[Simulated] = [one for one in simulate(40, seed=3) if one.fault is None and one.snr > 8]
    chi2 = []
    for one, answer in zip(made, pipeline.analyze([m.observation for m in made], Extra.MODEL), strict=True):
        model, observation = answer.model, one.observation
        assert model is not None and model.flux.shape == model.sigma.shape
        assert set(model.z_grids) == set(CLASSES) == set(model.chi2_curves)
        for name in CLASSES:
            assert model.z_grids[name].shape == model.chi2_curves[name].shape
            assert (np.diff(model.z_grids[name]) > 0).all()
        loglam = model.loglam0 + model.dloglam * np.arange(model.flux.size)
        fitted = np.interp(np.log10(observation.wavelength), loglam, model.flux)
        assert observation.ivar is not None
        chi2.append(float(np.mean((observation.flux - fitted) ** 2 * observation.ivar)))
    # Simulated fluxes ripple by 3 % as calibration does: at S/N 100 no polynomial of three terms follows.
    assert np.median(chi2) < 1.2 and max(chi2) < 5


@pytest.mark.parametrize("extra", [Extra.MODEL, Extra.MEASUREMENT, Extra.MODEL | Extra.MEASUREMENT])
def test_what_is_asked_for_beside_the_usual_is_there_and_changes_nothing_else(
    pipeline: Pipeline, mixed: list[Observation], extra: Extra
) -> None:
    plain, full = pipeline.analyze(mixed[:10]), pipeline.analyze(mixed[:10], extra)
    assert [dataclasses.replace(a, model=None, measurement=None) for a in full] == plain
    assert {a.model is not None for a in full} == {Extra.MODEL in extra}
    assert {a.measurement is not None for a in full} == {Extra.MEASUREMENT in extra}


def test_no_spectra_give_no_answers(pipeline: Pipeline) -> None:
    assert pipeline.analyze([]) == []


def test_a_spectrum_beyond_the_grid_is_unusable(pipeline: Pipeline, mixed: list[Observation]) -> None:
    infrared = dataclasses.replace(mixed[1], wavelength=mixed[1].wavelength + 9000)
    with pytest.raises(UnusableSpectrum, match="usable pixels between 3600 and 10400") as caught:
        pipeline.analyze([mixed[1], infrared])
    assert caught.value.reason == "no_good_pixels"


def test_a_bad_spectrum_is_named_before_anything_runs(pipeline: Pipeline, mixed: list[Observation]) -> None:
    empty = Observation(np.array([]), np.array([], np.float32))
    with pytest.raises(UnusableSpectrum) as caught:
        pipeline.analyze([mixed[0], empty])
    assert caught.value.reason == "empty"


def test_missing_weights_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(MissingWeightsError, match="spectraq train"):
        Pipeline.load(tmp_path)


def test_the_pipeline_says_who_it_is(pipeline: Pipeline) -> None:
    assert len(pipeline.digest) == 64 and int(pipeline.digest, 16)
    assert pipeline.version and len(pipeline.members) >= 3
    assert len(set(pipeline.members)) == len(pipeline.members)


def test_a_redshift_without_a_minimum_is_said_to_be_at_its_limit(pipeline: Pipeline) -> None:
    wavelength = np.linspace(4000.0, 9000.0, 2500)
    rng = np.random.default_rng(2)
    featureless = [
        Observation(
            wavelength,
            ((wavelength / 5000) ** -3 + rng.normal(0, 0.05, 2500)).astype(np.float32),
            np.full(2500, 400.0, np.float32),
        )
        for _ in range(2)
    ]
    for answer in pipeline.analyze(featureless):
        assert "z_fit_limit" in answer.warnings, answer.z
