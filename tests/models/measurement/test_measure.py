"""Whole measurements: of mocks with known lines, of anything at all, and through the pipeline."""

import math
from dataclasses import replace

import numpy as np
import pytest

from spectraq.models.answer import Extra
from spectraq.models.grid.axis import N_PIXELS, lag_of
from spectraq.models.measurement import populations
from spectraq.models.measurement.line_groups import BROAD, NARROW
from spectraq.models.measurement.measure import measure
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.models.measurement.target import Target
from spectraq.models.simulate import simulate
from spectraq.models.training.material import Family
from spectraq.models.training.mocks.known_lines import galaxy, quasar


@pytest.fixture(scope="module")
def stars():
    return populations.load()


@pytest.fixture(scope="module")
def family(stars):
    """Galaxies made of the shipped populations."""
    rng = np.random.default_rng(2)
    basis = np.vstack([stars.mean, stars.shapes]).astype(np.float32)
    amount = np.hstack([np.ones((40, 1)), 0.7 * rng.standard_normal((40, len(stars.shapes)))])
    return Family("populations", "GALAXY", basis, stars.first, amount.astype(np.float32), ("?",) * 40)


@pytest.fixture(scope="module")
def measured(stars, family):
    """Mocks with their measurements."""
    rng = np.random.default_rng(6)
    drawn = [galaxy(family, rng) for _ in range(16)] + [quasar(rng) for _ in range(8)]
    return [(truth, measure(truth.target, 1e-5, 1e-17, stars)) for truth in drawn]


def pulls(measured, spectype, component):
    return np.array([
        (line.flux / true, (line.flux - true) / line.flux_error, line.upper_limit is None)
        for truth, measurement in measured
        if truth.target.spectype == spectype
        for line in measurement.lines
        if line.component == component
        and line.flux is not None
        and (true := truth.flux.get((line.name, line.component), 0.0)) > 5 * line.flux_error
    ])  # fmt: skip


@pytest.mark.parametrize(
    ("spectype", "component", "bias"), [("GALAXY", NARROW, 0.02), ("QSO", NARROW, 0.03), ("QSO", BROAD, 0.05)]
)
def test_clear_lines_are_seen_and_have_their_flux_within_their_errors(measured, spectype, component, bias):
    ratio, pull, seen = pulls(measured, spectype, component).T
    assert len(ratio) > 15
    assert np.median(ratio) == pytest.approx(1.0, abs=bias)
    assert 1.4826 * np.median(np.abs(pull)) < 1.5
    assert seen.mean() > 0.95


def test_velocity_dispersions_agree_with_the_truth_within_their_errors(stars, family):
    rng = np.random.default_rng(6)
    drawn = [galaxy(family, rng) for _ in range(70)]
    known = [
        (quantity.value / truth.dispersion, (quantity.value - truth.dispersion) / quantity.error)
        for truth in drawn
        if (quantity := measure(truth.target, 1e-5, None, stars).quantities["velocity_dispersion"]).value
        is not None
    ]
    ratio, pull = np.array(known).T
    assert len(ratio) > 30
    assert np.median(ratio) == pytest.approx(1.0, abs=0.08)
    assert np.median(np.abs(pull)) < 1.0


def test_a_galaxy_whose_absorption_lines_are_outside_has_no_dispersion_but_lines(stars, family):
    truth = galaxy(family, np.random.default_rng(3))
    snr, z = 20.0, 1.35
    flux = 1 + np.random.default_rng(4).standard_normal(N_PIXELS) / snr
    ivar = np.where(truth.target.used, snr**2, 0.0)
    measurement = measure(Target(flux, ivar, "GALAXY", lag_of(z), z, "sdss"), 1e-5, None, stars)
    assert measurement.quantities["velocity_dispersion"].value is None
    assert measurement.quantities["velocity_dispersion"].reason
    assert sum(line.flux is not None for line in measurement.lines) > 3


