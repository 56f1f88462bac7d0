"""The networks that come with the package, on real spectra that they were never trained on."""

import json

import pytest
import torch

from spectraq.models import shipped
from spectraq.models.classes import CLASSES, SUBCLASSES
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.networks.classifier import load
from spectraq.models.training.measure.accuracy import ask, figures
from spectraq.models.training.mocks.coarse_files import Truth
from spectraq.workers.files.labelled_spectra import labelled

CARD = json.loads((shipped.FOLDER / "classifier.json").read_text())


@pytest.fixture(scope="module")
def measured(shared_data):
    spectra = [spectrum for spectrum in labelled(shared_data) if spectrum.trusted]
    channels = prepare(grid_batch([spectrum.observation for spectrum in spectra])).channels
    truth = Truth(
        torch.tensor([CLASSES.index(spectrum.spectype) for spectrum in spectra]),
        torch.tensor([spectrum.z for spectrum in spectra], dtype=torch.float64),
    )
    networks = [load(shipped.FOLDER / f"{name}.safetensors") for name in CARD["voters"]]
    beliefs = ask(networks, channels.split(128))
    return figures(beliefs, truth, CARD["temperature"])


def test_there_are_three_members_or_more_and_they_differ():
    assert len(CARD["members"]) >= 3
    digests = {shipped.digest_of(shipped.FOLDER / f"{name}.safetensors") for name in CARD["members"]}
    assert len(digests) == len(CARD["members"])
    assert tuple(CARD["subclasses"]) == SUBCLASSES


def test_each_card_is_of_the_weights_beside_it():
    for name in (*CARD["members"], "unet"):
        card = json.loads((shipped.FOLDER / f"{name}.json").read_text())
        assert card["sha256"] == shipped.digest_of(shipped.FOLDER / card["weights"])


def test_all_weights_together_are_small():
    total = sum(path.stat().st_size for path in shipped.FOLDER.glob("*.safetensors"))
    assert total < 25e6


def test_the_networks_alone_tell_stars_galaxies_and_quasars(measured):
    assert measured["class_accuracy"] >= 0.98


def test_the_networks_know_about_where_in_redshift_to_look(measured):
    assert measured["z_hit_galaxy"] >= 0.97
    assert measured["z_hit_qso"] >= 0.96


def test_the_card_says_what_is_measured(measured):
    for name, value in CARD["figures"]["labelled"].items():
        assert measured[name] == pytest.approx(value, abs=2e-3)
