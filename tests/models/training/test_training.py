import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from spectraq.models.classes import SUBCLASSES
from spectraq.models.networks.classifier import Classifier, Outputs, load, save
from spectraq.models.training.losses.classifier import classifier_loss, loss
from spectraq.models.training.measure import cards
from spectraq.models.training.measure.accuracy import Beliefs, figures
from spectraq.models.training.measure.temperature import temperature
from spectraq.models.training.mocks import coarse_files
from spectraq.models.training.mocks.coarse_files import Truth
from spectraq.models.training.trainer import OutOfTime, Recipe, Trainer
from spectraq.models.training.trainer import fit as run

TINY = Recipe(seed=1, epochs=3, widths=(4, 6, 8, 8), hidden=16, batch=16, learning_rate=1e-2)
STAR, GALAXY, QSO = range(3)


def sample(n, seed=0):
    """Spectra of three kinds: an edge, a line and noise, that a tiny network can tell."""
    rng = np.random.default_rng(seed)
    spectype = torch.from_numpy(rng.integers(0, 3, n))
    channels = torch.from_numpy(0.3 * rng.standard_normal((n, 4, 1152))).float()
    channels[spectype == GALAXY, :, 600:] += 1
    channels[spectype == QSO, :, 300:360] += 3
    allowed = torch.zeros(n, len(SUBCLASSES), dtype=torch.bool)
    allowed[spectype == STAR, SUBCLASSES.index("G")] = True
    allowed[spectype == GALAXY, SUBCLASSES.index("PASSIVE")] = True
    allowed[spectype == QSO, SUBCLASSES.index("QSO")] = True
    return channels.half(), Truth(spectype, torch.full((n,), 0.5, dtype=torch.float64), allowed)


def fit(recipe, channels, truth, folder, name, report=lambda *_: None, deadline=float("inf")):
    torch.manual_seed(recipe.seed)
    network = Classifier(recipe.widths, recipe.hidden, recipe.dropout)
    trainer = Trainer(
        recipe,
        network,
        lambda rows: classifier_loss(network, channels, truth, rows),
        len(channels),
        folder / f"{name}.checkpoint",
        deadline,
    )
    run(trainer, lambda: save(network, folder / f"{name}.safetensors"), name, report)
    return network


def test_training_lowers_the_loss_and_tells_kinds_apart(tmp_path):
    channels, truth = sample(320)
    losses = []
    network = fit(TINY, channels, truth, tmp_path, "one", lambda _, __, value, ___: losses.append(value))
    assert losses[-1] < 0.7 * losses[0]
    other, known = sample(60, seed=1)
    with torch.no_grad():
        best = network(other.float()).subclass.argmax(1)
    assert known.allowed[torch.arange(60), best].double().mean() > 0.9


