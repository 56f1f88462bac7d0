"""Cards: a JSON file beside each weight file that says what it is, how it was made and how good it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from spectraq.models import shipped
from spectraq.models.classes import SUBCLASSES
from spectraq.models.networks import weightfile
from spectraq.models.networks.classifier import Classifier
from spectraq.models.training.measure.accuracy import Beliefs, ask, figures
from spectraq.models.training.measure.temperature import temperature
from spectraq.models.training.mocks.coarse_files import Truth
from spectraq.models.training.trainer import Recipe

ENSEMBLE_CARD = "classifier.json"
AGAIN = "spectraq train --data DATA --out OUT"
WHAT = {
    "classifier": "One residual network of the classifier: 18 subclasses, two redshift posteriors.",
    "encoder": "The encoder: coefficients of learned eigenspectra of each class, and 18 subclasses. "
    "It enters the fit and has no vote in the ensemble.",
    "unet": "The U-Net: the rest frame in each class, the spectrum without its noise, and 18 subclasses. "
    "It is not asked unless named.",
}
MATERIAL = [
    "redrock templates and archetypes",
    "SDSS idlspec2d eigenspectra",
    "desisim basis templates",
    "MaStar and BC03 stellar populations, MaStar hierarchical clusters",
    "PyHammer templates",
    "GaSNet-III coefficients",
    "ivar (never flux) of real SDSS, BOSS, DESI and LAMOST spectra",
]


def write(
    folder: Path,
    members: Mapping[str, Recipe],
    samples: Iterable[tuple[str, Iterable[Tensor], Truth]],
    made_of: Mapping[str, Any],
    silent: Sequence[str] = (),
) -> dict[str, Any]:
    """Measure the classifiers and write a card for each and one for the ensemble.

    Parameters
    ----------
    folder
        Holds the members' weights; the cards go there too.
    members
        How each was trained, by name.
    samples
        Name, blocks of channels and truth of what to measure on and calibrate with.
    made_of
        What the cards say of the training set.
    silent
        Members of the ensemble that do not vote.

    Returns
    -------
    card
        The ensemble's; "temperature" divides every member's subclass logits before the softmax.
    """
    networks = [Classifier.load(folder / f"{name}.safetensors") for name in members]
    believed = [(name, ask(networks, blocks), truth) for name, blocks, truth in samples]
    for index, (name, recipe) in enumerate(members.items()):
        measured = {sample: figures(b.member(index), truth) for sample, b, truth in believed}
        write_member(folder, name, recipe, made_of, measured)
    return _ensemble(folder, list(members), silent, believed, made_of)


def write_member(
    folder: Path, name: str, recipe: Recipe, made_of: Mapping[str, Any], measured: Mapping[str, Any]
) -> None:
    """Write one member's card.

    Parameters
    ----------
    measured
        Its figures by sample; none for one that does not vote, which docs/networks.md measures.
    """
    weights = folder / f"{name}.safetensors"
    card = {
        "what": WHAT.get(name, WHAT["classifier"]),
        "weights": weights.name,
        "sha256": shipped.digest_of(weights),
        "parameters": sum(t.numel() for t in weightfile.tensors_of(weights).values()),
        "recipe": asdict(recipe),
        "trained_on": dict(made_of),
        "figures": dict(measured),
        "again": AGAIN,
    }
    _write(folder / f"{name}.json", card)


def _ensemble(
    folder: Path,
    voters: list[str],
    silent: Sequence[str],
    believed: list[tuple[str, Beliefs, Truth]],
    made_of: Mapping[str, Any],
) -> dict[str, Any]:
    best = temperature([(beliefs, truth) for _, beliefs, truth in believed])
    card = {
        "what": "The members together. The mean of the voters' probabilities names the class; the encoder "
        "enters the fit.",
        "members": [*voters, *silent],
        "voters": voters,
        "subclasses": list(SUBCLASSES),
        "temperature": best,
        "trained_on": dict(made_of),
        "material": MATERIAL,
        "figures": {sample: figures(beliefs, truth, best) for sample, beliefs, truth in believed},
        "figures_of": "mocks: held out of training, faults on; labelled: real spectra, trusted labels, "
        "used to calibrate and to choose, never to train",
        "again": AGAIN,
    }
    _write(folder / ENSEMBLE_CARD, card)
    return card


def _write(path: Path, card: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(card, indent=1) + "\n")
