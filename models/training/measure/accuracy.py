"""How good the networks are, alone and together: on held-out mocks, and on labelled real spectra."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectraq.models.classes import CLASSES, class_probability, z_to_bin
from spectraq.models.networks.classifier import Classifier
from spectraq.models.training.mocks.coarse_files import Truth

Z_HIT_BINS = 1.5
"""A redshift head is right when its best bin is within this of the truth: 0.0055 in ln(1 + z)."""
CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Beliefs:
    """What M members say of n spectra, as logits."""

    subclass: Tensor  # (M, n, 18)
    z_galaxy: Tensor  # (M, n, N_GALAXY_BINS)
    z_qso: Tensor  # (M, n, N_QSO_BINS)

    def class_probability(self, temperature: float = 1.0) -> Tensor:
        """Return the mean over members of the probability of each class, shape (n, 3)."""
        return class_probability((self.subclass / temperature).softmax(-1).mean(0))

    def member(self, index: int) -> Beliefs:
        """Return one member's beliefs as an ensemble of one."""
        only = slice(index, index + 1)
        return Beliefs(self.subclass[only], self.z_galaxy[only], self.z_qso[only])


def ask(networks: Sequence[Classifier], blocks: Iterable[Tensor]) -> Beliefs:
    """Let every network judge every block of channels, (B, 4, N_COARSE) each."""
    answers = []
    with torch.inference_mode():
        for channels in blocks:
            outputs = [network(channels) for network in networks]
            answers.append([torch.stack(head) for head in zip(*outputs, strict=True)])
    return Beliefs(*(torch.cat(head, dim=1) for head in zip(*answers, strict=True)))


def calibration_error(probability: Tensor, right: NDArray[np.bool_]) -> float:
    """Mean distance between how sure the answers are and how often they are right, over bins of sureness."""
    sureness = probability.max(-1)[0].numpy()
    bins = np.clip((sureness * CALIBRATION_BINS).astype(int), 0, CALIBRATION_BINS - 1)
    distance = [abs(float((sureness - right)[bins == b].sum())) for b in range(CALIBRATION_BINS)]
    return sum(distance) / len(right)


def figures(beliefs: Beliefs, truth: Truth, temperature: float = 1.0) -> dict[str, float]:
    """Measure accuracy, log-likelihood and calibration of the class, and hits of the redshift heads."""
    probability = beliefs.class_probability(temperature)
    right = (probability.argmax(1) == truth.spectype).numpy()
    chosen = probability[torch.arange(len(right)), truth.spectype]
    measured = {
        "class_accuracy": float(right.mean()),
        "class_nll": float(-chosen.clamp_min(1e-9).log().mean()),
        "class_calibration_error": calibration_error(probability, right),
    }
    if truth.allowed is not None:
        best = beliefs.subclass.softmax(-1).mean(0).argmax(1)
        measured["subclass_accuracy"] = float(truth.allowed[torch.arange(len(best)), best].double().mean())
    bins = z_to_bin(truth.z)
    for spectype, head in (("GALAXY", beliefs.z_galaxy), ("QSO", beliefs.z_qso)):
        rows = truth.spectype == CLASSES.index(spectype)
        if rows.any():
            best_bin = head[:, rows].softmax(-1).mean(0).argmax(1)
            hit = (best_bin - bins[rows]).abs() < Z_HIT_BINS
            measured[f"z_hit_{spectype.lower()}"] = float(hit.double().mean())
    return {"spectra": len(right), **{name: round(value, 4) for name, value in measured.items()}}
