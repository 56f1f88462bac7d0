"""A model in its components: what they add up to, and whose flux the lines have."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.answer import Extra
from spectraq.models.answers.components import components
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.final_fit.shapes import Part
from spectraq.models.grid.axis import LN_PER_PIXEL, WAVELENGTH
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.lines import wavelength
from spectraq.models.measurement import populations
from spectraq.models.measurement.line_groups import BROAD, NARROW, RATIOS
from spectraq.models.simulate import simulate
from spectraq.models.training.material import Family
from spectraq.models.training.mocks.known_lines import galaxy, quasar

COMPONENTS = ("continuum", "narrow", "broad", "iron")
OF_CLASS = {"STAR": {"continuum"}, "GALAXY": {"continuum", "narrow"}, "QSO": set(COMPONENTS)}
"""What every spectrum of a class has; a galaxy may have broad lines, too."""
ANGSTROM = WAVELENGTH * LN_PER_PIXEL


@pytest.fixture(scope="module")
def stars():
    return populations.load()


@pytest.fixture(scope="module")
def drawn():
    return [one.observation for one in simulate(8, seed=3)]


@pytest.fixture(scope="module")
def answers(pipeline, drawn):
    return pipeline.analyze(drawn, Extra.MODEL)


def present(model):
    return {name: part for name in COMPONENTS if (part := getattr(model, name)) is not None}


def test_components_add_up_to_the_model_in_every_class(answers):
    assert {answer.spectype for answer in answers} == set(OF_CLASS)
    for answer in answers:
        model, parts = answer.model, present(answer.model)
        assert OF_CLASS[answer.spectype] <= set(parts) <= OF_CLASS[answer.spectype] | {"broad"}
        assert all(part.dtype == np.float32 and part.shape == model.flux.shape for part in parts.values())
        size = sum(np.abs(part.astype(np.float64)) for part in parts.values())
        assert (np.abs(sum(parts.values()) - model.flux) <= 4 * np.finfo(np.float32).eps * size).all()


def test_lines_and_iron_are_nowhere_negative(answers):
    for answer in answers:
        for name, part in present(answer.model).items():
            assert name == "continuum" or (part >= 0).all()


def test_components_change_nothing_else_of_a_spectrum_and_cost_nothing_where_no_model_is_wanted(
    pipeline, drawn, answers, monkeypatch
):
    def refused(*_):
        raise AssertionError("nobody asked for a model")

    monkeypatch.setattr("spectraq.models.answers.model_spectra.components", refused)
    for alone, answer in zip(pipeline.analyze(drawn[:4]), answers, strict=False):
        assert alone.model is None
        assert (alone.z, alone.zerr, alone.chi2, alone.coeff, alone.anomaly_score) == (
            answer.z, answer.zerr, answer.chi2, answer.coeff, answer.anomaly_score
        )  # fmt: skip


def test_the_components_of_a_spectrum_do_not_depend_on_its_batch(pipeline, drawn, answers):
    i = next(i for i, answer in enumerate(answers) if answer.spectype == "QSO")
    alone = pipeline.analyze(drawn[i : i + 1], Extra.MODEL)[0].model
    for name in (*COMPONENTS, "response"):
        assert np.array_equal(getattr(alone, name), getattr(answers[i].model, name))


def test_the_response_is_what_level_and_response_multiply_the_best_fit_by(pipeline, drawn):
    analysis = pipeline.analysis(grid_batch(drawn), everything=True)
    fit = final_fit(analysis, details.load())
    factors = fit.parts[:, [Part.LEVEL, Part.RESPONSE]].sum(1)
    assert torch.allclose(analysis.fit.model * fit.response, analysis.fit.model + factors, atol=1e-4)
    assert float((fit.response - 1).abs().max()) > 1e-3


@pytest.fixture(scope="module")
def known(stars):
    """Mocks of galaxies and near quasars with lines of known flux, and their components."""
    rng = np.random.default_rng(2)
    basis = np.vstack([stars.mean, stars.shapes]).astype(np.float32)
    amount = np.hstack([np.ones((40, 1)), 0.7 * rng.standard_normal((40, len(stars.shapes)))])
    family = Family("populations", "GALAXY", basis, stars.first, amount.astype(np.float32), ("?",) * 40)
    rng = np.random.default_rng(6)
    quasars = sorted((quasar(rng) for _ in range(12)), key=lambda mock: mock.target.z)
    mocks = [galaxy(family, rng) for _ in range(8)] + quasars[:3]
    return [(mock, components(mock.target, stars)) for mock in mocks]


def flux_of(mock, component):
    """The known flux of all lines of a component within the spectrum."""
    first, last = np.flatnonzero(mock.target.used)[[0, -1]]
    return sum(
        flux * (1 + sum(ratio for _, ratio in RATIOS.get(name, ())))
        for (name, own), flux in mock.flux.items()
        if own == component and first < mock.target.place(wavelength(name)) < last
    )


@pytest.mark.parametrize(
    ("spectype", "component", "tolerance"),
    [("GALAXY", NARROW, 0.05), ("QSO", NARROW, 0.15), ("QSO", BROAD, 0.15)],
)
def test_narrow_and_broad_hold_the_flux_of_the_lines_that_are_there(known, spectype, component, tolerance):
    ratios = []
    for mock, apart in known:
        part, flux = getattr(apart, component), flux_of(mock, component)
        if mock.target.spectype == spectype and flux > 20:
            ratios.append((part * ANGSTROM)[mock.target.used].sum() / flux)
    assert len(ratios) >= 2
    assert np.median(ratios) == pytest.approx(1.0, abs=tolerance)


def test_what_is_left_for_the_continuum_has_no_lines(known):
    for mock, apart in known:
        if mock.target.spectype == "GALAXY":
            pull = (apart.continuum - mock.light) * np.sqrt(mock.target.ivar)
            assert np.square(pull[mock.target.used]).mean() < 1.2


def test_a_model_too_short_for_its_lines_has_no_components(stars, known):
    mock = known[0][0]
    ivar = np.where(np.arange(len(WAVELENGTH)) < 300, mock.target.ivar, 0.0)
    short = components(replace(mock.target, ivar=ivar), stars)
    assert short.continuum is None and short.narrow is None
