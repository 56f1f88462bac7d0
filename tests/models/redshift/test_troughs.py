from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import LN_PER_PIXEL, N_COARSE, WAVELENGTH, lag_of
from spectraq.models.lines import wavelength
from spectraq.models.redshift.troughs import FOREST_END, absorbed
from spectraq.models.simulate import simulate

CUT = ("Lya", "NV", "SiIV", "CIV")


@pytest.fixture(scope="module")
def quasars(pipeline):
    """Simulated quasars with C IV and Mg II that are answered right, and their redshifts."""
    drawn = [
        one.observation
        for one in simulate(400, seed=12)
        if one.fault is None and one.spectype == "QSO" and 1.7 < one.z < 2.4
    ]
    answers = pipeline.analyze(drawn)
    pairs = zip(drawn, answers, strict=True)
    return [(drawn, answer.z) for drawn, answer in pairs if answer.spectype == "QSO" and answer.snr > 4]


def through(observation, z, velocity, width, depth):
    """The same through gas that flows out at a velocity."""
    shade = np.ones(observation.wavelength.size)
    for name in CUT:
        flow = (observation.wavelength / (1 + z) / wavelength(name) - 1) * LIGHT_KM_S
        shade *= 1 - depth * np.exp(-0.5 * (np.abs(flow - velocity) / (width / 2)) ** 6)
    return replace(observation, flux=(observation.flux * shade).astype(np.float32))


@pytest.mark.parametrize(("velocity", "width"), [(-1000, 1000), (-1500, 2000), (-3000, 3000)])
def test_a_trough_at_the_emission_does_not_pull_the_redshift(pipeline, quasars, velocity, width):
    answers = pipeline.analyze([through(one, z, velocity, width, 0.9) for one, z in quasars])
    off = np.array(
        [(answer.z - z) / (1 + z) * LIGHT_KM_S for answer, (_, z) in zip(answers, quasars, strict=True)]
    )
    assert len(off) >= 8
    assert np.median(np.abs(off)) < 450
    assert abs(np.median(off)) < 300


def test_quasars_without_troughs_keep_their_redshift_to_the_last_digit(pipeline, quasars, monkeypatch):
    kept = [z for _, z in quasars]
    monkeypatch.setattr("spectraq.models.batch.LEAST_PIXELS", N_COARSE + 1)  # nobody is asked about troughs
    without = [answer.z for answer in pipeline.analyze([one for one, _ in quasars])]
    assert sum(a != b for a, b in zip(kept, without, strict=True)) <= len(kept) // 10


def test_only_where_gas_flows_out_before_a_line_is_flux_called_absorbed():
    z = 2.2
    rest = torch.from_numpy(WAVELENGTH).view(-1, 4).mean(1) * np.exp(-lag_of(z) * LN_PER_PIXEL)
    nothing = torch.zeros(1, N_COARSE)
    mask = absorbed(nothing, nothing + 1e3, nothing + 1, torch.tensor([lag_of(z)]))[0]
    assert mask[(rest > 1500) & (rest < 1540)].all()
    assert not mask[(rest > 1560) & (rest < 1700)].any()
    assert not mask[rest < FOREST_END].any()
    assert not absorbed(nothing + 1, nothing + 1e3, nothing + 1, torch.tensor([lag_of(z)])).any()