def assert_honest(measurement):
    """What is null has its reason; what is not is finite, and its error positive."""
    for line in measurement.lines:
        for name in ("flux", "ew", "sigma", "offset"):
            value, error = getattr(line, name), getattr(line, f"{name}_error")
            assert (value is None) == (error is None)
            assert value is None or (math.isfinite(value) and math.isfinite(error) and error > 0)
        assert line.flux is not None or line.reason
        assert None not in (line.sigma, line.ew) or line.reason
    for name, quantity in measurement.quantities.items():
        assert (quantity.value is None) == bool(quantity.reason), name
        assert quantity.value is None or math.isfinite(quantity.value)
        assert quantity.error is None or (math.isfinite(quantity.error) and quantity.error >= 0)


def test_every_number_is_finite_with_an_error_and_every_null_has_its_reason(measured, stars):
    for _, measurement in measured:
        assert_honest(measurement)
    rng = np.random.default_rng(8)
    for spectype, z in (
        ("GALAXY", 0.0),
        ("GALAXY", 1.6),
        ("QSO", 0.02),
        ("QSO", 2.5),
        ("QSO", 6.9),
        ("STAR", 0.0),
    ):
        for used in (300, 4000):
            ivar = np.zeros(N_PIXELS)
            start = int(rng.integers(0, N_PIXELS - used))
            ivar[start : start + used] = 25.0
            for level in (0.0, 1.0):
                flux = level + rng.standard_normal(N_PIXELS) / 5
                target = Target(flux, ivar, spectype, lag_of(z), z, None)
                assert_honest(measure(target, 1e-4, 1e-17, stars))


def test_quantities_have_the_units_that_are_listed(measured, stars):
    whole = Target(np.ones(N_PIXELS), np.ones(N_PIXELS), "STAR", 0.0, 0.0, None)
    for measurement in [one for _, one in measured] + [measure(whole, 1e-5, None, stars)]:
        listed = QUANTITIES[measurement.spectype]
        known = {name: quantity.unit for name, quantity in measurement.quantities.items()}
        assert known == {name: unit for name, (unit, _) in listed.items()}


def test_without_a_unit_of_flux_there_is_no_luminosity_and_no_mass(stars):
    truth = quasar(np.random.default_rng(11))
    measurement = measure(truth.target, 1e-4, None, stars)
    for name, quantity in measurement.quantities.items():
        if name.startswith(("log_l", "log_mass")):
            assert quantity.value is None
            assert quantity.reason


def test_fluxes_follow_the_unit_of_the_spectrum_and_nothing_else_does(pipeline):
    drawn = [
        one for one in simulate(40, seed=9) if one.spectype != "STAR" and one.fault is None and one.snr > 6
    ]
    observations = [one.observation for one in drawn[:4]]
    tiny = [replace(o, flux=o.flux * np.float32(1e-10), ivar=o.ivar * np.float32(1e20)) for o in observations]
    usual, scaled = (pipeline.analyze(many, Extra.MEASUREMENT) for many in (observations, tiny))
    compared = 0
    for one, other in zip(usual, scaled, strict=True):
        for line, same in zip(one.measurement.lines, other.measurement.lines, strict=True):
            if line.flux is not None and line.flux > 5 * line.flux_error:
                assert same.flux == pytest.approx(line.flux * 1e-10, rel=0.02)
                assert same.ew == pytest.approx(line.ew, rel=0.02)
                compared += 1
    assert compared > 5


def test_a_pixel_of_hardly_any_weight_costs_no_index_its_precision(measured, stars):
    truth, usual = measured[0]
    ivar = truth.target.ivar.copy()
    ivar[::50] *= 1e-5
    flux = truth.target.flux.copy()
    flux[::50] += np.sqrt(1 / np.maximum(ivar[::50], 1e-30)) * (ivar[::50] > 0)
    spoilt = measure(replace(truth.target, flux=flux, ivar=ivar), 1e-5, 1e-17, stars).quantities
    compared = 0
    for name in ("d4000n", "hdelta_a", "mgb", "fe"):
        before, after = usual.quantities[name], spoilt[name]
        if before.value is not None:
            assert after.error < 1.5 * before.error
            assert abs(after.value - before.value) < 3 * before.error
            compared += 1
    assert compared >= 2
