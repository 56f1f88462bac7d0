"""Cards: a JSON file beside each weight file that says what it is, how it was made and how good it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from models import shipped
from models.classifier import SUBCLASSES, load
from models.training.calibrate import temperature
from models.training.dataset import Truth
from models.training.evaluate import Beliefs, ask, figures
from models.training.fit import Recipe

ENSEMBLE_CARD = "classifier.json"
AGAIN = "spectraq train --data DATA --out OUT"
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
) -> dict[str, Any]:
    """Measure the members and write a card for each and one for the ensemble.

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

    Returns
    -------
    card
        The ensemble's; "temperature" divides every member's subclass logits before the softmax.
    """
    networks = [load(folder / f"{name}.safetensors") for name in members]
    believed = [(name, ask(networks, blocks), truth) for name, blocks, truth in samples]
    for index, (name, recipe) in enumerate(members.items()):
        card = {
            "what": "One residual network of the classifier: 18 subclasses, two redshift posteriors.",
            "weights": f"{name}.safetensors",
            "sha256": shipped.digest_of(folder / f"{name}.safetensors"),
            "parameters": sum(p.numel() for p in networks[index].parameters()),
            "recipe": asdict(recipe),
            "trained_on": dict(made_of),
            "figures": {sample: figures(b.member(index), truth) for sample, b, truth in believed},
            "again": AGAIN,
        }
        _write(folder / f"{name}.json", card)
    return _ensemble(folder, list(members), believed, made_of)


def _ensemble(
    folder: Path, members: list[str], believed: list[tuple[str, Beliefs, Truth]], made_of: Mapping[str, Any]
) -> dict[str, Any]:
    best = temperature([(beliefs, truth) for _, beliefs, truth in believed])
    card = {
        "what": "The classifiers together: the mean of the members' probabilities.",
        "members": members,
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
