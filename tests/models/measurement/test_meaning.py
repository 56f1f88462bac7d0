"""Indices, classes and troughs against spectra for which the answer is known by hand."""

import numpy as np
import pytest

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import LN_PER_PIXEL, N_PIXELS, WAVELENGTH, lag_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement.galaxies import BPT_CLASSES, bpt_class
from spectraq.models.measurement.indices import AIR_TO_VACUUM, LICK, Stars, indices
from spectraq.models.measurement.quasars import luminosity_distance_cm, trough_index
from spectraq.models.measurement.target import Target

Z = 0.02


def stars(flux, snr=20.0):
    target = Target(flux, np.full(N_PIXELS, snr**2), "GALAXY", lag_of(Z), Z, "sdss")
    return Stars.of(target, np.zeros(N_PIXELS), flux, 1.0)


def test_an_absorption_band_of_known_area_has_that_equivalent_width():
    rest = WAVELENGTH / (1 + Z)
    _, (low, high), _ = (tuple(edge * AIR_TO_VACUUM for edge in part) for part in LICK["mgb"])
    inside = (rest > low + 5) & (rest < high - 5)
    flux = np.where(inside, 0.75, 1.0) * (1 + 0.1 * (rest / 5000 - 1))
    area = 0.25 * float((rest * LN_PER_PIXEL)[inside].sum())
    assert indices(stars(flux))["mgb"].value == pytest.approx(area, abs=0.02)


def test_the_break_is_a_ratio_of_flux_per_frequency():
    rest = WAVELENGTH / (1 + Z)
    flux = np.where(rest > 3975, 1.6, 1.0) * (4000 / rest) ** 2  # constant per frequency on either side
    assert indices(stars(flux))["d4000n"].value == pytest.approx(1.6, rel=1e-3)


def test_errors_of_indices_are_their_scatter_under_noise():
    rng, snr = np.random.default_rng(5), 15.0
    drawn = [indices(stars(1 + rng.standard_normal(N_PIXELS) / snr, snr)) for _ in range(150)]
    for name in ("d4000n", "hdelta_a", "mgb", "fe"):
        values = np.array([found[name].value for found in drawn])
        assert np.std(values) == pytest.approx(drawn[0][name].error, rel=0.2)


def test_an_index_outside_the_spectrum_is_null_with_its_reason():
    target = Target(np.ones(N_PIXELS), (WAVELENGTH > 5000) * 1.0, "GALAXY", lag_of(Z), Z, None)
    found = indices(Stars.of(target, np.zeros(N_PIXELS), np.ones(N_PIXELS), 1.0))
    assert found["d4000n"].value is None
    assert "outside" in found["d4000n"].reason
    assert found["mgb"].value is not None


def test_points_of_the_diagram_have_the_classes_of_the_published_lines():
    nii, oiii = np.array([-0.8, -0.1, 0.0, 0.2, 0.6]), np.array([0.0, 0.0, 1.0, 0.3, 1.2])
    classes = [BPT_CLASSES[k] for k in bpt_class(nii, oiii)]
    assert classes == ["star_forming", "composite", "seyfert", "liner", "seyfert"]


def trough(start, stop, depth):
    """A quasar of continuum one with a trough at velocities below C IV, and those velocities."""
    z = 2.0
    ratio = WAVELENGTH / (1 + z) / wavelength("CIV")
    velocity = -LIGHT_KM_S * (ratio**2 - 1) / (ratio**2 + 1)
    flux = np.where((velocity > start) & (velocity < stop), 1 - depth, 1.0)
    return Target(flux, np.full(N_PIXELS, 1e4), "QSO", lag_of(z), z, "sdss"), velocity


@pytest.mark.parametrize(
    ("start", "stop", "depth", "balnicity", "absorption"),
    [
        (5000, 10000, 1.0, 3000.0, 5000.0),  # the first 2000 km/s do not count
        (5000, 10000, 0.55, 1500.0, 2500.0),
        (5000, 6500, 1.0, 0.0, 1500.0),  # too narrow for the one
        (500, 2900, 1.0, 0.0, 2400.0),  # too slow for the one
        (5000, 5300, 1.0, 0.0, 0.0),
        (5000, 10000, 0.09, 0.0, 0.0),  # shallower than a tenth
    ],
)
def test_troughs_of_known_width_and_depth_have_their_indices(start, stop, depth, balnicity, absorption):
    target, velocity = trough(start, stop, depth)
    whole = np.ones(N_PIXELS)
    found = trough_index(target, whole, velocity, (3000.0, 25000.0), 2000.0, counted_from_start=False)
    assert found.value == pytest.approx(balnicity, abs=180)
    wide = trough_index(target, whole, velocity, (0.0, 25000.0), 450.0, counted_from_start=True)
    assert wide.value == pytest.approx(absorption, abs=180)


def test_the_distance_is_that_of_planck_2018():
    assert luminosity_distance_cm(1.0) == pytest.approx(6791.8 * 3.0857e24, rel=2e-3)
