"""All members of the ensemble on one batch: what each thinks a spectrum is, and at which redshifts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from spectraq.models import shipped
from spectraq.models.classes import class_probability
from spectraq.models.grid.prepare import Gridded, Prepared
from spectraq.models.networks import members
from spectraq.models.networks.encoder import Encoder, Latent
from spectraq.models.networks.members import EncoderMember, Member

PATTERNS = ("classifier-*.safetensors", "encoder.safetensors", "unet.safetensors")
CARD = "classifier.json"


class UnknownMemberError(ValueError):
    """A member was asked for that is not among the weights."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """Probabilities of each of M members for a batch."""

    subclass: torch.Tensor  # (M, B, 18)
    z_galaxy: torch.Tensor  # (M, B, N_GALAXY_BINS), if it is a galaxy
    z_qso: torch.Tensor  # (M, B, N_QSO_BINS), if it is a quasar

    @property
    def spectype(self) -> torch.Tensor:
        """Return the probability of each class, shape (M, B, 3)."""
        return class_probability(self.subclass)


class Ensemble:
    """Networks that are asked together; the mean of their probabilities is the ensemble's.

    The classifiers vote. Reconstructors vote only where there is no classifier among the members: their votes
    made classes of hard mocks worse, and their redshifts cost a scan of their own.

    Parameters
    ----------
    networks
        By member's name.
    temperature
        What the subclass logits are divided by, so that probabilities mean what they say.
    """

    def __init__(self, networks: Mapping[str, Member], temperature: float = 1.0) -> None:
        self.members = tuple(networks)
        self._networks: Sequence[Member] = tuple(networks.values())
        encoders = [member.network for member in networks.values() if isinstance(member, EncoderMember)]
        self.encoder: Encoder | None = encoders[0] if encoders else None
        naming = [name for name in networks if name not in members.RECONSTRUCTORS]
        self.voters = tuple(naming or networks)
        self.temperature = temperature

    @classmethod
    def load(
        cls,
        folder: Path = shipped.FOLDER,
        device: torch.device | str = "cpu",
        only: Sequence[str] | None = None,
    ) -> Ensemble:
        """Read the members that the folder's card names, or `only` some, and the temperature.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where there is no member.
        UnknownMemberError
            Where one of `only` is not there.
        """
        shipped.required(folder, PATTERNS[0])
        there = {path.stem: path for pattern in PATTERNS for path in sorted(folder.glob(pattern))}
        card = folder / CARD
        about = json.loads(card.read_text()) if card.exists() else {}
        names = tuple(only) if only else tuple(about.get("members", there))
        if unknown := [name for name in names if name not in there]:
            raise UnknownMemberError(
                f"no member {', '.join(unknown)} in {folder}; there are {', '.join(there)}"
            )
        networks = {name: members.load(there[name], torch.device(device)) for name in names}
        return cls(networks, float(about.get("temperature", 1.0)))

    def ask(self, gridded: Gridded, prepared: Prepared) -> tuple[Opinion, Latent | None]:
        """Let every member judge a batch; also return the latent space where the encoder is a member."""
        scanning = all(name in members.RECONSTRUCTORS for name in self.voters)
        votes = {
            name: network.vote(gridded, prepared, scanning)
            for name, network in zip(self.members, self._networks, strict=True)
        }
        heard = [votes[name] for name in self.voters]
        opinion = Opinion(
            torch.stack([(vote.subclass / self.temperature).softmax(1) for vote in heard]),
            torch.stack([_given(vote.z_galaxy) for vote in heard]),
            torch.stack([_given(vote.z_qso) for vote in heard]),
        )
        latent = [vote.latent for vote in votes.values() if vote.latent is not None]
        return opinion, (latent[0] if latent else None)


def _given(posterior: torch.Tensor | None) -> torch.Tensor:
    """Return a posterior that a voter must have given."""
    assert posterior is not None
    return posterior
