"""The scan says how much less chi2 is with the eigenspectra than without, at every lag, and exactly."""

import numpy as np
import pytest
import torch

from spectraq.models.classes import Z_RANGES
from spectraq.models.grid.axis import N_COARSE, N_PIXELS, REBIN, coarse
from spectraq.models.redshift.continuum import Continuum, chebyshev
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.minima import parabola, z_of
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS, Scan, fft_length, lag_of
from spectraq.models.redshift.scan_near_lag import ExactScan

CPU = torch.device("cpu")


def observed(basis: Basis, lag: int, seed: int, snr: float = 10.0) -> tuple[torch.Tensor, torch.Tensor]:
    """One noisy mix of eigenspectra at a whole lag, with gaps; flux and ivar of shape (1, N_PIXELS)."""
    rng = torch.Generator().manual_seed(seed)
    flux = basis.amplitudes[seed % len(basis.amplitudes)] @ basis.window(-lag, N_PIXELS)
    flux = flux / flux.abs().median()
    sigma = 1 / snr * (1 + torch.rand(N_PIXELS, generator=rng))
    ivar = 1 / sigma.square()
    ivar[torch.rand(N_PIXELS, generator=rng) < 0.1] = 0
    ivar[1000:1100] = 0
    noisy = flux + sigma * torch.randn(N_PIXELS, generator=rng)
    return (noisy * (ivar > 0))[None], ivar[None]


def least_squares(flux: torch.Tensor, ivar: torch.Tensor, shapes: torch.Tensor) -> float:
    """chi2 of the best fit by numpy's own solver, in double precision."""
    root = ivar.double().sqrt().numpy()
    design = shapes.double().numpy().T * root[:, None]
    target = flux.double().numpy() * root
    best = np.linalg.lstsq(design, target, rcond=None)[0]
    return float(((target - design @ best) ** 2).sum())


@pytest.mark.parametrize(("name", "lag"), [("GALAXY", 1200), ("QSO", 4800), ("QSO", 8800)])
def test_the_gain_is_that_of_a_least_squares_solver(bases: dict[str, Basis], name: str, lag: int) -> None:
    scan = Scan(bases[name], Z_RANGES[name], CPU)
    flux, ivar = coarse(*observed(bases[name], lag, seed=3))
    gain = scan.gain(flux, ivar, Continuum.fit(flux, ivar, CONTINUUM_TERMS))
    column = int((scan.lags - lag).abs().argmin())
    window = bases[name].window(-int(scan.lags[column]), N_PIXELS)
    shapes = window.view(len(window), -1, REBIN).mean(2)
    smooth = chebyshev(N_COARSE, CONTINUUM_TERMS, CPU)
    without = least_squares(flux[0], ivar[0], smooth)
    with_them = least_squares(flux[0], ivar[0], torch.cat([shapes, smooth]))
    assert float(gain[0, column]) == pytest.approx(without - with_them, rel=2e-3)


@pytest.mark.parametrize(("name", "lag"), [("GALAXY", 1203), ("QSO", 4801)])
def test_the_highest_gain_lies_at_the_true_redshift(bases: dict[str, Basis], name: str, lag: int) -> None:
    scan = Scan(bases[name], Z_RANGES[name], CPU)
    flux, ivar = coarse(*observed(bases[name], lag, seed=5, snr=200))
    gain = scan.gain(flux, ivar, Continuum.fit(flux, ivar, CONTINUUM_TERMS))
    peak = parabola(gain, gain.argmax(1, keepdim=True))
    found = float(scan.lags[0] + REBIN * peak.index[0, 0])
    assert found == pytest.approx(lag, abs=REBIN / 4)


def test_what_is_masked_weighs_nothing(bases: dict[str, Basis]) -> None:
    scan = Scan(bases["GALAXY"], Z_RANGES["GALAXY"], CPU)
    flux, ivar = coarse(*observed(bases["GALAXY"], 700, seed=1))
    spoilt = torch.where(ivar > 0, flux, 1e4)
    gains = [scan.gain(f, ivar, Continuum.fit(f, ivar, CONTINUUM_TERMS)) for f in (flux, spoilt)]
    assert torch.equal(gains[0], gains[1])


def test_every_lag_is_covered_by_the_eigenspectra(bases: dict[str, Basis]) -> None:
    for name in ("GALAXY", "QSO"):
        low, high = Z_RANGES[name]
        scan, basis = Scan(bases[name], (low, high), CPU), bases[name]
        assert z_of(scan.lags[0]) <= low and z_of(scan.lags[-1]) >= high
        assert -int(scan.lags[-1]) >= basis.first - 2 * REBIN
        assert N_PIXELS - int(scan.lags[0]) <= basis.first + basis.flux.shape[1] + 2 * REBIN


def test_exact_gains_around_a_lag_are_those_of_a_least_squares_solver(bases: dict[str, Basis]) -> None:
    basis, lag, radius = bases["GALAXY"], 901, 4
    flux, ivar = observed(basis, lag, seed=2, snr=200)
    scan = ExactScan(basis.window(-2000, N_PIXELS + 2100)[None], -2000, radius)
    which = torch.zeros(1, dtype=torch.int64)
    smooth = chebyshev(N_PIXELS, CONTINUUM_TERMS, CPU)
    continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
    gain = scan.gain(flux, ivar, continuum, which, torch.tensor([lag + 1]))
    without = least_squares(flux[0], ivar[0], smooth)
    assert float(continuum.chi2[0]) == pytest.approx(without, rel=1e-4)
    for step in range(-radius, radius + 1):
        shapes = torch.cat([basis.window(-(lag + 1 + step), N_PIXELS), smooth])
        expected = without - least_squares(flux[0], ivar[0], shapes)
        assert float(gain[0, step + radius]) == pytest.approx(expected, rel=1e-3)
    assert int(gain.argmax()) == radius - 1


def test_exact_gains_of_a_batch_are_those_of_its_spectra_one_by_one(bases: dict[str, Basis]) -> None:
    basis, n = bases["GALAXY"], 12
    scan = ExactScan(basis.window(-2000, N_PIXELS + 2100)[None].repeat(2, 1, 1), -2000, 4)
    drawn = torch.Generator().manual_seed(5)
    data = torch.randn(n, 4, N_PIXELS, generator=drawn)
    which = torch.randint(0, 2, (n,), generator=drawn)
    start = torch.randint(0, 1900, (n,), generator=drawn)
    together, alone = scan._all_at_once(data, which, start), scan._one_by_one(data, which, start)
    for one, other in zip(together, alone, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-3)


def test_transform_lengths_have_small_factors_only() -> None:
    assert [fft_length(n) for n in (1000, 1025, 2200, 3000)] == [1024, 1152, 2304, 3072]


def test_a_lag_and_its_redshift_say_the_same() -> None:
    for z in (-0.003, 0.0, 0.5, 6.9):
        assert float(z_of(torch.tensor(lag_of(z), dtype=torch.float64))) == pytest.approx(z, abs=1e-12)
