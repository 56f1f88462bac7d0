"""Whatever finite numbers come: a finite answer, with a warning where nothing can be known, or a reason."""

import dataclasses
import json
import re
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from spectraq.models.answer import Answer, Extra
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.zwarn import ZWarn
from spectraq.workers.contract.convert import messages, observation
from spectraq.workers.errors import RejectedSpectrum
from spectraq.workers.inference import Failure, SafeInference

N = 2400
NATIVE = 10 ** (3.58 + 1e-4 * np.arange(N))
LINEAR = np.linspace(3700.0, 9800.0, N)
NOISY = np.random.default_rng(0).normal(10.0, 1.0, N)
MAX = float(np.finfo(np.float32).max)
TINY = float(np.finfo(np.float32).smallest_subnormal)
MAX_PIXELS = 100_000
SEVERAL = 8
"""Spectra of a batch: an example is one batch, as one spectrum alone costs nearly as much."""
EXAMPLES = 16

Case = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64] | None]


def where(index: slice | int, value: float, others: NDArray[np.float64] = NOISY) -> NDArray[np.float64]:
    """The other values, but this one at an index."""
    changed = others.copy()
    changed[index] = value
    return changed


def dense(n: int) -> NDArray[np.float64]:
    """Wavelengths as close as float64 allows."""
    steps = 5000.0 * np.finfo(np.float64).eps
    return 5000.0 + steps * np.arange(n)


