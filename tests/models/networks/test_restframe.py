import pytest
import torch

from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import DLOGLAM, N_COARSE, N_PIXELS, REBIN
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.members import binned
from spectraq.models.networks.own_template_scan import BINS, OwnScan, in_bins
from spectraq.models.networks.rest_frame import COARSE, FINE
from spectraq.models.networks.unet import UNet
from spectraq.models.redshift.continuum import Continuum
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS
from spectraq.models.shipped import FOLDER


@pytest.mark.parametrize("windows", [FINE, COARSE])
@pytest.mark.parametrize("spectype", CLASSES)
def test_a_rest_frame_is_seen_at_every_redshift_of_its_class(windows, spectype):
    window = windows[spectype]
    rest = torch.arange(window.length).float()[None]
    for lag in (window.first_lag, window.last_lag):
        seen = window.observed(rest, torch.tensor([lag * window.step]).double())
        assert seen.shape == (1, window.n_observed)
        assert seen[0, 0] == window.last_lag - lag


def test_beyond_its_redshifts_a_rest_frame_is_shifted_as_far_and_ends_as_it_ends():
    window = FINE["QSO"]
    rest = torch.arange(window.length).float()[None]
    nearer, farther = (
        window.observed(rest, torch.tensor([lag]).double())
        for lag in (window.first_lag - 70, window.last_lag + 30)
    )
    assert nearer[0, 0] == window.last_lag - window.first_lag + 70
    assert (nearer[0, -70:] == window.length - 1).all()
    assert (farther[0, :30] == 0).all() and farther[0, 31] == 1


def test_between_pixels_a_rest_frame_is_interpolated():
    window = FINE["GALAXY"]
    rest = torch.arange(window.length).float()[None]
    whole, half = (window.observed(rest, torch.tensor([lag]).double()) for lag in (100.0, 100.5))
    assert torch.allclose(whole - half, torch.full_like(half, 0.5), atol=1e-3)


def test_fine_and_coarse_windows_are_the_same_wavelengths():
    for spectype in CLASSES:
        assert FINE[spectype].first_pixel == COARSE[spectype].first_pixel
        assert FINE[spectype].length == REBIN * COARSE[spectype].length


def test_the_encoder_begins_with_a_flat_response_to_nothing_and_coefficients_that_sum_to_one():
    network = Encoder(widths=(4, 6, 8), hidden=8, k=3).eval()
    latent = network(torch.randn(2, 4, N_COARSE, generator=torch.Generator().manual_seed(1)))
    assert torch.allclose(latent.coefficients.sum(2), torch.ones(2, 3), atol=1e-5)
    assert (latent.coefficients >= 0).all()
    seen = network.observed(latent, "QSO", torch.tensor([1000.0, 5000.0]).double())
    assert seen.shape == (2, N_PIXELS) and torch.isfinite(seen).all() and (seen > 0).all()


def test_folding_for_speed_changes_nothing():
    generator = torch.Generator().manual_seed(2)
    channels = torch.randn(3, 4, N_COARSE, generator=generator)
    network = Encoder(widths=(4, 6, 8), hidden=8, k=3)
    for _ in range(3):
        network(channels)  # batch norms learn their statistics
    network.eval()
    before = network(channels)
    after = network.fold()(channels)
    assert torch.allclose(before.coefficients, after.coefficients, atol=1e-5)
    assert torch.allclose(before.subclass, after.subclass, atol=1e-4)


def test_the_unet_lays_its_channels_end_to_end_as_rest_frames():
    network = UNet(widths=(4, 4, 8, 8)).eval()
    found = network(torch.rand(2, N_PIXELS) + 1, torch.ones(2, N_PIXELS))
    assert {name: rest.shape[1] for name, rest in found.rest.items()} == {
        name: window.length for name, window in COARSE.items()
    }
    assert found.flux.shape == found.sigma.shape == (2, N_PIXELS)
    assert (found.sigma > 0).all()


def test_a_template_is_found_at_the_redshift_and_in_the_class_that_it_was_seen_at():
    generator = torch.Generator().manual_seed(3)
    rest = {}
    for name, window in FINE.items():
        lines = torch.rand(1, window.length, generator=generator) < 0.01
        rest[name] = torch.nn.functional.avg_pool1d(20.0 * lines.float()[:, None], 9, 1, 4)[:, 0] + 1
    z = 0.8
    lag = torch.log10(torch.tensor([1 + z])).double() / DLOGLAM
    flux = binned(FINE["GALAXY"].observed(rest["GALAXY"], lag))
    ivar = torch.full_like(flux, 100.0)
    evidence, posterior = OwnScan("cpu").ask({n: binned(r) for n, r in rest.items()}, flux, ivar)
    assert evidence[0].argmax() == CLASSES.index("GALAXY")
    best = int(posterior["GALAXY"][0].argmax())
    assert abs(10 ** (-2e-3 + 1.6e-3 * best) - 1 - z) < 0.004
    assert posterior["GALAXY"].shape == (1, BINS["GALAXY"])


def test_a_posterior_over_bins_is_a_probability():
    lags = OwnScan("cpu").lags["QSO"]
    nats = torch.zeros(2, len(lags))
    assert torch.allclose(in_bins(nats, lags, BINS["QSO"]).sum(1), torch.ones(2), atol=1e-5)


def test_a_flat_spectrum_gains_nothing_from_a_flat_template():
    flux, ivar = torch.ones(1, N_COARSE), torch.ones(1, N_COARSE)
    continuum = Continuum.fit(flux, ivar, CONTINUUM_TERMS)
    rest = {name: torch.ones(1, window.length) for name, window in COARSE.items()}
    evidence, _ = OwnScan("cpu").ask(rest, flux, ivar)
    assert float(continuum.chi2) < 1e-2
    assert torch.allclose(evidence, torch.zeros_like(evidence), atol=1e-2)


def test_the_shipped_unet_answers_as_it_was_trained():
    path = FOLDER / "unet.safetensors"
    folded, trained = UNet.load(path), UNet.read(path)
    generator = torch.Generator().manual_seed(5)
    flux = 1 + 0.1 * torch.randn(2, N_PIXELS, generator=generator)
    one, other = folded(flux, torch.full_like(flux, 10.0)), trained.eval()(flux, torch.full_like(flux, 10.0))
    assert torch.allclose(one.flux, other.flux, atol=1e-4)
    assert torch.allclose(one.subclass, other.subclass, atol=1e-3)
