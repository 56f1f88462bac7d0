"""What the classifier learns from: which subclasses a mock may have, and its redshift."""

from __future__ import annotations

import torch
from torch import Tensor

from spectraq.models.classes import CLASSES, z_to_bin
from spectraq.models.networks.classifier import Classifier, Outputs
from spectraq.models.training.mocks.coarse_files import Truth

Z_WEIGHT = 0.35
FLATNESS_WEIGHT = 0.01
"""Share of the mean log probability in the loss: keeps what the mocks never mix from probability zero."""
Z_TARGET_BINS = 0.6
"""Standard deviation of the redshift's target, in bins: about how well 16 pixels can be told."""


def z_target(z_bin: Tensor, bins: int) -> Tensor:
    """Spread each redshift over its neighbouring bins as a Gaussian, shape (B, bins)."""
    distance = torch.arange(bins, device=z_bin.device)[None] - z_bin[:, None]
    target = torch.exp(-0.5 * (distance / Z_TARGET_BINS).square())
    return target / target.sum(1, keepdim=True).clamp_min(1e-9)


def allowed_loss(logits: Tensor, allowed: Tensor) -> Tensor:
    """Return -ln of the summed probability of the allowed subclasses, averaged over the batch.

    A mock that may be of several subclasses asks only that their sum be one: an ambiguous one does no harm.
    """
    return -torch.logsumexp(logits.log_softmax(1).masked_fill(~allowed, -1e9), 1).mean()


def loss(outputs: Outputs, truth: Truth) -> Tensor:
    """Score a batch: the subclasses, and the cross-entropy of the redshift."""
    assert truth.allowed is not None
    log_p = outputs.subclass.float().log_softmax(1)
    total = allowed_loss(outputs.subclass.float(), truth.allowed) - FLATNESS_WEIGHT * log_p.mean()
    for spectype, head in (("GALAXY", outputs.z_galaxy), ("QSO", outputs.z_qso)):
        rows = truth.spectype == CLASSES.index(spectype)
        target = z_target(z_to_bin(truth.z[rows]).float(), head.shape[1])
        entropy = -(target * head[rows].float().log_softmax(1)).sum()
        total = total + Z_WEIGHT * entropy / len(log_p)
    return total


def classifier_loss(network: Classifier, channels: Tensor, truth: Truth, rows: Tensor) -> Tensor:
    """Score the mocks of some rows.

    Parameters
    ----------
    channels
        Of all mocks, shape (n, 4, N_COARSE).
    """
    device = network.dense.weight.device
    # Half the precision doubles the speed; the weights and the loss stay in single.
    with torch.autocast(device.type, torch.bfloat16):
        outputs: Outputs = network(channels[rows].float().to(device))
    return loss(outputs, truth[rows].to(device))
