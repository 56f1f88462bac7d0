"""Train one member of the ensemble on mocks, with a checkpoint after each epoch to go on from."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.classifier import CLASSES, Classifier, Outputs, save, z_to_bin
from models.training.dataset import Truth

Z_WEIGHT = 0.35
FLATNESS_WEIGHT = 0.01
"""Share of the mean log probability in the loss: keeps what the mocks never mix from probability zero."""
Z_TARGET_BINS = 0.6
"""Standard deviation of the redshift's target, in bins: about how well 16 pixels can be told."""


@dataclass(frozen=True)
class Recipe:
    """How a member is trained."""

    seed: int
    epochs: int
    widths: tuple[int, ...] = (32, 48, 64, 96)
    hidden: int = 256
    dropout: float = 0.2
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.02


def z_target(z_bin: Tensor, bins: int) -> Tensor:
    """Spread each redshift over its neighbouring bins as a Gaussian, shape (B, bins)."""
    distance = torch.arange(bins, device=z_bin.device)[None] - z_bin[:, None]
    target = torch.exp(-0.5 * (distance / Z_TARGET_BINS).square())
    return target / target.sum(1, keepdim=True).clamp_min(1e-9)


def loss(outputs: Outputs, truth: Truth) -> Tensor:
    """Score a batch: -ln of the probability of the allowed subclasses, and the cross-entropy of redshift.

    A mock that may be of several subclasses asks only that their sum be one: an ambiguous one does no harm.
    """
    assert truth.allowed is not None
    log_p = outputs.subclass.float().log_softmax(1)
    right = torch.logsumexp(log_p.masked_fill(~truth.allowed, -1e9), 1)
    total = -right.mean() - FLATNESS_WEIGHT * log_p.mean()
    for spectype, head in (("GALAXY", outputs.z_galaxy), ("QSO", outputs.z_qso)):
        rows = truth.spectype == CLASSES.index(spectype)
        target = z_target(z_to_bin(truth.z[rows]).float(), head.shape[1])
        entropy = -(target * head[rows].float().log_softmax(1)).sum()
        total = total + Z_WEIGHT * entropy / len(log_p)
    return total


class Trainer:
    """One member on its way: network, optimiser, schedule and where they stand.

    Parameters
    ----------
    checkpoint
        File that every epoch's end is kept in; training goes on from it where it exists.
    """

    def __init__(self, recipe: Recipe, steps_per_epoch: int, checkpoint: Path) -> None:
        self.recipe, self.checkpoint, self.epoch = recipe, checkpoint, 0
        torch.manual_seed(recipe.seed)
        self.network = Classifier(recipe.widths, recipe.hidden, recipe.dropout)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), recipe.learning_rate / 4, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, recipe.learning_rate, recipe.epochs * steps_per_epoch, pct_start=0.15
        )
        if checkpoint.exists():
            self._resume()

    def _resume(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True)
        if state["recipe"] != str(self.recipe):
            raise ValueError(
                f"{self.checkpoint} was made with {state['recipe']}; remove it to train with {self.recipe}"
            )
        self.network.load_state_dict(state["network"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.schedule.load_state_dict(state["schedule"])
        self.epoch = state["epoch"]

    def keep(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "recipe": str(self.recipe),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(self.checkpoint)

    def run_epoch(self, channels: Tensor, truth: Truth) -> float:
        """Go once through the mocks in an order of the epoch's own; returns the mean loss."""
        # An epoch is the same whether training was interrupted before it or not.
        torch.manual_seed(self.recipe.seed + 1000 * self.epoch)
        self.network.train()
        total, batches = 0.0, 0
        for rows in batches_of(len(channels), self.recipe.batch, self.recipe.seed + 1000 * self.epoch):
            # Half the precision doubles the speed; the weights and the loss stay in single.
            with torch.autocast("cpu", torch.bfloat16):
                outputs = self.network(channels[rows].float())
            step = loss(outputs, truth[rows])
            self.optimiser.zero_grad()
            step.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
            self.optimiser.step()
            self.schedule.step()
            total, batches = total + float(step.detach()), batches + 1
        self.epoch += 1
        return total / batches


def batches_of(n: int, size: int, seed: int) -> Iterator[Tensor]:
    """Shuffle n rows and give them in whole batches; what does not fill one is left out."""
    order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
    for start in range(0, n - size + 1, size):
        yield order[start : start + size].sort()[0]


def fit(
    recipe: Recipe,
    channels: Tensor,
    truth: Truth,
    folder: Path,
    name: str,
    report: Callable[[str, int, float, float], None] = lambda *_: None,
) -> Classifier:
    """Train a member, and write its weights to `folder`/`name`.safetensors after every epoch.

    Parameters
    ----------
    channels
        Shape (n, 4, N_COARSE).
    report
        Told name, epoch, loss and seconds after each epoch.
    """
    trainer = Trainer(recipe, len(channels) // recipe.batch, folder / f"{name}.checkpoint")
    while trainer.epoch < recipe.epochs:
        started = time.monotonic()
        mean_loss = trainer.run_epoch(channels, truth)
        trainer.keep()
        save(trainer.network, folder / f"{name}.safetensors")
        report(name, trainer.epoch, mean_loss, time.monotonic() - started)
    return trainer.network.eval()
