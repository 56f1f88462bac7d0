"""Fit the classifiers to a survey's own labelled spectra, and keep what came of it only if it is better.

Simulated spectra are mixed in, as many as there are real ones: a network that sees one survey alone forgets
the rest. Every third labelled spectrum is held out and decides.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spectraq.models import shipped
from spectraq.models.classes import CLASS_OF_SUBCLASS, CLASSES
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.networks.classifier import Classifier
from spectraq.models.simulate import simulate
from spectraq.models.training.losses.classifier import classifier_loss
from spectraq.models.training.measure.accuracy import ask, figures
from spectraq.models.training.mocks.coarse_files import Truth
from spectraq.models.training.trainer import Recipe, Trainer
from spectraq.models.training.trainer import fit as run

EPOCHS = 6
LEARNING_RATE = 3e-4
MIN_SPECTRA = 60
HELD_OUT_EVERY = 3
SIMULATION_SEED = 7


def fit(
    channels: Tensor,
    truth: Truth,
    out: Path,
    report: Callable[[str], None],
    weights: Path = shipped.FOLDER,
    epochs: int = EPOCHS,
) -> dict[str, Any]:
    """Fine-tune every classifier and write a whole folder of weights.

    Parameters
    ----------
    channels
        Of the labelled spectra, shape (n, 4, N_COARSE).
    truth
        Their classes and redshifts, n rows.
    out
        Folder for the weights: the new ones where they are better, the old ones otherwise.

    Returns
    -------
    verdict
        "before" and "after" (accuracy and -ln p of the held-out spectra), "better", "spectra", "held_out".

    Raises
    ------
    ValueError
        Where there are too few spectra to learn from and to hold out.
    """
    n = len(truth)
    if n < MIN_SPECTRA:
        raise ValueError(f"{n} labelled spectra are too few to fit to; at least {MIN_SPECTRA} are needed")
    held = torch.arange(n) % HELD_OUT_EVERY == 0
    learned, targets = _mixed(channels[~held], truth[~held])
    out.mkdir(parents=True, exist_ok=True)
    _copy(sorted(weights.iterdir()), out)
    files = sorted(weights.glob("classifier-*.safetensors"))
    old = [Classifier.load(path) for path in files]
    new = [_tuned(weights, out, path.stem, learned, targets, epochs, report) for path in files]
    measured = [figures(ask(networks, [channels[held]]), truth[held]) for networks in (old, new)]
    better = _better(*measured)
    if not better:
        _copy(files, out)
    before, after = ({"class_accuracy": m["class_accuracy"], "class_nll": m["class_nll"]} for m in measured)
    return {"before": before, "after": after, "better": better, "spectra": n, "held_out": int(held.sum())}


def _copy(files: Sequence[Path], folder: Path) -> None:
    for path in files:
        shutil.copy(path, folder / path.name)


def _better(before: dict[str, float], after: dict[str, float]) -> bool:
    """Return whether no more classes are wrong and the probabilities of the right ones rose."""
    return after["class_accuracy"] >= before["class_accuracy"] and after["class_nll"] < before["class_nll"]


def _mixed(channels: Tensor, truth: Truth) -> tuple[Tensor, Truth]:
    """Add as many simulated spectra; of all, any subclass of the right class counts as right."""
    simulated = simulate(len(truth), SIMULATION_SEED)
    ready = prepare(grid_batch([spectrum.observation for spectrum in simulated]))
    spectype = torch.tensor([CLASSES.index(spectrum.spectype) for spectrum in simulated])
    z = torch.tensor([spectrum.z for spectrum in simulated], dtype=torch.float64)
    both = torch.cat([truth.spectype, spectype])
    allowed = torch.tensor(CLASS_OF_SUBCLASS)[None] == both[:, None]
    return torch.cat([channels, ready.channels]), Truth(both, torch.cat([truth.z, z]), allowed)


def _tuned(
    weights: Path,
    out: Path,
    name: str,
    channels: Tensor,
    truth: Truth,
    epochs: int,
    report: Callable[[str], None],
) -> Classifier:
    network = Classifier.read(weights / f"{name}.safetensors")
    recipe = Recipe(1, epochs, network.widths, network.hidden, batch=32, learning_rate=LEARNING_RATE)

    def loss(rows: Tensor) -> Tensor:
        return classifier_loss(network, channels, truth, rows)

    path = out / f"{name}.safetensors"
    checkpoint = out / f"{name}.checkpoint"
    trainer = Trainer(recipe, network, loss, len(channels), checkpoint)
    run(trainer, lambda: network.save(path), name)
    checkpoint.unlink()
    report(f"{name}: fitted to {len(channels)} spectra")
    return Classifier.load(path)
