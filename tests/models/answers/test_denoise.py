import pytest
import torch

from spectraq.models.answers.denoise import N_BANDS, NOISE, bands, denoise
from spectraq.models.grid.axis import N_PIXELS


def noise(n, seed):
    return torch.randn(n, N_PIXELS, generator=torch.Generator().manual_seed(seed))


def test_the_bands_of_a_residual_sum_to_it():
    values = noise(3, 1)
    assert torch.allclose(torch.stack(bands(values)).sum(0), values, atol=1e-5)


def test_white_noise_has_the_power_in_each_band_that_is_taken_for_noise():
    spread = [float(band.std()) for band in bands(noise(64, 2))]
    assert len(spread) == N_BANDS + 1
    assert spread == pytest.approx(NOISE, rel=0.1)


def test_where_the_fit_is_right_the_fit_is_kept():
    model = torch.ones(8, N_PIXELS)
    data = model + 0.1 * noise(8, 3)
    clean = denoise(data, torch.full_like(data, 100.0), model, torch.zeros_like(model))
    assert float((clean.flux - model).square().mean()) < 0.05 * 0.1**2


def test_a_line_that_the_fit_lacks_is_kept_and_most_of_the_noise_is_not():
    truth = torch.ones(1, N_PIXELS)
    truth[0, 2000:2010] += 3.0
    data = truth + 0.1 * noise(1, 4)
    clean = denoise(data, torch.full_like(data, 100.0), torch.ones_like(truth), torch.zeros_like(truth))
    error = (clean.flux - truth).square()
    assert float(error.mean()) < 0.2 * 0.1**2
    assert float(clean.flux[0, 2000:2010].mean()) == pytest.approx(4.0, abs=0.15)


def test_masked_pixels_are_the_fit_and_say_nothing_of_their_neighbours():
    data = torch.ones(1, N_PIXELS)
    ivar = torch.full_like(data, 100.0)
    data[0, 100], ivar[0, 100] = 1e6, 0.0
    clean = denoise(data, ivar, torch.ones_like(data), torch.full_like(data, 0.01))
    assert torch.allclose(clean.flux, torch.ones_like(data), atol=1e-5)
    assert float(clean.sigma[0, 100]) == pytest.approx(0.01)
