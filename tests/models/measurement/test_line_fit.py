import numpy as np
import pytest

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH, lag_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement.fwhm import fwhm_km_s
from spectraq.models.measurement.galaxy_lines import galaxy_lines
from spectraq.models.measurement.ground import Base
from spectraq.models.measurement.line_groups import BROAD, NARROW, RATIOS, narrow, narrow_lines
from spectraq.models.measurement.line_profiles import OFF_GRID, Parts
from spectraq.models.measurement.line_records import MeasuredLines
from spectraq.models.measurement.quasar_lines import quasar_lines
from spectraq.models.measurement.target import Target

Z = 0.08
GOOD = (WAVELENGTH > 3800) & (WAVELENGTH < 9300)
FLAT = Base(np.ones(N_PIXELS), np.ones((1, N_PIXELS)), np.array([1.0]), np.zeros(1))


def with_lines(fluxes, sigma, offset, snr, noise=None):
    """A target of continuum one and narrow lines, by name."""
    blank = Target(np.zeros(N_PIXELS), GOOD * snr**2, "GALAXY", lag_of(Z), Z, "sdss")
    flux = np.ones(N_PIXELS)
    for name, amount in fluxes.items():
        for part, ratio in ((name, 1.0), *RATIOS.get(name, ())):
            rest = wavelength(part)
            width = np.hypot(sigma / KM_S_PER_PIXEL, blank.spread(rest))
            centre = blank.place(rest) + offset / KM_S_PER_PIXEL
            peak = np.exp(-0.5 * ((np.arange(N_PIXELS) - centre) / width) ** 2)
            flux += amount * ratio * peak / (np.sqrt(2 * np.pi) * width * WAVELENGTH * LN_PER_PIXEL)
    if noise is not None:
        flux += noise.standard_normal(N_PIXELS) / snr
    return Target(flux, GOOD * snr**2, "GALAXY", lag_of(Z), Z, "sdss")


LINES = {
    "Hbeta": 20.0,
    "OIII_5008": 45.0,
    "Halpha": 70.0,
    "NII_6585": 25.0,
    "OII_3727": 12.0,
    "OII_3730": 16.0,
}


@pytest.mark.parametrize(("sigma", "offset"), [(40.0, -60.0), (150.0, 0.0), (350.0, 120.0)])
def test_flux_width_and_offset_of_lines_without_noise_come_out_as_they_went_in(sigma, offset):
    target = with_lines(LINES, sigma, offset, 30.0)
    fit = galaxy_lines(target, FLAT)
    known = {name: fit.flux[i] for i, (g, name) in enumerate(fit.lines) if fit.groups[g].component == NARROW}
    assert {name: known[name] for name in LINES} == pytest.approx(LINES, rel=2e-3)
    others = [flux for name, flux in known.items() if name not in LINES]
    assert len(others) > 15
    assert np.abs(others).max() < 0.05
    for g in range(len(fit.groups)):
        assert np.sqrt(fit.kinematics.square[g]) * KM_S_PER_PIXEL == pytest.approx(sigma, rel=5e-3)
        assert fit.kinematics.shift[g] * KM_S_PER_PIXEL == pytest.approx(offset, abs=0.5)


def test_errors_are_the_scatter_of_the_same_lines_under_other_noise():
    rng = np.random.default_rng(3)
    pulls, widths = [], []
    for _ in range(60):
        fit = galaxy_lines(with_lines(LINES, 120.0, 20.0, 12.0, rng), FLAT)
        error = np.sqrt(fit.covariance.diagonal())
        pulls += [
            (fit.flux[i] - LINES.get(name, 0.0)) / error[i]
            for i, (g, name) in enumerate(fit.lines)
            if fit.groups[g].component == NARROW
        ]
        columns = fit.columns_of(0)
        widths.append((fit.kinematics.square[0] - (120.0 / KM_S_PER_PIXEL) ** 2) / error[columns][0])
    assert np.std(pulls) == pytest.approx(1.0, abs=0.07)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.1)
    assert np.std(widths) == pytest.approx(1.0, abs=0.3)


def test_a_line_that_is_not_seen_has_an_upper_limit_and_no_width():
    target = with_lines({"Halpha": 40.0}, 100.0, 0.0, 10.0, np.random.default_rng(1))
    lines = {line.name: line for line in MeasuredLines(galaxy_lines(target, FLAT), FLAT, target).records()}
    seen, missing, outside = lines["Halpha"], lines["OIII_4364"], lines["SIII_9533"]
    assert seen.upper_limit is None
    assert seen.sigma == pytest.approx(100.0, abs=4 * seen.sigma_error)
    assert seen.ew == pytest.approx(40.0 / (1 + Z), abs=4 * seen.ew_error)
    assert missing.upper_limit == pytest.approx(3 * missing.flux_error)
    assert missing.sigma is None
    assert missing.reason == "not seen"
    assert outside.flux is None
    assert outside.reason == "outside the spectrum, or masked"


