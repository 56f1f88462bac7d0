"""How each member is trained, and what it takes to begin: its network, its loss, its mocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from spectraq.models.networks.classifier import Classifier
from spectraq.models.networks.encoder import Encoder
from spectraq.models.networks.unet import UNet
from spectraq.models.training import material_file
from spectraq.models.training.losses import reconstruction
from spectraq.models.training.losses.classifier import classifier_loss
from spectraq.models.training.mocks import coarse_files, full_files
from spectraq.models.training.trainer import Loss, Recipe, Trainer

ENCODER, UNET = "encoder", "unet"
WIDTHS = ((32, 48, 64, 96), (40, 56, 80, 112), (48, 64, 96, 128))
"""Channels of the first three classifiers; later ones begin again. Networks that differ err differently."""
FIRST_CLASSIFIER_SEED = 11
ENCODER_RECIPE = Recipe(21, 16, (24, 48, 96), 192, learning_rate=3e-3, weight_decay=0.0)
UNET_RECIPE = Recipe(31, 8, (12, 16, 32, 64), 0, learning_rate=4e-3, weight_decay=0.01)


@dataclass(frozen=True)
class Prepared:
    """A member ready to be trained."""

    trainer: Trainer
    save: Callable[[], None]


def members(classifiers: int, epochs: int, reconstruction_epochs: int | None = None) -> dict[str, Recipe]:
    """Return the recipes of the ensemble's members by name.

    Parameters
    ----------
    classifiers
        How many there are.
    epochs
        How often each classifier sees every mock.
    reconstruction_epochs
        The same of encoder and U-Net; None as their recipes say.
    """
    named = {
        f"classifier-{i + 1}": Recipe(FIRST_CLASSIFIER_SEED + i, epochs, WIDTHS[i % len(WIDTHS)])
        for i in range(classifiers)
    }
    others = {ENCODER: ENCODER_RECIPE, UNET: UNET_RECIPE}
    if reconstruction_epochs is not None:
        others = {name: replace(recipe, epochs=reconstruction_epochs) for name, recipe in others.items()}
    return {**named, **others}


@dataclass(frozen=True)
class Site:
    """Where members are trained, and on what.

    Parameters
    ----------
    folder
        Holds the mocks' channels and the checkpoints.
    material
        The packed templates.
    exposures
        Files of mocks at full resolution.
    held_out
        How many of the first mocks are left out.
    deadline
        `time.monotonic()` at which training stops, its checkpoint written.
    """

    folder: Path
    material: Path
    exposures: Sequence[Path]
    held_out: int
    device: str = "cpu"
    deadline: float = float("inf")

    def trainer(self, name: str, recipe: Recipe, network: nn.Module, loss: Loss, n: int) -> Trainer:
        """Make a member's trainer, from its checkpoint where there is one."""
        checkpoint = self.folder / f"{name}.checkpoint"
        return Trainer(recipe, network, loss, n, checkpoint, self.deadline)


def prepare(name: str, recipe: Recipe, site: Site) -> Prepared:
    """Make a member's network, loss and trainer."""
    torch.manual_seed(recipe.seed)
    make = {ENCODER: _encoder, UNET: _unet}.get(name, _classifier)
    return make(name, recipe, site)


def _classifier(name: str, recipe: Recipe, site: Site) -> Prepared:
    channels, truth = coarse_files.mapped(site.folder)
    channels, truth = channels[site.held_out :], truth[site.held_out :]
    network = Classifier(recipe.widths, recipe.hidden, recipe.dropout).to(site.device)

    def loss(rows: Tensor) -> Tensor:
        return classifier_loss(network, channels, truth, rows)

    trainer = site.trainer(name, recipe, network, loss, len(channels))
    return Prepared(trainer, partial(network.save, site.folder / f"{name}.safetensors"))


def _encoder(name: str, recipe: Recipe, site: Site) -> Prepared:
    exposures = full_files.opened(site.exposures)
    first, second, third = recipe.widths
    network = Encoder((first, second, third), recipe.hidden)
    reconstruction.start_from(network, material_file.load(site.material).families, recipe.seed)
    network.to(site.device)

    def loss(rows: Tensor) -> Tensor:
        return reconstruction.encoder_loss(network, exposures, rows + site.held_out)

    trainer = site.trainer(name, recipe, network, loss, len(exposures) - site.held_out)
    return Prepared(trainer, partial(network.save, site.folder / f"{name}.safetensors"))


def _unet(name: str, recipe: Recipe, site: Site) -> Prepared:
    exposures = full_files.opened(site.exposures)
    network = UNet(recipe.widths).to(site.device)

    def loss(rows: Tensor) -> Tensor:
        return reconstruction.unet_loss(network, exposures, rows + site.held_out)

    trainer = site.trainer(name, recipe, network, loss, len(exposures) - site.held_out)
    return Prepared(trainer, partial(network.save, site.folder / f"{name}.safetensors"))