ONES = np.ones(N)
DECADES = 10.0 ** np.random.default_rng(1).uniform(-44, 38, N)
CASES: dict[str, Case] = {
    "a spike": (NATIVE, where(700, 3e38), ONES),
    "a spike, averaged": (LINEAR, where(700, 3e38), ONES),
    "a spike that is negative": (LINEAR, where(700, -3e38), ONES),
    "a spike without ivar": (NATIVE, where(700, 3e38), None),
    "spikes in every eighth pixel": (NATIVE, where(slice(0, N, 8), MAX), ONES),
    "spikes in every other pixel": (NATIVE, where(slice(0, N, 2), MAX), ONES),
    "a spike among zeros": (NATIVE, where(700, MAX, 0 * ONES), ONES),
    "tiny values in every eighth pixel": (NATIVE, where(slice(0, N, 8), TINY), ONES),
    "alternating at the limit": (NATIVE, MAX * (-1.0) ** np.arange(N), ONES),
    "alternating at the limit, averaged": (LINEAR, MAX * (-1.0) ** np.arange(N), None),
    "the limit everywhere": (LINEAR, MAX * ONES, ONES),
    "1e30 everywhere": (NATIVE, 1e30 * ONES, ONES),
    "zero": (NATIVE, 0 * ONES, ONES),
    "zero without ivar": (NATIVE, 0 * ONES, None),
    "a constant": (NATIVE, ONES, None),
    "a negative constant": (NATIVE, -ONES, 1e4 * ONES),
    "a constant of S/N 1000": (NATIVE, ONES, 1e6 * ONES),
    "cgs units": (NATIVE, NOISY * 1e-17, ONES * 1e34),
    "cgs units, the ivar of others": (NATIVE, NOISY * 1e-17, ONES),
    "units of 1e-38": (NATIVE, NOISY * 1e-38, ONES),
    "units of 1e-38 without ivar": (NATIVE, NOISY * 1e-38, None),
    "denormal numbers": (NATIVE, TINY * np.arange(N), None),
    "all decades": (NATIVE, DECADES, ONES),
    "all decades, averaged": (LINEAR, DECADES, DECADES[::-1]),
    "all decades without ivar": (NATIVE, DECADES, None),
    "ivar of 1e-30": (NATIVE, NOISY, 1e-30 * ONES),
    "ivar of 1e30": (NATIVE, NOISY, 1e30 * ONES),
    "ivar of 1e38": (LINEAR, NOISY, 1e38 * ONES),
    "ivar of all decades": (LINEAR, NOISY, DECADES),
    "one pixel of ivar 1e38": (NATIVE, NOISY, where(700, 1e38, ONES)),
    "only one good pixel": (NATIVE, NOISY, where(700, 1.0, 0 * ONES)),
    "the good pixels beyond the grid": (LINEAR + 6000, NOISY, where(slice(N - 300, N), 1.0, 0 * ONES)),
    "the good pixels at the edge": (10 ** (3.92 + 1e-4 * np.arange(N)), NOISY, ONES),
    "one pixel": (NATIVE[:1], NOISY[:1], ONES[:1]),
    "two pixels": (NATIVE[:2], NOISY[:2], None),
    "three pixels": (NATIVE[:3], NOISY[:3], ONES[:3]),
    "a hundred pixels": (NATIVE[:100], NOISY[:100], None),
    "equal wavelengths": (np.sort(np.concatenate([NATIVE[:1200]] * 2)), NOISY, ONES),
    "steps as small as can be": (dense(N), NOISY, ONES),
    "steps as small as can be, and others": (np.concatenate([dense(N // 2), LINEAR[N // 2 :]]), NOISY, None),
    "thousands of pixels on one of the grid": (np.linspace(5000, 5000.5, N), NOISY, ONES),
    "from 1 to 1e6 angstrom": (np.geomspace(1, 1e6, N), NOISY, ONES),
    "as far as float64 goes": (np.concatenate([NATIVE[:-1], [1.7e308]]), NOISY, ONES),
    "wavelengths near zero": (np.concatenate([np.arange(1, 101) * 5e-324, NATIVE[100:]]), NOISY, ONES),
}
REFUSED = {
    "only one good pixel": "no_good_pixels",
    "the good pixels beyond the grid": "no_good_pixels",
    "one pixel": "no_good_pixels",
    "two pixels": "no_good_pixels",
    "three pixels": "no_good_pixels",
    "equal wavelengths": "bad_wavelength",
    "steps as small as can be": "no_good_pixels",
    "thousands of pixels on one of the grid": "no_good_pixels",
    "as far as float64 goes": "bad_wavelength",
}
"""The reason of those that hold no spectrum; all others are answered."""
FLAT = ("zero", "a constant", "a negative", "1e30", "the limit")
DOUBTFUL = [name for name in CASES if name.startswith(FLAT)]
DOUBTFUL += ["ivar of 1e-30", "units of 1e-38", "cgs units, the ivar of others", "a hundred pixels"]
"""Nothing can be known of these."""


@pytest.fixture(scope="module")
def neighbour() -> Observation:
    """An ordinary spectrum."""
    return next(iter(simulate(1, seed=5))).observation


@pytest.fixture(scope="module")
def answered_alone(pipeline: Pipeline, neighbour: Observation) -> Answer:
    """What is said of it where it is alone."""
    return pipeline.analyze([neighbour])[0]


def spectrum(case: Case) -> Spectrum:
    wavelength, flux, ivar = case
    return Spectrum(spectrum_id="extreme", wavelength=wavelength, flux=flux, ivar=ivar)


def outcomes(
    pipeline: Pipeline, cases: Sequence[Case], neighbour: Observation, expected: Answer
) -> list[Answer | str]:
    """Answer each case or give the reason of its refusal, an ordinary spectrum beside them."""
    found: list[Answer | str] = []
    kept: list[tuple[int, Spectrum, Observation]] = []
    for place, case in enumerate(cases):
        try:
            made = spectrum(case)
            kept.append((place, made, observation(made, MAX_PIXELS)))
            found.append("")
        except RejectedSpectrum as error:
            found.append(str(error.reason))
        except ValidationError as error:
            found.append(error.errors()[0]["type"])
    batch = [neighbour, *(item[2] for item in kept)]
    first, *others = SafeInference(pipeline, len(batch)).answers(batch, Extra.MODEL | Extra.MEASUREMENT)
    assert isinstance(first, Answer)
    assert dataclasses.replace(first, model=None, measurement=None) == expected
    for (place, made, _), answer in zip(kept, others, strict=True):
        if isinstance(answer, Failure):
            found[place] = answer.reason
            continue
        found[place] = answer
        check(made, answer, pipeline)
    return found


def check(made: Spectrum, answer: Answer, pipeline: Pipeline) -> None:
    """Assert that all that is published is finite, in numbers and in words."""
    results = messages(made, answer, pipeline)
    assert results.model is not None
    for message in (results.classification, results.redshift, results.anomaly, results.model):
        for name in type(message).model_fields:
            assert finite(getattr(message, name)), (type(message).__name__, name)
        written = json.dumps(message.to_json_dict(), allow_nan=False)
        assert not re.search(r"\b(nan|inf)\b", written)
    assert answer.zerr > 0 and answer.z > -1


def finite(value: object) -> bool:
    if isinstance(value, float | np.ndarray):
        return bool(np.isfinite(value).all())
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, tuple):
        return all(map(finite, value))
    parts = getattr(type(value), "model_fields", {})
    return all(finite(getattr(value, name)) for name in parts)


@pytest.fixture(scope="module")
def known(pipeline: Pipeline, neighbour: Observation, answered_alone: Answer) -> dict[str, Answer | str]:
    """What becomes of every case."""
    return dict(zip(CASES, outcomes(pipeline, list(CASES.values()), neighbour, answered_alone), strict=True))


@pytest.mark.parametrize("name", CASES)
def test_an_extreme_spectrum_is_answered_in_finite_numbers_or_refused_for_a_reason_of_its_own(
    known: dict[str, Answer | str], name: str
) -> None:
    outcome = known[name]
    assert (outcome if isinstance(outcome, str) else None) == REFUSED.get(name)


@pytest.mark.parametrize("name", DOUBTFUL)
def test_a_spectrum_that_says_nothing_is_never_without_a_warning(
    known: dict[str, Answer | str], name: str
) -> None:
    outcome = known[name]
    assert not isinstance(outcome, str)
    assert not ZWarn.from_names(outcome.warnings).trusted


def test_one_pixel_that_can_be_no_flux_changes_nothing_but_its_own(pipeline: Pipeline) -> None:
    one = next(iter(simulate(1, seed=6))).observation
    assert one.ivar is not None
    spiked, masked = one.flux.copy(), one.ivar.copy()
    spiked[1000], masked[1000] = 3e38, 0
    (found,) = pipeline.analyze([dataclasses.replace(one, flux=spiked)])
    (expected,) = pipeline.analyze([dataclasses.replace(one, ivar=masked)])
    assert found == expected


def test_a_pixel_of_impossible_weight_takes_nothing_from_those_that_follow(pipeline: Pipeline) -> None:
    flux = np.random.default_rng(3).normal(10, 1, N) + 30 * np.exp(-0.5 * ((LINEAR - 8000) / 5) ** 2)
    ordinary, heavy = np.ones(N), where(700, 1e20, ONES)
    found, expected = pipeline.analyze([Observation(LINEAR, flux, ivar) for ivar in (heavy, ordinary)])
    assert abs(found.npixels - expected.npixels) <= 2
    assert found.snr == pytest.approx(expected.snr, rel=0.05)


def scaled(one: Observation, factor: float) -> Observation:
    ivar = None if one.ivar is None else one.ivar.astype(np.float64) / factor**2
    return dataclasses.replace(one, flux=one.flux.astype(np.float64) * factor, ivar=ivar)


@pytest.fixture(scope="module")
def ordinary() -> list[Observation]:
    """Some with ivar, some without."""
    found = [one.observation for one in simulate(12, seed=7)]
    return [dataclasses.replace(one, ivar=None) if i % 3 == 0 else one for i, one in enumerate(found)]


@pytest.mark.parametrize("power", [-83, -40, 1, 40, 83])
def test_a_power_of_two_in_the_unit_of_flux_changes_no_bit_of_the_answer(
    pipeline: Pipeline, ordinary: list[Observation], power: int
) -> None:
    def without_unit(answer: Answer, unit: float = 1.0) -> Answer:
        return dataclasses.replace(answer, coeff=tuple(c * unit for c in answer.coeff))

    expected = [without_unit(answer) for answer in pipeline.analyze(ordinary)]
    found = pipeline.analyze([scaled(one, 2.0**power) for one in ordinary])
    assert [without_unit(answer, 2.0**-power) for answer in found] == expected


@pytest.mark.parametrize("factor", [1e-25, 1e-17, 3.7e-5, 1e25])
def test_a_factor_in_the_unit_of_flux_changes_neither_class_nor_warnings_nor_redshift(
    pipeline: Pipeline, ordinary: list[Observation], factor: float
) -> None:
    for found, expected in zip(
        pipeline.analyze([scaled(one, factor) for one in ordinary]), pipeline.analyze(ordinary), strict=True
    ):
        assert (found.spectype, found.warnings) == (expected.spectype, expected.warnings)
        assert abs(found.z - expected.z) < 0.05 * expected.zerr  # rounding alone


VALUES = st.one_of(
    st.sampled_from([0.0, 1.0, -1.0, MAX, -MAX, TINY, -TINY, 1e-38, 1e30, -1e30, 1e10]),
    st.floats(-MAX, MAX, width=32, allow_nan=False),
    st.floats(-1e3, 1e3, width=32, allow_nan=False),
)


@st.composite
def arrays(draw: st.DrawFn, n: int, value: st.SearchStrategy[float]) -> NDArray[np.float64]:
    """Noise around a level, with stretches and combs of other values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made = np.full(n, draw(value)) + draw(st.sampled_from([0.0, 1.0])) * rng.normal(size=n)
    with np.errstate(over="ignore"):
        if draw(st.integers(0, 9)) == 0:
            made = made * 10.0 ** rng.uniform(-40, 38, n)
        for _ in range(draw(st.integers(0, 3))):
            start, length = draw(st.integers(0, n - 1)), draw(st.integers(1, n))
            made[start : start + length : draw(st.sampled_from([1, 1, 2, 7, 8]))] = draw(value)
        return np.clip(made, -MAX, MAX)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """One spectrum that the contract allows, of any values."""
    n = draw(st.sampled_from([1, 3, 101, 150, 700, 2000]))
    low, high = sorted(draw(st.tuples(*[st.sampled_from([1.0, 3000.0, 3700.0, 9000.0, 12000.0, 1e6])] * 2)))
    shape: Callable[..., NDArray[np.float64]] = draw(st.sampled_from([np.linspace, np.geomspace]))
    wavelength = shape(low, high + draw(st.sampled_from([1e-9, 0.1, 100.0, 6000.0])), n)
    if draw(st.booleans()):
        wavelength = 10 ** (np.log10(low) + 1e-4 * np.arange(n))
    ivar = None
    if draw(st.integers(0, 3)):
        ivar = np.abs(draw(arrays(n, VALUES)))
    return wavelength, draw(arrays(n, VALUES)), ivar


def test_whatever_finite_numbers_come_no_answer_fails_and_none_that_is_flat_is_trusted(
    pipeline: Pipeline, neighbour: Observation, answered_alone: Answer
) -> None:
    @given(st.lists(cases(), min_size=SEVERAL, max_size=SEVERAL))
    @settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
    def holds(several: list[Case]) -> None:
        found = outcomes(pipeline, several, neighbour, answered_alone)
        for (_, flux, _), outcome in zip(several, found, strict=True):
            if isinstance(outcome, str):
                assert outcome in {"no_good_pixels", "bad_wavelength"}
            elif flux.astype(np.float32).min() == flux.astype(np.float32).max():
                assert not ZWarn.from_names(outcome.warnings).trusted

    holds()
