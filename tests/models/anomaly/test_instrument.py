"""What an instrument does is told as its doing, with place and size; what shines is not."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from spectraq.models.anomaly.judge import told_of
from spectraq.models.anomaly.kinds import INSTRUMENT, KINDS
from spectraq.models.anomaly.narrow_features import narrowest_at
from spectraq.models.anomaly.residual import Residual
from spectraq.models.answer import Answer, Evidence, Reason
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import Simulated, simulate

Floats = np.ndarray
Fault = Callable[[Floats, Floats, Floats], Floats]
SECOND = {"second_star", "second_galaxy", "second_quasar", "supernova"}
PLACE = 5320.0  # between the sky's bright lines


@pytest.fixture(scope="module")
def hosts() -> list[Simulated]:
    """Simulated spectra with nothing wrong, of enough signal, each pixel its own."""
    drawn = [one for one in simulate(140, seed=11) if one.fault is None and one.snr > 8]
    return [one for one in drawn if one.observation.survey != "desi"][:24]


def at(wavelength: Floats) -> int:
    return int(np.searchsorted(wavelength, PLACE))


def ray(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    there = at(wavelength)
    return flux + 40 * sigma[there] * (np.arange(flux.size) == there)


def column(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    return np.where(np.abs(np.arange(flux.size) - at(wavelength)) < 2, 0.02 * flux, flux)


def run_of_one_value(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    return np.where(np.abs(wavelength - PLACE) < 40, flux[at(wavelength)], flux)


def waves(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    rise = np.clip((wavelength - 7000) / 1000, 0, 1)
    return flux * (1 + 0.2 * rise * np.sin(2 * np.pi * 8500**2 / 50 / wavelength))


def below_zero(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    return flux - np.clip((wavelength[0] + 700 - wavelength) / 300, 0, 1) * 2 * np.median(flux)


def repeated(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    return np.repeat(flux[::3], 3)[: flux.size]


def curved(wavelength: Floats, flux: Floats, sigma: Floats) -> Floats:
    return flux * (1 + 0.5 * np.sin(7 * np.pi * np.linspace(0, 1, flux.size)))


FAULTS: dict[Fault, str] = {
    ray: "cosmic_ray",
    column: "dead_column",
    run_of_one_value: "dead_column",
    waves: "fringing",
    below_zero: "bad_reduction",
    repeated: "bad_reduction",
}


def answers(pipeline: Pipeline, hosts: list[Simulated], fault: Fault) -> list[Answer]:
    spoilt = []
    for one in hosts:
        old = one.observation
        assert old.ivar is not None
        sigma = 1 / np.sqrt(np.where(old.ivar > 0, old.ivar, np.median(old.ivar)))
        flux = fault(old.wavelength, old.flux.astype(np.float64), sigma).astype(np.float32)
        spoilt.append(Observation(old.wavelength, flux, old.ivar, old.survey))
    return pipeline.analyze(spoilt)


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_told_as_the_instruments(pipeline: Pipeline, hosts: list[Simulated], fault: Fault) -> None:
    flagged = [answer for answer in answers(pipeline, hosts, fault) if answer.anomaly_flagged]
    assert len(flagged) > 0.5 * len(hosts)
    first = [answer.anomaly_reasons[0] for answer in flagged]
    assert sum(cause.origin == INSTRUMENT for cause in first) > 0.85 * len(flagged)
    told = [[c for c in answer.anomaly_reasons if c.kind == FAULTS[fault]] for answer in flagged]
    assert sum(map(bool, told)) > 0.6 * len(flagged)
    if fault in (ray, column, run_of_one_value):
        near = [c for causes in told for c in causes if c.wavelength_min - 5 < PLACE < c.wavelength_max + 5]
        assert len(near) > 0.8 * sum(map(bool, told))


def test_a_smooth_factor_is_no_second_object(pipeline: Pipeline, hosts: list[Simulated]) -> None:
    evidence = [one for answer in answers(pipeline, hosts, curved) if (one := answer.anomaly_evidence)]
    found = [cause for one in evidence for score, cause in one.by_score().items() if score in SECOND]
    assert len(found) > 5
    assert sum(cause.kind in {"flux_calibration", "scattered_light"} for cause in found) > 0.5 * len(found)


def left_with(profile: Floats) -> Residual:
    """A residual of unit noise and nothing in it but a profile."""
    flux = torch.from_numpy(profile.astype(np.float32))[None]
    one = torch.ones_like(flux)
    number = torch.zeros(1)
    return Residual(flux, flux, 100 * one, one, number.long(), number.double(), number, number.bool())


@pytest.mark.parametrize("offset", [0.0, 0.25, 0.5])
@pytest.mark.parametrize("width", [1.0, 1.5, 3.0])
def test_no_line_is_a_cosmic_ray_however_strong(width: float, offset: float) -> None:
    place = np.arange(N_PIXELS)
    line = 60 * np.exp(-0.5 * ((place - 2000 - offset) / width) ** 2)
    near = torch.tensor([[1999, 2000, 2001]])
    assert float(narrowest_at(left_with(line), torch.ones(1, N_PIXELS), near, 1).evidence) < 3
    ray = 60.0 * (place == 2000) + 30.0 * (place == 2001)
    assert float(narrowest_at(left_with(ray), torch.ones(1, N_PIXELS), near, 1).evidence) > 10


def test_what_two_scores_tell_as_one_fault_is_told_once() -> None:
    fault = Reason("flux_calibration", INSTRUMENT, 3.0, 4000.0, 5000.0, "A curve.")
    evidence = Evidence((), "arm_step", (fault, fault), "", ("second_galaxy", "flux_calibration"))
    rates = [1.0] * len(KINDS)
    rates[KINDS.index("second_galaxy")] = 1e-4
    rates[KINDS.index("flux_calibration")] = 1e-5
    told = told_of(evidence, rates)
    assert [cause.kind for cause in told] == ["flux_calibration"]
    assert told[0].strength == pytest.approx(4.26, abs=0.01)
