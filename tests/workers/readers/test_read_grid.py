"""Joining arms, and units as files write them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.arms import Grid, log_grid
from spectraq.workers.readers.units import FLUX_UNIT, angstrom, flux_factor, unit_of


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(0, 20))
def test_joining_loses_no_weight_and_no_flux(seed: int, n: int, doubles: int) -> None:
    rng = np.random.default_rng(seed)
    wavelength = np.concatenate([4000 + 0.8 * np.arange(n), 4000 + 0.8 * rng.integers(0, n, doubles) + 1e-10])
    order = rng.permutation(wavelength.size)
    flux = rng.normal(5, 2, wavelength.size).astype("f4")
    ivar = np.where(rng.random(wavelength.size) < 0.2, 0, rng.uniform(0.1, 9, wavelength.size)).astype("f4")
    grid = Grid(wavelength[order])
    joined, weight = grid.combine(flux[order], ivar[order])
    assert weight is not None and (np.diff(grid.wavelength) > 0).all() and grid.wavelength.size == n
    assert weight.sum() == pytest.approx(ivar.sum(), rel=1e-5)
    assert (joined * weight).sum() == pytest.approx((flux * ivar).sum(), rel=1e-4)


def test_a_pixel_without_weight_does_not_spoil_the_one_it_coincides_with() -> None:
    grid = Grid(np.array([4000.0, 4001.0, 4001.0, 4002.0]))
    flux, ivar = np.array([1, np.nan, 3, np.nan], "f4"), np.array([1, 5, 2, 0], "f4")
    joined, weight = grid.combine(flux, ivar)
    assert joined[:2].tolist() == [1, 3] and np.isnan(joined[2])
    assert weight is not None and weight.tolist() == [1, 2, 0]


def test_pixels_of_two_grids_that_do_not_coincide_all_stay() -> None:
    grid = Grid(np.array([4000.0, 4001.0, 4002.0, 4001.4, 4002.4]))
    assert grid.wavelength.tolist() == [4000.0, 4001.0, 4001.4, 4002.0, 4002.4]


def test_a_wavelength_that_is_none_drops_its_pixel() -> None:
    grid = Grid(np.array([np.nan, 4000.0, 4001.0, -1.0, 0.0]))
    flux, _ = grid.combine(np.arange(5, dtype="f4"), None)
    assert (grid.wavelength.tolist(), flux.tolist()) == ([4000.0, 4001.0], [1.0, 2.0])


def test_a_grid_is_recognised_through_the_rounding_of_float32() -> None:
    loglam = 3.5515 + 1e-4 * np.arange(4622)
    assert log_grid(loglam.astype("f4").astype("f8"), 1e-4) == 3.5515
    assert log_grid(loglam, 2e-4) is None
    assert log_grid(np.delete(loglam, 7), 1e-4) is None


@pytest.mark.parametrize(
    ("written", "factor"),
    [
        ("1E-17 erg/cm^2/s/Ang", 1.0),
        ("10**-17 erg/(s cm2 Angstrom)", 1.0),
        ("10^-17 erg/s/cm^2/Angstrom", 1.0),
        ("1e-17 erg s^-1 cm^-2 AA^-1", 1.0),
        ("1E-16 ergs/sec/cm**2/A", 10.0),
        ("erg/s/cm^2/Å", 1e17),
        ("W m-2 um-1", 1e16),
        ("W / (m2 nm)", 1e19),
    ],
)
def test_flux_units_are_understood_as_surveys_write_them(written: str, factor: float) -> None:
    found, unit = flux_factor(unit_of(written), np.array([5000.0]))
    assert found == pytest.approx(factor, rel=1e-12)
    assert unit == FLUX_UNIT


@pytest.mark.parametrize(("written", "factor"), [("Jy", 1.0), ("mJy", 1e-3), ("erg/s/cm2/Hz", 1e23)])
def test_flux_per_frequency_is_converted_at_each_wavelength(written: str, factor: float) -> None:
    found, unit = flux_factor(unit_of(written), np.array([2500.0, 5000.0]))
    # f_lambda = c f_nu / lambda^2: 1 Jy is 2.99792458e-5 erg/s/cm2/A over (lambda/A)^2
    expected = factor * 2.99792458e-5 / np.array([2500.0, 5000.0]) ** 2 / 1e-17
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert unit == FLUX_UNIT


@pytest.mark.parametrize("written", ["", None, "relative", "something else"])
def test_what_is_no_unit_is_none(written: str | None) -> None:
    assert unit_of(written) is None


def test_counts_stay_what_they_are() -> None:
    assert flux_factor(unit_of("adu"), np.array([5000.0])) == (1.0, "adu")


def test_a_unit_that_is_none_of_wavelength_is_refused() -> None:
    with pytest.raises(ReadError, match="no unit of wavelength"):
        angstrom(np.array([1.0]), unit_of("kg"))
