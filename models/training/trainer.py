"""Train one member of the ensemble on mocks, with checkpoints to go on from, at any batch."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

CHECKPOINT_EVERY_S = 120.0
MAX_GRADIENT = 5.0

Loss = Callable[[Tensor], Tensor]
"""Loss of the mocks of some rows."""
Report = Callable[[str, int, float, float], None]
"""Told name, epoch, mean loss and seconds after each epoch."""


class OutOfTime(Exception):
    """The time given to training is over; the checkpoint holds what was done."""


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


class Trainer:
    """One member on its way: network, optimiser, schedule and where they stand.

    Parameters
    ----------
    loss
        Of the rows given.
    n
        Number of mocks.
    checkpoint
        File that the state is kept in; training goes on from it where it exists.
    deadline
        `time.monotonic()` at which to stop, the checkpoint written.

    Raises
    ------
    ValueError
        Where there are fewer mocks than a batch takes, or the checkpoint is of another recipe.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        loss: Loss,
        n: int,
        checkpoint: Path,
        deadline: float = float("inf"),
    ) -> None:
        self.recipe, self.network, self.checkpoint, self.deadline = recipe, network, checkpoint, deadline
        self._loss, self._n = loss, n
        self.steps = n // recipe.batch
        if self.steps < 1:
            raise ValueError(
                f"{checkpoint.stem}: {max(n, 0)} mocks to learn from, the held-out ones left out, and a batch"
                f" takes {recipe.batch}; draw more"
            )
        self.epoch, self.step, self._total = 0, 0, 0.0
        self.optimiser = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate / 4, weight_decay=recipe.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser, recipe.learning_rate, recipe.epochs * self.steps, pct_start=0.15
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
        self.epoch, self.step, self._total = state["epoch"], state["step"], state["total"]
        torch.set_rng_state(state["rng"])

    def keep(self) -> None:
        """Write the checkpoint, whole or not at all."""
        state = {
            "recipe": str(self.recipe),
            "network": self.network.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
            "step": self.step,
            "total": self._total,
            "rng": torch.get_rng_state(),
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.rename(self.checkpoint)

    def run_epoch(self) -> float:
        """Go once through the mocks in an order of the epoch's own; returns the mean loss.

        Raises
        ------
        OutOfTime
            At the deadline.
        """
        seed = self.recipe.seed + 1000 * self.epoch
        if self.step == 0:
            # An epoch is the same whether training was interrupted before it or not.
            torch.manual_seed(seed)
        order = torch.from_numpy(np.random.default_rng(seed).permutation(self._n))
        self.network.train()
        kept = time.monotonic()
        for step in range(self.step, self.steps):
            self._take(order[step * self.recipe.batch : (step + 1) * self.recipe.batch].sort()[0])
            now = time.monotonic()
            if now > self.deadline or now - kept > CHECKPOINT_EVERY_S:
                self.keep()
                kept = now
            if now > self.deadline:
                raise OutOfTime(f"{self.checkpoint.stem}: epoch {self.epoch + 1}, batch {step + 1}")
        mean = self._total / self.steps
        self.epoch, self.step, self._total = self.epoch + 1, 0, 0.0
        return mean

    def _take(self, rows: Tensor) -> None:
        """Learn from one batch."""
        loss = self._loss(rows)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), MAX_GRADIENT)
        self.optimiser.step()
        self.schedule.step()
        self._total += float(loss.detach())
        self.step += 1


def fit(trainer: Trainer, save: Callable[[], None], name: str, report: Report = lambda *_: None) -> None:
    """Train a member to the end of its recipe.

    Parameters
    ----------
    save
        Writes the weights; called after every epoch.
    """
    while trainer.epoch < trainer.recipe.epochs:
        started = time.monotonic()
        mean_loss = trainer.run_epoch()
        trainer.keep()
        save()
        report(name, trainer.epoch, mean_loss, time.monotonic() - started)
    trainer.network.eval()
