"""Every network is written and read alike, and none is taken for another."""

from itertools import permutations
from pathlib import Path

import pytest
import torch

from spectraq.models.anomaly.detector import Detector
from spectraq.models.networks.classifier import Classifier
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.stored import StoredNetwork
from spectraq.models.networks.unet import UNet

NETWORKS = {
    "classifier": lambda: Classifier((4, 6, 8, 8), hidden=8),
    "encoder": lambda: Encoder((4, 6, 8), hidden=8, k=3),
    "unet": lambda: UNet((4, 4, 8, 8)),
    "detector": lambda: Detector((4, 6, 8, 8), hidden=8),
}
"""Small, and of shapes that are nobody's default."""


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_read_with_its_shape_and_its_weights_and_folded_when_it_is_loaded(
    name: str, tmp_path: Path
) -> None:
    network: StoredNetwork = NETWORKS[name]()
    path = tmp_path / f"{name}.safetensors"
    network.save(path)
    again = type(network).read(path)
    assert {key: getattr(again, key) for key in again.SHAPE} == {
        key: getattr(network, key) for key in network.SHAPE
    }
    for key, value in network.state_dict().items():
        assert torch.equal(
            again.state_dict()[key], value.half().float() if value.is_floating_point() else value
        )
    loaded = type(network).load(path)
    assert loaded.folded and not loaded.training and not again.folded


@pytest.mark.parametrize(("name", "other"), list(permutations(NETWORKS, 2)))
def test_a_network_is_not_taken_for_another(name: str, other: str, tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    NETWORKS[name]().save(path)
    with pytest.raises(ValueError, match=f"not a spectraq {other}"):
        type(NETWORKS[other]()).load(path)
