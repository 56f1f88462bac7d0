import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from spectraq.models import shipped
from spectraq.models.anomaly.scores import SEEN
from spectraq.models.networks import encoder, unet
from spectraq.models.networks.classifier import load

SPECTRAQ = Path(sys.executable).parent / "spectraq"


def train(*options):
    return subprocess.run(
        [SPECTRAQ, "train", *map(str, options)], capture_output=True, text=True, check=False
    )


@pytest.mark.soak
def test_the_steps_make_mocks_a_network_and_its_card_and_no_epoch_twice(shared_data, tmp_path):
    plan = ("--data", shared_data, "--out", tmp_path, "--mocks", 5000, "--exposures", 5000, "--epochs", 1)
    plan = (*plan, "--classifiers", 1, "--reconstruction-epochs", 1)
    for step in ("pack", "mocks", "members"):
        done = train(*plan, "--only", step)
        assert done.returncode == 0, done.stderr
    done = train(*plan, "--only", "calibrate", "--json")
    card = json.loads(done.stdout)
    assert card["members"] == ["classifier-1", "encoder"]
    assert card == json.loads((tmp_path / "classifier.json").read_text())
    # Two thousand mocks seen once: enough to be far better than a guess among three.
    assert card["figures"]["mocks"]["class_accuracy"] > 0.5
    assert card["figures"]["labelled"]["spectra"] > 300
    assert load(tmp_path / "classifier-1.safetensors").widths == (32, 48, 64, 96)
    assert encoder.load(tmp_path / "encoder.safetensors").k == encoder.N_EIGENSPECTRA
    assert unet.load(tmp_path / "unet.safetensors").widths == (12, 16, 32, 64)
    assert json.loads((tmp_path / "unet.json").read_text())["trained_on"]["exposures"] == 2000
    again = train(*plan, "--only", "members")
    assert again.returncode == 0
    assert again.stderr == ""


@pytest.mark.soak
def test_the_detector_is_taught_by_the_networks_that_are_there_and_only_once(shared_data, tmp_path):
    for path in shipped.FOLDER.iterdir():
        if path.stem not in ("detector", "normal"):
            shutil.copy(path, tmp_path)
    plan = ("--data", shared_data, "--out", tmp_path, "--examples", 4000)
    for step in ("pack", "detector"):
        done = train(*plan, "--only", step)
        assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "detector.json").read_text())
    assert card["trained_on"]["examples"] == 1000 and card["sha256"]
    # A thousand spectra seen six times: what is put in is told better than by its share.
    assert card["figures"]["loss"] < 1.9
    assert set(card["figures"]["found"]) == set(SEEN)
    assert "epoch" in done.stderr
    again = train(*plan, "--only", "detector")
    assert again.returncode == 0 and "epoch" not in again.stderr


def test_a_folder_without_templates_is_one_line_on_stderr(tmp_path):
    done = train("--data", tmp_path, "--out", tmp_path / "out", "--only", "pack")
    assert done.returncode == 1
    assert "templates: no such folder; give the folder of templates with --data" in done.stderr.replace(
        "\n", ""
    )
    assert "Traceback" not in done.stderr
