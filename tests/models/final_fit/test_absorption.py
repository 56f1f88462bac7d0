from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.final_fit import details
from spectraq.models.final_fit.absorption import forest, troughs
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.final_fit.shapes import Part
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.lines import wavelength
from spectraq.models.simulate import simulate

PIXEL = np.arange(N_PIXELS)
ONE = np.ones(N_PIXELS, np.float32)
LAG = pixel_of(3.6) - pixel_of(1.0)  # of z = 2.6


def place_of(line, lag, velocity=0.0):
    return pixel_of(wavelength(line)) + lag + velocity / KM_S_PER_PIXEL


@pytest.fixture(scope="module")
def quasars(pipeline):
    """Quasars of z from 2.2 to 3.6 whose noise is small, their model in place of their flux."""
    drawn = [
        one for one in simulate(150, seed=6) if one.spectype == "QSO" and one.fault is None and one.snr > 8
    ]
    drawn = [one for one in drawn if 2.2 < one.z < 3.6][:4]
    analysis = pipeline.analysis(grid_batch([one.observation for one in drawn]), everything=True)
    assert len(drawn) == 4
    ivar = (analysis.gridded.ivar > 0) * 400.0 / analysis.fit.model.abs().clamp_min(0.1).square()
    random = torch.Generator().manual_seed(8)
    noise = torch.randn(ivar.shape, generator=random) * ivar.clamp_min(1e-9).rsqrt() * (ivar > 0)
    return replace(
        analysis, prepared=replace(analysis.prepared, flux=analysis.fit.model + noise, noise_ivar=ivar)
    )


def times(analysis, factor):
    """The analysis of spectra of which so much comes through, the noise as it was."""
    flux = analysis.prepared.flux + analysis.fit.model * (factor - 1)
    return replace(analysis, prepared=replace(analysis.prepared, flux=flux.float()))


def gaussians(analysis, velocity, sigma):
    centres = np.array([place_of("CIV", float(lag), velocity) for lag in analysis.lag])
    return np.exp(-0.5 * ((PIXEL - centres[:, None]) * KM_S_PER_PIXEL / sigma) ** 2)


@pytest.mark.parametrize(
    ("velocity", "sigma", "depth"), [(-4000, 700, 0.8), (-9000, 1500, 0.5), (-600, 250, 0.6)]
)
def test_a_trough_in_the_blue_of_a_line_is_drawn_as_deep_as_it_is(quasars, velocity, sigma, depth):
    through = 1 - depth * gaussians(quasars, velocity, sigma)
    before, fit = (
        final_fit(one, details.load()) for one in (quasars, times(quasars, torch.from_numpy(through)))
    )
    inside = torch.from_numpy(through < 1 - 0.3 * depth) & (quasars.prepared.noise_ivar > 0)
    off = (fit.model - before.model * torch.from_numpy(through))[inside] / quasars.fit.model[inside]
    assert inside.sum() > 4 * 5
    assert float(off.abs().median()) < 0.05
    assert float((fit.noise_rchi2 - before.noise_rchi2).max()) < 0.15
    assert (fit.parts[:, Part.ABSORPTION].amin(1) < -0.2 * depth).all()


def test_emission_where_a_trough_might_be_is_none(quasars):
    added = torch.from_numpy(1 + 0.5 * gaussians(quasars, -9000, 170))
    before, fit = (final_fit(one, details.load()) for one in (quasars, times(quasars, added)))
    near = torch.from_numpy(gaussians(quasars, -9000, 700) > 0.01)
    assert float((fit.parts - before.parts)[:, Part.ABSORPTION][near].abs().max()) == 0.0


def test_a_rough_forest_is_followed_and_a_smooth_one_left_alone(quasars):
    random = np.random.default_rng(7)
    smooth = final_fit(quasars, details.load())
    inside = np.stack([place_of("Lya", float(lag)) > PIXEL for lag in quasars.lag])
    rough = np.apply_along_axis(np.convolve, 1, random.normal(0, 0.25, inside.shape), np.ones(3) / 3, "same")
    through = torch.from_numpy(np.where(inside, np.exp(rough - 0.02), 1.0))
    fit = final_fit(times(quasars, through), details.load())
    used = torch.from_numpy(inside) & (quasars.prepared.noise_ivar > 0)
    error = (fit.model - smooth.model * through).square() * quasars.prepared.noise_ivar
    unfitted = (smooth.model * (through - 1)).square() * quasars.prepared.noise_ivar
    assert not smooth.parts[:, Part.ABSORPTION].any()
    assert float(error[used].mean()) < 0.4 * float(unfitted[used].mean())
    assert float(fit.noise_rchi2.max()) < 1.25
    assert (fit.parameters > smooth.parameters + 20).all()


def test_the_forest_ends_at_lyman_alpha_and_is_sought_where_it_is_seen():
    random = np.random.default_rng(9)
    left = random.normal(0, 0.3, N_PIXELS).astype(np.float32)
    stretch = forest(LAG, left, 1e3 * ONE, ONE)
    assert stretch.own == slice(0, int(np.ceil(place_of("Lya", LAG))))
    assert (np.diff(stretch.deviation) >= 0).all()
    assert forest(LAG - 4000, left, 1e3 * ONE, ONE) is None
    assert forest(LAG, 0.01 * left, 1e3 * ONE, ONE) is None


def test_troughs_lie_in_the_blue_of_their_lines_beyond_the_forest():
    found = [stretch.own for stretch in troughs(LAG, ONE)]
    names = ("NV", "SiIV", "CIV", "AlIII", "MgII")
    assert [own.stop for own in found] == [
        int(np.ceil(place_of(name, LAG) + np.log1p(800 / 299792.458) / np.log(10) / 1e-4)) for name in names
    ]
    assert min(own.start for own in found) >= place_of("Lya", LAG)
    assert troughs(LAG, 0 * ONE) == []