def test_interrupted_training_goes_on_as_if_it_had_not_been(tmp_path):
    channels, truth = sample(64)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    uninterrupted = fit(TINY, channels, truth, whole, "one")

    class Interruption(Exception):
        pass

    def interrupt(*_):
        raise Interruption

    for _ in range(TINY.epochs):
        with pytest.raises(Interruption):
            fit(TINY, channels, truth, parts, "one", interrupt)
    resumed = fit(TINY, channels, truth, parts, "one", interrupt)
    for one, other in zip(uninterrupted.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_training_that_runs_out_of_time_goes_on_in_the_middle_of_an_epoch(tmp_path):
    channels, truth = sample(96)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    uninterrupted = fit(TINY, channels, truth, whole, "one")
    stops = 0
    while True:
        try:
            resumed = fit(TINY, channels, truth, parts, "one", deadline=0.0)
            break
        except OutOfTime:
            stops += 1
    assert stops == TINY.epochs * 96 // TINY.batch
    for one, other in zip(uninterrupted.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_checkpoint_of_another_recipe_is_not_continued(tmp_path):
    channels, truth = sample(64)
    fit(TINY, channels, truth, tmp_path, "one")
    with pytest.raises(ValueError, match=r"one\.checkpoint was made with .* remove it"):
        fit(replace(TINY, seed=2), channels, truth, tmp_path, "one")


def test_a_mock_of_several_allowed_subclasses_asks_only_for_their_sum():
    logits = torch.full((1, len(SUBCLASSES)), -20.0)
    f, g = SUBCLASSES.index("F"), SUBCLASSES.index("G")
    allowed = torch.zeros(1, len(SUBCLASSES), dtype=torch.bool)
    allowed[0, [f, g]] = True
    truth = Truth(torch.tensor([STAR]), torch.zeros(1, dtype=torch.float64), allowed)
    empty = torch.zeros(1, 5)
    values = []
    for share in (0.01, 0.5, 0.99):
        logits[0, f], logits[0, g] = np.log(share), np.log(1 - share)
        log_p = logits.log_softmax(1)
        flatness = -0.01 * log_p.mean()
        values.append(float(loss(Outputs(logits, empty, empty), truth) - flatness))
    assert values == pytest.approx([0, 0, 0], abs=1e-4)


def test_channels_on_disk_are_those_of_the_spectra(tmp_path):
    rng = np.random.default_rng(3)
    n = 7
    data = coarse_files.Dataset(
        rng.normal(1, 0.1, (n, 1152)).astype(np.float16),
        np.full((n, 1152), 10, np.float16),
        rng.uniform(0, 1, n),
        np.eye(n, len(SUBCLASSES), dtype=bool),
        rng.integers(0, 3, n),
        np.full(n, 10, np.float32),
        np.array(["a"] * n),
        np.array(["b"] * n),
    )
    paths = [tmp_path / "mocks-1.npz", tmp_path / "mocks-2.npz"]
    for path in paths:
        data.save(path)
    coarse_files.write_channels(paths, tmp_path)
    channels, truth = coarse_files.mapped(tmp_path)
    expected = next(iter(data.blocks()))
    assert torch.allclose(channels.float(), torch.cat([expected, expected]), atol=5e-3, rtol=2e-3)
    assert truth.z.numpy() == pytest.approx(np.tile(data.z, 2))


def beliefs(logits):
    n = logits.shape[1]
    return Beliefs(logits, torch.zeros(1, n, 270), torch.zeros(1, n, 568))


def test_overconfident_networks_are_cooled_and_calibration_gets_better():
    rng = torch.Generator().manual_seed(4)
    honest = 2 * torch.randn(4000, len(SUBCLASSES), generator=rng)
    drawn = torch.multinomial(honest.softmax(1), 1, generator=rng)[:, 0]
    of = torch.tensor([0] * 11 + [1] * 4 + [2] * 3)
    truth = Truth(of[drawn], torch.zeros(4000, dtype=torch.float64))
    shouting = beliefs(1.6 * honest[None])
    found = temperature([(shouting, truth)])
    assert found == pytest.approx(1.6, rel=0.1)
    before, after = figures(shouting, truth), figures(shouting, truth, found)
    assert after["class_calibration_error"] < 0.5 * before["class_calibration_error"]
    assert after["class_nll"] < before["class_nll"]


def test_cards_say_what_the_weights_are_and_how_good(tmp_path):
    channels, truth = sample(320)
    fit(TINY, channels, truth, tmp_path, "classifier-1")
    other, known = sample(60, seed=1)
    card = cards.write(tmp_path, {"classifier-1": TINY}, [("mocks", [other.float()], known)], {"mocks": 320})
    assert card == json.loads((tmp_path / cards.ENSEMBLE_CARD).read_text())
    assert card["members"] == ["classifier-1"] and card["figures"]["mocks"]["class_accuracy"] > 0.9
    member = json.loads((tmp_path / "classifier-1.json").read_text())
    assert member["recipe"]["seed"] == 1 and len(member["sha256"]) == 64
    assert load(tmp_path / member["weights"]).widths == TINY.widths
