import json

import pytest
import torch

from spectraq.models import shipped
from spectraq.models.classes import CLASSES
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.simulate import simulate
from spectraq.models.training import finetune
from spectraq.models.training.mocks.coarse_files import Truth


def survey(n, seed):
    spectra = simulate(n, seed)
    channels = prepare(grid_batch([spectrum.observation for spectrum in spectra])).channels
    spectype = torch.tensor([CLASSES.index(spectrum.spectype) for spectrum in spectra])
    return channels, Truth(spectype, torch.tensor([s.z for s in spectra], dtype=torch.float64))


def test_a_survey_of_wrong_labels_does_not_replace_the_weights(tmp_path):
    channels, truth = survey(66, seed=5)
    # Learning from labels that are wrong two times in three makes held-out right ones worse.
    wrong = (truth.spectype + 1) % 3
    wrong[::3] = truth.spectype[::3]
    verdict = finetune.fit(channels, Truth(wrong, truth.z), tmp_path, lambda _: None, epochs=2)
    assert not verdict["better"] and verdict["held_out"] == 22
    for path in shipped.FOLDER.glob("*"):
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_verdict_decides_which_weights_are_kept(tmp_path):
    verdict = finetune.fit(*survey(66, seed=6), tmp_path, lambda _: None, epochs=1)
    name = "classifier-1.safetensors"
    kept = (tmp_path / name).read_bytes() == (shipped.FOLDER / name).read_bytes()
    assert kept is not verdict["better"]
    better = verdict["after"]["class_nll"] < verdict["before"]["class_nll"]
    no_worse = verdict["after"]["class_accuracy"] >= verdict["before"]["class_accuracy"]
    assert verdict["better"] is (better and no_worse)
    assert json.loads((tmp_path / "classifier.json").read_text())["temperature"] > 0


def test_too_few_spectra_are_refused(tmp_path):
    with pytest.raises(ValueError, match="12 labelled spectra are too few to fit to; at least 60"):
        finetune.fit(*survey(12, seed=7), tmp_path, lambda _: None)