def test_a_broad_line_under_narrow_ones_is_measured_apart():
    target = with_lines({"Halpha": 60.0, "NII_6585": 30.0, "OIII_5008": 60.0, "Hbeta": 20.0}, 90.0, 0.0, 30.0)
    blank = with_lines({}, 90.0, 0.0, 30.0)
    broad = with_lines({"Halpha": 400.0}, 1800.0, 0.0, 30.0)
    both = Target(
        target.flux + broad.flux - blank.flux + np.random.default_rng(2).standard_normal(N_PIXELS) / 30,
        target.ivar, "GALAXY", target.lag, Z, "sdss",
    )  # fmt: skip
    lines = MeasuredLines(galaxy_lines(both, FLAT), FLAT, both).records()
    narrow_line = next(line for line in lines if (line.name, line.component) == ("Halpha", NARROW))
    wide = next(line for line in lines if (line.name, line.component) == ("Halpha", BROAD))
    assert narrow_line.flux == pytest.approx(60.0, abs=4 * narrow_line.flux_error)
    assert wide.flux == pytest.approx(400.0, abs=4 * wide.flux_error)
    assert wide.sigma == pytest.approx(1800.0, abs=4 * wide.sigma_error)


def test_wings_under_h_beta_alone_are_not_broad_lines_while_h_alpha_is_seen():
    """Stars' absorption that populations miss looks so; broad H alpha would be three times as bright."""
    target = with_lines({"Halpha": 60.0, "OIII_5008": 60.0, "Hbeta": 20.0}, 90.0, 0.0, 30.0)
    wings = with_lines({"Hbeta": 150.0}, 2000.0, 0.0, 30.0).flux - with_lines({}, 90.0, 0.0, 30.0).flux
    noise = np.random.default_rng(2).standard_normal(N_PIXELS) / 30
    ivar = target.ivar.copy()
    both = Target(target.flux + wings + noise, ivar, "GALAXY", target.lag, Z, "sdss")
    assert all(group.component == NARROW for group in galaxy_lines(both, FLAT).groups)
    ivar[abs(np.arange(N_PIXELS) - target.place(6564.61)) < 100] = 0
    blue = Target(target.flux + wings + noise, ivar, "GALAXY", target.lag, Z, "sdss")
    assert any(group.component == BROAD for group in galaxy_lines(blue, FLAT).groups)


def test_wings_of_oiii_in_quasars_are_part_of_its_flux():
    names = {"OIII_5008": 60.0, "NeIII": 20.0, "NeV": 15.0, "OII_3730": 20.0}
    core, wing, blank = (
        with_lines(lines, sigma, offset, 40.0)
        for lines, sigma, offset in (
            (names, 120.0, 0.0),
            ({"OIII_5008": 50.0}, 600.0, -200.0),
            ({}, 1.0, 0.0),
        )
    )
    noise = np.random.default_rng(6).standard_normal(N_PIXELS) / 40
    target = Target(core.flux + wing.flux - blank.flux + noise, core.ivar, "QSO", core.lag, Z, "sdss")
    fit, absorbed = quasar_lines(target, FLAT)
    lines = {
        line.name: line for line in MeasuredLines(fit, FLAT, target).records() if line.component == NARROW
    }
    assert not absorbed.any()
    assert lines["OIII_5008"].flux == pytest.approx(110.0, abs=4 * lines["OIII_5008"].flux_error)
    assert lines["OIII_5008"].flux_error < 8
    assert lines["NeIII"].sigma == pytest.approx(120.0, abs=4 * lines["NeIII"].sigma_error)


def test_no_broad_line_is_made_of_noise():
    rng = np.random.default_rng(4)
    for _ in range(8):
        fit = galaxy_lines(with_lines(LINES, 100.0, 0.0, 20.0, rng), FLAT)
        assert all(group.component == NARROW for group in fit.groups)


def on_grid(window, values):
    """Values in the windows of the Gaussians as they lie on the grid, and one pixel for what is off it."""
    rows = np.zeros((len(values), OFF_GRID + 1))
    np.add.at(rows, (np.arange(len(values))[:, None], window.pixel), values)
    return rows


def test_the_slopes_by_width_and_offset_are_those_of_the_profiles():
    target = with_lines(LINES, 100.0, 0.0, 20.0)
    parts = Parts.of(target, narrow("narrow", ("Hbeta", "OIII_5008")), 0)
    assert len(parts.line) == 3
    at, step = np.array([(130.0 / KM_S_PER_PIXEL) ** 2, 0.0]), 1e-4
    window = parts.window(*at)
    for k, slope in enumerate((window.by_square(), window.by_shift())):
        low, high = (parts.window(*(at + sign * step * np.eye(2)[k])) for sign in (-1, 1))
        moved = on_grid(high, high.profile) - on_grid(low, low.profile)
        expected = on_grid(window, slope)
        assert np.abs(moved / (2 * step) - expected).max() < 1e-4 * np.abs(expected).max()


def test_at_least_thirty_lines_are_measured():
    forbidden, permitted = narrow_lines("GALAXY")
    assert len({*forbidden, *permitted}) >= 30


def test_the_width_of_one_gaussian_is_its_own():
    square = (1500.0 / KM_S_PER_PIXEL) ** 2
    (width,) = fwhm_km_s(np.array([[3.0]]), np.array([[square]]), np.array([[2.0]]))
    assert width == pytest.approx(1500.0 * 2.35482, rel=1e-3)


def test_the_width_of_a_sum_is_between_those_of_its_gaussians():
    squares = (np.array([[900.0, 3000.0], [1500.0, 1500.0]]) / KM_S_PER_PIXEL) ** 2
    mixed, same = fwhm_km_s(np.ones((2, 2)), squares, np.zeros((2, 2)))
    assert 900.0 * 2.35482 < mixed < 3000.0 * 2.35482
    assert same == pytest.approx(1500.0 * 2.35482, rel=1e-3)
