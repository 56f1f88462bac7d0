from dataclasses import replace

import numpy as np
import pytest

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH, lag_of
from spectraq.models.measurement.damped_absorbers import HALF, LOG_N, LYA, damped_absorber, transmissions
from spectraq.models.measurement.target import Target

Z = 2.9


def quasar(noise=0.1, seed=1, z=Z):
    """A quasar whose forest has lines of its own, of 30 % scatter in 276 km/s."""
    rng = np.random.default_rng(seed)
    rest = WAVELENGTH / (1 + z)
    flux = 1 + 3 * np.exp(-np.abs(rest - LYA) / 12)
    forest = np.repeat(np.clip(rng.normal(0.7, 0.2, N_PIXELS // 4), 0, 1), 4)
    flux *= np.where(rest < LYA, forest, 1.0)
    flux += rng.normal(0, noise, N_PIXELS)
    return Target(flux, np.full(N_PIXELS, noise**-2), "QSO", float(lag_of(z)), z, "sdss")


def behind(target, z, log_n):
    """The same behind a damped system."""
    place = np.log10(WAVELENGTH / (1 + z) / LYA) / 4e-4
    row = transmissions()[int(np.abs(LOG_N - log_n).argmin())]
    return replace(target, flux=target.flux * np.interp(place, np.arange(-HALF, HALF + 1), row, 1.0, 1.0))


@pytest.mark.parametrize("log_n", [20.6, 21.0, 21.5])
@pytest.mark.parametrize("z", [2.45, 2.6, 2.75])
def test_a_damped_system_has_the_hydrogen_and_the_redshift_that_were_put_in(z, log_n):
    measured = damped_absorber(behind(quasar(), z, log_n), False)
    column, place = measured["log_n_dla"], measured["z_dla"]
    assert abs(column.value - log_n) < 3.5 * column.error < 1.2
    assert abs(place.value - z) < 3.5 * place.error < 0.02


def test_a_forest_without_one_has_none():
    reasons = [damped_absorber(quasar(seed=seed), False)["log_n_dla"].reason for seed in range(20)]
    assert sum("none above log N 20.3" in (reason or "") for reason in reasons) >= 19


def test_the_equivalent_width_of_the_profile_is_that_of_damping_wings():
    # Wolfe et al. 1986: 7.3 angstrom at rest for log N 20, as the root of N.
    step = LYA * np.log(10) * 4e-4
    width = (1 - transmissions()).sum(1) * step
    for log_n in (20.0, 20.6, 21.2):
        expected = 7.3 * 10 ** (0.5 * (log_n - 20))
        assert width[int(np.abs(LOG_N - log_n).argmin())] == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize(
    ("target", "broad_absorption", "why"),
    [
        (quasar(z=1.6), False, "too little of the Lyman alpha forest"),
        (quasar(noise=3.0), False, "S/N is below 2"),
        (behind(quasar(), 2.6, 21.0), True, "broad absorption lines"),
    ],
    ids=["not covered", "faint", "broad absorption"],
)
def test_what_can_not_be_told_is_null_with_its_reason(target, broad_absorption, why):
    measured = damped_absorber(target, broad_absorption)
    assert all(quantity.value is None and why in quantity.reason for quantity in measured.values())


def test_a_masked_stretch_is_no_damped_system():
    target = quasar()
    gap = np.abs(WAVELENGTH / (LYA * 3.6) - 1) < 3000 / LIGHT_KM_S
    blank = replace(target, ivar=np.where(gap, 0.0, target.ivar), flux=np.where(gap, 0.0, target.flux))
    assert "none above" in damped_absorber(blank, False)["log_n_dla"].reason
