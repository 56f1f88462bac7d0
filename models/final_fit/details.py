"""What the few eigenspectra of a class leave of its templates: finer shapes, relative to the local level."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from spectraq.models import shipped

FILE = "details.safetensors"


@dataclass(frozen=True, slots=True)
class Details:
    """The detail shapes of a class or star type.

    Attributes
    ----------
    shapes
        Fractions of the local level at rest, each of the typical size that templates show; shape (K, L).
    first
        Grid pixel of element 0 of `shapes` at redshift zero.
    """

    shapes: Tensor
    first: int


def details_of(details: Mapping[str, Details], spectype: str, subtype: str) -> Details | None:
    """Return the details of a class or star type; O stars have those of B stars, as they have their basis."""
    if spectype != "STAR":
        return details.get(spectype)
    return details.get(subtype, details.get("B"))


def load(folder: Path = shipped.FOLDER) -> dict[str, Details]:
    """Return the details of every class and star type that has some, by name.

    Raises
    ------
    spectraq.models.shipped.MissingWeightsError
        Where the file is not there.
    """
    from safetensors import safe_open

    with safe_open(shipped.required(folder, FILE)[0], framework="pt") as file:
        first = json.loads(file.metadata()["first"])
        return {name: Details(file.get_tensor(name).float(), first[name]) for name in first}
