import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from spectraq.models.classes import (
    CLASS_OF_SUBCLASS,
    N_GALAXY_BINS,
    N_QSO_BINS,
    SUBCLASSES,
    class_probability,
    z_to_bin,
)
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.grid.prepare import N_CHANNELS
from spectraq.models.networks import half_precision
from spectraq.models.networks.classifier import Classifier, load, save


@pytest.fixture
def network():
    """A network whose batch norms have seen something."""
    torch.manual_seed(1)
    network = Classifier((8, 12, 16, 24), hidden=32)
    network.train()
    for _ in range(5):
        network(channels(8) * 2 + 0.3)
    return network.eval()


def channels(n):
    return torch.randn(n, N_CHANNELS, N_COARSE)


def test_each_head_has_its_logits(network):
    outputs = network(channels(3))
    assert outputs.subclass.shape == (3, len(SUBCLASSES))
    assert outputs.z_galaxy.shape == (3, N_GALAXY_BINS)
    assert outputs.z_qso.shape == (3, N_QSO_BINS)


def test_folding_the_batch_norms_changes_no_answer(network):
    sample = channels(4)
    with torch.no_grad():
        before = network(sample)
        after = network.fold()(sample)
    assert not any(isinstance(module, torch.nn.BatchNorm1d) for module in network.modules())
    for one, other in zip(before, after, strict=True):
        assert torch.allclose(one, other, atol=1e-4)


def test_an_answer_does_not_depend_on_the_batch(network):
    sample = channels(6)
    with torch.no_grad():
        together, alone = network(sample).subclass, network(sample[2:3]).subclass[0]
    assert torch.allclose(together[2], alone, atol=1e-5)


def test_what_is_saved_is_loaded(network, tmp_path):
    sample = channels(4)
    save(network, tmp_path / "one.safetensors")
    loaded = load(tmp_path / "one.safetensors")
    assert loaded.widths == network.widths
    with torch.no_grad():
        before, after = network(sample).subclass.softmax(1), loaded(sample).subclass.softmax(1)
    assert torch.allclose(before, after, atol=5e-3)  # weights are kept in half precision


def test_a_file_of_something_else_is_refused_by_name(tmp_path):
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"format": "other"})
    with pytest.raises(ValueError, match=r"other\.safetensors: not a spectraq classifier"):
        load(path)


def test_probabilities_of_subclasses_add_up_to_those_of_classes():
    p = torch.rand(5, len(SUBCLASSES)).softmax(1)
    total = class_probability(p)
    assert total.sum(1).numpy() == pytest.approx(np.ones(5), abs=1e-6)
    stars = [index for index, of in enumerate(CLASS_OF_SUBCLASS) if of == 0]
    assert torch.allclose(total[:, 0], p[:, stars].sum(1))


def test_redshift_bins_reach_from_zero_to_the_last_quasars():
    z = torch.tensor([0.0, 1.68, 7.0], dtype=torch.float64)
    bins = z_to_bin(z)
    assert bins[0] >= 1
    assert bins[1] < N_GALAXY_BINS - 1
    assert bins[2] < N_QSO_BINS - 1


@pytest.mark.skipif(not half_precision.available(torch.device("cpu")), reason="needs a CPU with bfloat16")
def test_half_precision_changes_probabilities_by_little(network):
    sample = channels(16)
    with torch.no_grad():
        before = network.fold()(sample).subclass.softmax(1)
        after = network.shorten()(sample).subclass.softmax(1)
    assert 0 < float((before - after).abs().max()) < 0.01
