"""What is put into mocks is what is said, and a network can learn to see it."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from spectraq.models import shipped
from spectraq.models.anomaly import detector
from spectraq.models.anomaly.detector import Detector, odds
from spectraq.models.anomaly.detector_input import N_EVIDENCE, N_PLANES
from spectraq.models.anomaly.judge import attributed
from spectraq.models.anomaly.kinds import COUNTED, DETECTOR, KINDS, NOTHING, SEEN
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.training import material, material_file, supernovae
from spectraq.models.training.detector import draw, loss, opened
from spectraq.models.training.mocks import MockSky, planted_anomalies
from spectraq.models.training.mocks.planted_anomalies import SHARES, Strangers


@pytest.fixture(scope="module")
def material_path(shared_data, tmp_path_factory, noise_shapes):
    path = tmp_path_factory.mktemp("detector") / "material.npz"
    observed = supernovae.read(supernovae.files(shared_data))
    material_file.save(
        material.load(shared_data), noise_shapes, material.sky_lines(shared_data), observed, path
    )
    return path


@pytest.fixture(scope="module")
def made(material_path):
    return material_file.load(material_path)


@pytest.fixture(scope="module")
def mocks(made):
    return MockSky(made.families, made.shapes, made.sky, seed=5, clean=True).batch(200)


def spoiled(made, mocks, kind, monkeypatch, **limits):
    monkeypatch.setattr(planted_anomalies, "SHARES", dict.fromkeys(SHARES, 0.0) | {kind: 1.0})
    for name, value in limits.items():
        monkeypatch.setattr(planted_anomalies, name, value)
    sky = made.sky.numpy().astype(float)
    return Strangers(sky, made.supernovae, supernovae.FIRST_COARSE, seed=1).spoil(mocks, cosmic_rays=False)


def test_shares_of_what_is_put_in_are_a_whole():
    assert set(SHARES) == set(SEEN) and sum(SHARES.values()) == pytest.approx(1)


def test_nothing_is_nothing(made, mocks, monkeypatch):
    same = spoiled(made, mocks, NOTHING, monkeypatch)
    assert np.array_equal(same.flux, mocks.flux.numpy()) and same.kept.all()


@pytest.mark.parametrize(("kind", "sign"), [("unmodelled_emission", 1), ("unmodelled_absorption", -1)])
def test_a_line_has_the_significance_that_was_drawn(made, mocks, monkeypatch, kind, sign):
    line = spoiled(made, mocks, kind, monkeypatch, LINE_SIGMA=(10.0, 10.0)).flux - mocks.flux.numpy()
    used = mocks.ivar.numpy() > 0
    level = np.array([np.median(np.abs(f[u])) for f, u in zip(mocks.flux.numpy(), used, strict=True)])
    ivar = mocks.ivar.numpy() / (1 + mocks.ivar.numpy() * (0.02 * level[:, None]) ** 2)
    assert np.sqrt((line**2 * ivar).sum(1)) == pytest.approx(10, rel=0.01)
    assert (sign * line >= -1e-9).all()


def test_a_step_changes_all_that_is_redward_of_it_by_one_factor(made, mocks, monkeypatch):
    changed = spoiled(made, mocks, "arm_step", monkeypatch, STEP=(0.3, 0.3), STEP_WIDTHS=(0.1,))
    for row, (old, new) in enumerate(zip(mocks.flux.numpy(), changed.flux, strict=True)):
        seen = np.flatnonzero((mocks.ivar[row] > 0).numpy() & (np.abs(old) > 1e-3))
        factor = new[seen] / old[seen]
        assert abs(factor[seen < 1290] - 1).max(initial=0) < 1e-3
        far = factor[seen > 3410]
        assert np.isin(far.round(3), (0.7, 1.3)).all() and len(set(far.round(3))) <= 1


def test_a_companion_is_another_object_that_adds_the_light_that_was_drawn(made, mocks, monkeypatch):
    changed = spoiled(made, mocks, "second_star", monkeypatch, COMPANION_LIGHT=(0.5, 0.5))
    share = []
    for row in np.flatnonzero(changed.kept):
        old, used = mocks.flux[row].numpy(), mocks.ivar[row].numpy() > 0
        light = changed.flux[row] - old
        share.append(np.median(np.abs(light[used])) / np.median(np.abs(old[used])))
    assert len(share) > 60 and np.median(share) == pytest.approx(0.5, rel=0.05)


def test_only_galaxies_get_supernovae(made, mocks, monkeypatch):
    changed = spoiled(made, mocks, "supernova", monkeypatch)
    assert set(mocks.spectype[changed.kept]) == {"GALAXY"}
    assert changed.kept.sum() > 0.5 * (mocks.spectype == "GALAXY").sum()


def test_the_same_seed_draws_the_same(made, mocks):
    sky = made.sky.numpy().astype(float)
    one, again = (
        Strangers(sky, made.supernovae, supernovae.FIRST_COARSE, seed=3).spoil(mocks, cosmic_rays=True)
        for _ in range(2)
    )
    assert np.array_equal(one.flux, again.flux) and np.array_equal(one.kind, again.kind)


@pytest.fixture(scope="module")
def examples(material_path):
    paths = [material_path.parent / f"examples-{seed}.npy" for seed in (1, 2)]
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr("spectraq.models.training.detector.BATCH", 180)  # a whole one is analysed for a few
        for seed, path in enumerate(paths, 1):
            draw(material_path, shipped.FOLDER, seed, 150, path)
    return opened(paths)


@pytest.mark.slow
def test_examples_are_pictures_of_what_the_fit_leaves(examples):
    planes, numbers, kind = examples[0].read(torch.arange(150))
    assert planes.shape == (150, N_PLANES, N_COARSE) and numbers.shape == (150, N_EVIDENCE)
    assert torch.isfinite(planes).all() and torch.isfinite(numbers).all()
    assert planes.abs().max() < 12
    names = ("unmodelled_emission", NOTHING)
    lines, nothing = (planes[kind == SEEN.index(name), 4:6].amax((1, 2)).median() for name in names)
    assert lines > nothing


@pytest.mark.slow
def test_a_network_learns_from_them(examples, monkeypatch):
    monkeypatch.setattr("spectraq.models.training.detector.HELD_OUT", 0)
    torch.manual_seed(1)
    network, rows = Detector(), torch.arange(102, 198)  # of both files
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    before = loss(network, examples, rows).item()
    for _ in range(6):
        value = loss(network, examples, rows)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
    assert loss(network, examples, rows).item() < 0.7 * before


def test_weights_survive_a_round_trip_and_folding(tmp_path):
    torch.manual_seed(2)
    network = Detector().eval()
    planes, numbers = torch.randn(4, N_PLANES, N_COARSE), torch.randn(4, N_EVIDENCE)
    with torch.no_grad():
        before = network(planes, numbers)
        network.save(tmp_path / detector.FILE)
        after = Detector.load(tmp_path / detector.FILE)(planes, numbers)
    assert torch.allclose(before, after, atol=0.02)
    assert before.exp().sum(1) == pytest.approx(1)
    assert "places" not in load_file(tmp_path / detector.FILE)


def test_another_network_is_refused_by_name():
    with pytest.raises(ValueError, match="not a spectraq detector"):
        Detector.load(shipped.FOLDER / "encoder.safetensors")


def test_odds_are_against_nothing_and_sky():
    probability = torch.full((1, len(SEEN)), 0.05 / len(COUNTED))
    probability[0, SEEN.index(NOTHING)], probability[0, SEEN.index("sky_residual")] = 0.75, 0.2
    assert float(odds(probability.log())) == pytest.approx(np.log(0.05 / 0.95), rel=1e-4)


def test_what_the_detector_finds_bears_the_name_of_what_it_thinks_it_sees():
    rates = torch.full((2, len(KINDS)), 0.5)
    rates[:, DETECTOR] = 1e-4
    seen = torch.full((2, len(SEEN)), -9.0)
    seen[0, SEEN.index("supernova")] = seen[1, SEEN.index("arm_step")] = -0.1
    alone = attributed(rates, seen)
    assert alone.argmin(1).tolist() == [KINDS.index("supernova"), KINDS.index("arm_step")]
    assert (alone[:, DETECTOR] == 1).all()
