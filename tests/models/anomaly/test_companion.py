from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.anomaly.arm_step import sharpest
from spectraq.models.anomaly.joint_fit import FirstObject, Leftover
from spectraq.models.anomaly.kinds import INSTRUMENT, SKY, TABLE
from spectraq.models.anomaly.reasons import reason
from spectraq.models.anomaly.second_object import CompanionSearch
from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.batch import BatchAnalyst
from spectraq.models.grid.axis import DLOGLAM, N_COARSE, N_PIXELS, REBIN, z_of
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.redshift import eigenspectra
from spectraq.models.shipped import FOLDER
from spectraq.models.simulate import simulate

STAR, GALAXY, QUASAR, SUPERNOVA = range(4)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def analyst():
    return BatchAnalyst(Ensemble.load(), eigenspectra.load(), CPU)


@pytest.fixture(scope="module")
def search():
    return CompanionSearch.load(FOLDER, eigenspectra.load(), CPU)


@pytest.fixture(scope="module")
def galaxies():
    """Simulated galaxies that nothing is wrong with."""
    spectra = [s for s in simulate(120, seed=8) if s.spectype == "GALAXY" and s.fault is None and s.snr > 8]
    low = [spectrum for spectrum in spectra if 0.05 < spectrum.z < 0.5][:8]
    assert len(low) == 8
    return grid_batch([spectrum.observation for spectrum in low])


def with_light(gridded, light):
    """Add light as bright as half of each spectrum."""
    level = gridded.flux.abs().median(1, keepdim=True).values
    light = light / light.abs().median(1, keepdim=True).values.clamp_min(1e-3)
    return replace(gridded, flux=gridded.flux + 0.5 * level * light * (gridded.ivar > 0))


def left(analysis):
    return Leftover.of(FirstObject.of(analysis))


def test_a_galaxy_alone_gains_little_from_a_companion(analyst, search, galaxies):
    analysis = analyst.analyze(galaxies)
    gain = search.search(left(analysis)).gain
    assert gain.shape == (8, 4)
    assert float(gain.median()) < 60


def test_a_supernova_in_a_galaxy_is_told_by_what_it_explains(analyst, search, galaxies):
    lag = analyst.analyze(galaxies).lag
    shapes = Supernovae.load().at((lag / REBIN).round().long())
    light = shapes[:, 0].abs().repeat_interleave(REBIN, 1)
    before = search.search(left(analyst.analyze(galaxies)))
    after = search.search(left(analyst.analyze(with_light(galaxies, light))))
    assert (after.gain[:, SUPERNOVA] > 3 * before.gain[:, SUPERNOVA]).float().mean() > 0.7
    assert 0.05 < float(after.share[:, SUPERNOVA].median()) < 1.0


def test_a_star_in_front_of_a_galaxy_is_found(analyst, search, galaxies):
    star = eigenspectra.load()["M"]
    light = (star.amplitudes[0] @ star.window(0, N_COARSE * REBIN)).expand(8, -1)
    before = search.search(left(analyst.analyze(galaxies)))
    after = search.search(left(analyst.analyze(with_light(galaxies, light))))
    assert float((after.gain[:, STAR] / before.gain[:, STAR].clamp_min(1)).median()) > 3


def test_a_quasar_behind_a_galaxy_is_found_at_its_redshift(analyst, search, galaxies):
    basis, z = eigenspectra.load()["QSO"], 1.8
    shift = round(np.log10(1 + z) / DLOGLAM)
    light = (basis.amplitudes[0] @ basis.window(-shift, N_COARSE * REBIN)).expand(8, -1)
    before = search.search(left(analyst.analyze(galaxies)))
    after = search.search(left(analyst.analyze(with_light(galaxies, light))))
    assert float((after.gain[:, QUASAR] / before.gain[:, QUASAR].clamp_min(1)).median()) > 3
    assert ((after.z[:, QUASAR] - z).abs() < 0.02).float().mean() > 0.5


def test_a_step_between_arms_is_measured_where_it_is(analyst, galaxies):
    pixel = 2400
    stepped = replace(galaxies, flux=galaxies.flux * (1 + 0.3 * (torch.arange(N_PIXELS) >= pixel)))
    before, after = (sharpest(left(analyst.analyze(each))) for each in (galaxies, stepped))
    assert ((after.pixel - pixel).abs() <= 24).float().mean() > 0.7
    assert float(after.fraction.median()) == pytest.approx(0.26, abs=0.08)
    assert float((after.strength / before.strength).median()) > 2


def test_the_redshift_of_a_supernova_is_its_galaxys(analyst, search, galaxies):
    analysis = analyst.analyze(galaxies)
    found = search.search(left(analysis))
    assert torch.allclose(found.z[:, SUPERNOVA], z_of(analysis.lag))


def test_supernovae_are_zero_where_none_was_observed():
    shapes = Supernovae.load().at(torch.tensor([0, 3000]))
    assert shapes.shape[0] == 2 and shapes.shape[2] == N_COARSE
    assert (shapes[0] != 0).any() and torch.isfinite(shapes).all()
    assert not shapes[1, :, :100].any()


def test_every_kind_has_an_origin_and_a_sentence():
    assert {kind.origin for kind in TABLE} == {SKY, INSTRUMENT}
    for kind in (kind for kind in TABLE if kind.sentence):
        told = reason(kind.name, 0.3, 4.0, 100, 200, 0.1)
        assert (
            told.message.endswith(".")
            and told.kind == (kind.told_as or kind.name)
            and told.origin == kind.origin
        )
