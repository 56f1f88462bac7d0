import numpy as np
import pytest
import torch

from spectraq.models.grid import axis, resample


@pytest.fixture
def desi_wavelength():
    return np.arange(3600.0, 9824.0, 0.8)


def test_pixels_are_evenly_spaced_in_log_wavelength():
    assert axis.WAVELENGTH[0] == pytest.approx(3600, abs=0.5)
    assert axis.WAVELENGTH[-1] == pytest.approx(10399, abs=1)
    assert np.diff(np.log10(axis.WAVELENGTH)) == pytest.approx(1e-4)
    assert axis.N_COARSE * axis.REBIN == axis.N_PIXELS


def test_rebinning_loses_no_information_and_invents_none(desi_wavelength):
    rng = np.random.default_rng(1)
    ivar = rng.uniform(0.5, 2.0, desi_wavelength.size)
    _, weight, _ = resample.Rebinned.of(desi_wavelength).bring(np.ones(desi_wavelength.size), ivar)
    used = weight > 0
    low, high = axis.EDGES[:-1][used][0], axis.EDGES[1:][used][-1]
    inside = (desi_wavelength > low) & (desi_wavelength < high)
    assert weight.sum() == pytest.approx(ivar[inside].sum(), rel=1e-3)


def test_rebinning_keeps_a_flat_spectrum_flat(desi_wavelength):
    flux, weight, offset = resample.Rebinned.of(desi_wavelength).bring(
        np.full(desi_wavelength.size, 3.0), np.ones(desi_wavelength.size)
    )
    assert flux[weight > 0] == pytest.approx(3.0)
    assert offset == 0


def test_rebinning_gives_no_weight_to_masked_pixels(desi_wavelength):
    flux = np.ones(desi_wavelength.size)
    ivar = np.ones(desi_wavelength.size)
    flux[2000:2100], ivar[2000:2100] = 1e6, 0.0
    mean, weight, _ = resample.Rebinned.of(desi_wavelength).bring(flux, ivar)
    assert mean[weight > 0] == pytest.approx(1.0)
    middle = np.searchsorted(axis.WAVELENGTH, desi_wavelength[2050])
    assert weight[middle] == 0


def test_rebinning_keeps_a_line_where_it_is(desi_wavelength):
    centre = 6000.0
    flux = np.exp(-0.5 * ((desi_wavelength - centre) / 4) ** 2)
    mean, weight, _ = resample.Rebinned.of(desi_wavelength).bring(flux, np.ones(desi_wavelength.size))
    near = (np.abs(axis.WAVELENGTH - centre) < 25) & (weight > 0)
    found = np.average(axis.WAVELENGTH[near], weights=mean[near] * np.gradient(axis.WAVELENGTH)[near])
    assert found == pytest.approx(centre, abs=0.02)


def test_rebinning_does_not_bridge_a_gap(desi_wavelength):
    kept = (desi_wavelength < 5000) | (desi_wavelength > 5200)
    wavelength = desi_wavelength[kept]
    _, weight, _ = resample.Rebinned.of(wavelength).bring(np.ones(wavelength.size), np.ones(wavelength.size))
    gap = (axis.WAVELENGTH > 5005) & (axis.WAVELENGTH < 5195)
    assert not weight[gap].any()


@pytest.mark.parametrize("shift", [0.0, 0.3, -0.45])
def test_natively_sampled_pixels_are_placed_untouched_and_their_offset_kept(shift):
    rng = np.random.default_rng(2)
    pixels = np.arange(100, 3900)
    wavelength = 10 ** (axis.LOGLAM0 + axis.DLOGLAM * (pixels + shift))
    flux, ivar = rng.normal(size=pixels.size), rng.uniform(1, 2, pixels.size)
    placed, weight, offset = resample.sampling_of(wavelength).bring(flux, ivar)
    assert np.array_equal(placed[pixels], flux)
    assert np.array_equal(weight[pixels], ivar)
    assert offset == pytest.approx(shift, abs=1e-6)
    # What is at a pixel is truly redder by the offset.
    assert 10 ** (axis.LOGLAM[pixels] + offset * axis.DLOGLAM) == pytest.approx(wavelength, rel=1e-9)


def test_pixels_beyond_the_grid_are_dropped():
    pixels = np.arange(-50, axis.N_PIXELS + 50)
    _, weight, _ = resample.Native.of(pixels.astype(float)).bring(np.ones(pixels.size), np.ones(pixels.size))
    assert weight.sum() == axis.N_PIXELS


def test_pixels_beyond_the_grid_leave_nothing():
    _, weight, _ = resample.Native.of(np.arange(-900.0, -100.0)).bring(np.ones(800), np.ones(800))
    assert not weight.any()


def test_native_pixels_with_a_gap_are_placed_on_both_sides_of_it():
    pixels = np.concatenate([np.arange(100, 500), np.arange(600, 900)])
    wavelength = 10 ** (axis.LOGLAM0 + axis.DLOGLAM * pixels)
    _, weight, _ = resample.sampling_of(wavelength).bring(np.ones(pixels.size), np.ones(pixels.size))
    assert np.array_equal(np.flatnonzero(weight), pixels)


@pytest.mark.parametrize("blue", [np.arange(1.0, 3600.0, 2.5), np.array([1000.0])], ids=["many", "one"])
def test_pixels_whose_outer_edge_lies_below_zero_change_nothing_on_the_grid(blue, desi_wavelength):
    wavelength = np.concatenate([blue[blue < desi_wavelength[0] - 100], desi_wavelength])
    values = np.ones(wavelength.size)
    mean, weight, _ = resample.sampling_of(wavelength).bring(values, values)
    _, alone, _ = resample.sampling_of(desi_wavelength).bring(
        values[-desi_wavelength.size :], values[-desi_wavelength.size :]
    )
    inner = slice(100, -100)
    assert weight[inner] == pytest.approx(alone[inner], rel=1e-9, abs=1e-9)
    assert mean[inner][alone[inner] > 0] == pytest.approx(1.0)


def test_a_sampling_is_known_again_by_its_wavelengths(desi_wavelength):
    known = resample.Samplings()
    first = known.of(desi_wavelength)
    assert known.of(desi_wavelength.copy()) is first
    assert known.of(desi_wavelength + 1e-3) is not first


def test_single_precision_loglam_is_recognised_as_native(desi_wavelength):
    loglam = (3.5797 + 1e-4 * np.arange(3800)).astype(np.float32)
    assert resample.is_native(resample.grid_position(10 ** loglam.astype(np.float64)))
    assert not resample.is_native(resample.grid_position(desi_wavelength))


def test_coarse_pixels_are_means_weighted_by_ivar():
    rng = np.random.default_rng(3)
    flux = torch.from_numpy(rng.normal(size=(2, axis.N_PIXELS)))
    ivar = torch.from_numpy(rng.uniform(0, 1, (2, axis.N_PIXELS)))
    ivar[0, 40:44] = 0
    mean, weight = axis.coarse(flux, ivar)
    assert weight.sum(1).numpy() == pytest.approx(ivar.sum(1).numpy())
    block = slice(4 * 7, 4 * 8)
    assert float(mean[1, 7]) == pytest.approx(np.average(flux[1, block], weights=ivar[1, block]))
    assert mean[0, 10] == 0 and weight[0, 10] == 0
