"""All members of the ensemble on one batch: what each thinks a spectrum is, and at which redshifts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from models import classifier, shipped
from models.classifier import Classifier, class_probability

PATTERN = "classifier*.safetensors"
CARD = "classifier.json"


@dataclass(frozen=True, slots=True)
class Opinion:
    """Probabilities of each of M members for a batch."""

    subclass: torch.Tensor  # (M, B, 18)
    z_galaxy: torch.Tensor  # (M, B, N_GALAXY_BINS), if it is a galaxy
    z_qso: torch.Tensor  # (M, B, N_QSO_BINS), if it is a quasar

    @property
    def spectype(self) -> torch.Tensor:
        """Probability of each class, shape (M, B, 3)."""
        return class_probability(self.subclass)


class Ensemble:
    """Networks that are asked together; the mean of their probabilities is the ensemble's.

    Parameters
    ----------
    networks
        By member's name.
    temperature
        What the subclass logits are divided by, so that probabilities mean what they say.
    """

    def __init__(self, networks: dict[str, Classifier], temperature: float = 1.0) -> None:
        self.members = tuple(networks)
        self._networks: Sequence[Classifier] = tuple(networks.values())
        self.temperature = temperature

    @classmethod
    def load(cls, folder: Path = shipped.FOLDER, device: torch.device | str = "cpu") -> Ensemble:
        """Read every member of a folder, and the temperature from its card.

        Raises
        ------
        models.shipped.MissingWeightsError
            Where there is no member.
        """
        paths = shipped.required(folder, PATTERN)
        card = folder / CARD
        about = json.loads(card.read_text()) if card.exists() else {}
        networks = {path.stem: classifier.load(path, device) for path in paths}
        return cls(networks, float(about.get("temperature", 1.0)))

    def ask(self, channels: torch.Tensor) -> Opinion:
        """Let every member judge a batch of channels, shape (B, 4, N_COARSE)."""
        outputs = [network(channels) for network in self._networks]
        return Opinion(
            torch.stack([(output.subclass / self.temperature).softmax(1) for output in outputs]),
            torch.stack([output.z_galaxy.softmax(1) for output in outputs]),
            torch.stack([output.z_qso.softmax(1) for output in outputs]),
        )
