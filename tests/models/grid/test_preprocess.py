import numpy as np
import pytest
import torch

from spectraq.models.grid import axis
from spectraq.models.grid.prepare import MODEL_ERROR, box_mean, estimate_ivar, grid_batch, prepare
from spectraq.models.observation import Observation


def quasar_like(rng, n_pixels=4000, snr=10.0, unit=1.0, ivar=True):
    wavelength = axis.WAVELENGTH[200 : 200 + n_pixels]
    truth = 1 + 2 * np.exp(-0.5 * ((wavelength - 6000) / 40) ** 2)
    flux = truth + rng.normal(0, 1 / snr, n_pixels)
    return Observation(
        wavelength,
        (flux * unit).astype(np.float32),
        np.full(n_pixels, snr**2 / unit**2, np.float32) if ivar else None,
    )


def test_noise_is_found_where_no_ivar_is_given():
    rng = np.random.default_rng(1)
    flux = np.linspace(5, 20, 6000) + rng.normal(0, 0.5, 6000)
    assert np.median(estimate_ivar(flux)) == pytest.approx(1 / 0.5**2, rel=0.1)


def test_a_smoothed_spectrum_is_not_believed_to_be_better_than_it_was():
    rng = np.random.default_rng(2)
    kernel = np.exp(-0.5 * (np.arange(-15, 16) / 3.0) ** 2)
    smooth = np.convolve(rng.normal(0, 1, 20000), kernel / kernel.sum(), "valid")
    # Its scatter is a third of what it was before; its information is not nine times as much.
    assert smooth.std() == pytest.approx(0.307, abs=0.02)
    assert np.median(estimate_ivar(smooth)) == pytest.approx(1.0, rel=0.25)


def test_local_noise_is_followed():
    rng = np.random.default_rng(3)
    sigma = np.where(np.arange(8000) < 4000, 0.2, 1.0)
    ivar = estimate_ivar(rng.normal(0, sigma))
    assert np.median(ivar[:3500]) / np.median(ivar[4500:]) == pytest.approx(25, rel=0.3)


@pytest.mark.parametrize("ivar", [True, False])
@pytest.mark.parametrize("unit", [1e-17, 1e5])
def test_the_unit_of_flux_divides_out(unit, ivar):
    one = prepare(grid_batch([quasar_like(np.random.default_rng(4), ivar=ivar)]))
    other = prepare(grid_batch([quasar_like(np.random.default_rng(4), unit=unit, ivar=ivar)]))
    assert torch.allclose(one.channels, other.channels, atol=1e-4)
    assert torch.allclose(one.flux, other.flux, atol=1e-4)


def test_a_spectrum_looks_the_same_in_any_company():
    rng = np.random.default_rng(5)
    batch = [quasar_like(rng, n, snr) for n, snr in ((4000, 10), (700, 1), (2500, 200))]
    together = prepare(grid_batch(batch))
    for row, observation in enumerate(batch):
        alone = prepare(grid_batch([observation]))
        assert torch.equal(alone.channels[0], together.channels[row])
        assert torch.equal(alone.coarse_ivar[0], together.coarse_ivar[row])


def test_nothing_is_shown_where_there_is_no_pixel():
    prepared = prepare(grid_batch([quasar_like(np.random.default_rng(6), 2000)]))
    empty = prepared.coarse_ivar[0] == 0
    assert empty.sum() > 500
    assert not prepared.channels[0, :, empty].any()


def test_pixels_that_are_not_finite_carry_no_weight():
    observation = quasar_like(np.random.default_rng(7))
    observation.flux[100:110] = np.nan
    observation.ivar[200:210] = np.inf
    gridded = grid_batch([observation])
    assert torch.isfinite(gridded.flux).all()
    assert not gridded.ivar[0, 300:310].any()
    assert not gridded.ivar[0, 400:410].any()


def test_noise_is_never_less_than_the_model_error():
    bright = prepare(grid_batch([quasar_like(np.random.default_rng(8), snr=1000)]))
    used = bright.coarse_ivar[0] > 0
    error = float(bright.coarse_ivar[0, used].rsqrt().median())
    # The error is a pixel's; a coarse pixel is the mean of four.
    assert error == pytest.approx(MODEL_ERROR / np.sqrt(axis.REBIN), rel=0.1)


def test_the_model_error_leaves_faint_spectra_alone():
    faint = quasar_like(np.random.default_rng(8), snr=1)
    prepared = prepare(grid_batch([faint]))
    significance = (prepared.flux[0] * prepared.ivar[0].sqrt())[200:4200]
    assert significance.numpy() == pytest.approx(faint.flux, rel=0.02, abs=1e-3)


def test_the_median_snr_is_reported():
    prepared = prepare(grid_batch([quasar_like(np.random.default_rng(9), snr=20)]))
    assert float(prepared.snr[0]) == pytest.approx(20, rel=0.1)


def test_the_box_mean_is_the_mean_of_a_box():
    values = torch.from_numpy(np.random.default_rng(10).normal(size=(2, 300)))
    expected = np.array([np.convolve(row, np.ones(11) / 11, "same") for row in values.numpy()])
    assert box_mean(values, 5).numpy() == pytest.approx(expected)
