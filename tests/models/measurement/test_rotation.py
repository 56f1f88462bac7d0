import math
from dataclasses import replace

import numpy as np
import pytest

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH
from spectraq.models.grid.surveys import SURVEYS, survey_index
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.rotation import (
    DEEPEST,
    HALF_MEAN,
    OVERSAMPLED,
    TYPES,
    VARIANCE,
    VELOCITIES,
    blurred,
    profile,
    running_mean,
    sharp_stars,
    v_sin_i,
)
from spectraq.models.measurement.target import Target

LAG = 1.3


def seen(subtype, velocity, snr, row=3, survey="sdss", calibration=0.0):
    """A model star that turns, through a survey's spectrograph, with noise."""
    stars = sharp_stars()
    sharp = stars.flux[subtype][row].astype(np.float64)
    place = stars.first + np.arange(sharp.size) / OVERSAMPLED
    turned = np.convolve(sharp, profile(velocity, KM_S_PER_PIXEL / OVERSAMPLED), "same")
    spread = spread_at(survey, np.interp(place, np.arange(N_PIXELS), WAVELENGTH))
    pixel = np.arange(N_PIXELS)
    flux, used = np.zeros(N_PIXELS), (pixel > place[0] + 8) & (pixel < place[-1] - 8)
    for i in pixel[used]:  # the spread of each pixel's own wavelength
        near = slice(
            max(int((i - LAG - stars.first - 8) * OVERSAMPLED), 0),
            int((i - LAG - stars.first + 8) * OVERSAMPLED),
        )
        weight = np.exp(-0.5 * ((place[near] - (i - LAG)) / np.interp(i - LAG, place, spread)) ** 2)
        flux[i] = weight @ turned[near] / weight.sum()
    flux *= 1 + calibration * np.sin(pixel / 150)
    sigma = np.where(used, np.median(flux[used]) / snr, 0.0)
    ivar = np.where(used, 1 / np.maximum(sigma, 1e-9) ** 2, 0.0)
    noisy = flux + sigma * np.random.default_rng(11).standard_normal(N_PIXELS)
    return Target(noisy, ivar, "STAR", LAG, LAG * LN_PER_PIXEL, survey)


@pytest.mark.parametrize(("subtype", "velocity"), [("A", 180.0), ("F", 140.0), ("G", 250.0), ("K", 330.0)])
def test_rotation_that_is_resolved_is_measured(subtype, velocity):
    found = v_sin_i(seen(subtype, velocity, 80, calibration=0.1), subtype)["v_sin_i"]
    assert found.reason is None
    assert found.unit == "km/s"
    assert found.value == pytest.approx(velocity, abs=3 * found.error)
    assert found.error < 0.2 * velocity


@pytest.mark.parametrize("subtype", ["F", "G", "K"])
@pytest.mark.parametrize("velocity", [0.0, 40.0])
def test_what_the_instrument_does_not_resolve_has_a_limit_and_no_value(subtype, velocity):
    found = v_sin_i(seen(subtype, velocity, 80), subtype)["v_sin_i"]
    assert found.value is None
    assert found.reason.startswith("not resolved: below ")
    assert velocity < float(found.reason.split()[3]) < 200


@pytest.mark.parametrize(
    ("subtype", "snr", "reason"),
    [
        ("M", 80, "lines of type M are not compared"),
        (None, 80, "lines of type unknown are not compared"),
        ("G", 4, "median S/N below 8 where the lines are"),
    ],
)
def test_what_is_not_measured_has_its_reason(subtype, snr, reason):
    found = v_sin_i(seen("G", 200.0, snr), subtype)["v_sin_i"]
    assert (found.value, found.error, found.reason) == (None, None, reason)


def test_lines_of_no_model_and_spectra_without_them_have_no_rotation():
    star = seen("G", 200.0, 80)
    strange = star.flux * (1 + 0.3 * np.sin(np.arange(N_PIXELS) / 3))
    assert v_sin_i(replace(star, flux=strange), "G")["v_sin_i"].reason == "its lines are those of no model"
    short = np.where(WAVELENGTH < 4200, star.ivar, 0.0)
    assert v_sin_i(replace(star, ivar=short), "G")["v_sin_i"].reason == "too few pixels where the lines are"
    outside = replace(star, lag=-3000.0)
    assert v_sin_i(outside, "G")["v_sin_i"].reason == "too few pixels where the lines are"


def test_a_rotation_profile_is_as_wide_as_it_says_and_keeps_the_light():
    for velocity in VELOCITIES[1:]:
        shape = profile(float(velocity), 10.0)
        place = 10.0 * (np.arange(shape.size) - shape.size // 2)
        assert shape.sum() == pytest.approx(1.0)
        assert shape @ place == pytest.approx(0.0, abs=1e-9)
        assert shape @ place**2 == pytest.approx(VARIANCE * velocity**2 + 10.0**2 / 12, rel=0.01)
    assert profile(0.0, 10.0).tolist() == [1.0]
    assert 5 * VELOCITIES[-1] < HALF_MEAN * KM_S_PER_PIXEL


@pytest.mark.parametrize(("subtype", "survey"), [("A", "lamost"), ("F", None), ("K", "boss")])
def test_kept_models_are_those_that_direct_sums_give_to_half_a_step(subtype, survey):
    stars, models = sharp_stars(), blurred(subtype, survey_index(survey))
    sharp = stars.flux[subtype].astype(np.float64)
    place = stars.first + np.arange(sharp.shape[1]) / OVERSAMPLED
    spread = OVERSAMPLED * spread_at(survey, np.interp(place, np.arange(N_PIXELS), WAVELENGTH))
    v = len(VELOCITIES) // 2
    rotation = profile(float(VELOCITIES[v]), KM_S_PER_PIXEL / OVERSAMPLED)
    inside = slice(HALF_MEAN, -HALF_MEAN)
    for m in (0, 7):
        by_spread = []
        for sigma in (spread.min(), max(spread.max(), 1.001 * spread.min())):
            x = np.arange(-math.ceil(4.5 * sigma), math.ceil(4.5 * sigma) + 1)
            kernel = np.exp(-0.5 * (x / sigma) ** 2)
            by_spread.append(np.convolve(sharp[m], kernel / kernel.sum(), "same"))
        widest = max(spread.max(), 1.001 * spread.min())
        share = (spread**2 - spread.min() ** 2) / (widest**2 - spread.min() ** 2)
        turned = np.convolve(by_spread[0] * (1 - share) + by_spread[1] * share, rotation, "same")
        lines = turned / running_mean(turned, HALF_MEAN * OVERSAMPLED) - 1
        for phase in range(OVERSAMPLED):
            kept = models.lines[phase, v, m] * models.step[m]
            off = np.abs(kept - lines[phase::OVERSAMPLED].clip(-DEEPEST, DEEPEST))[inside]
            assert off.max() < 0.51 * models.step[m]


def test_surveys_of_one_instrument_share_their_models_and_those_of_all_are_kept():
    blurred.cache_clear()
    for survey in ("sdss", "SDSS-V", "mine", None):
        v_sin_i(seen("G", 30.0, 20.0, survey=survey), "G")
    known = blurred.cache_info()
    assert known.misses == known.currsize == 2
    assert known.maxsize == len(TYPES) * (len(SURVEYS) + 1)
