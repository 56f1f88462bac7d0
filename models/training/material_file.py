"""All that mocks are made of in one small file: training then needs torch and numpy alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.training.material.family import Family
from spectraq.models.training.mocks.surveys import NoiseShapes

ARRAYS = ("basis", "coefficients", "z")
"""What of a family is arrays; the rest is kept as JSON."""


@dataclass(frozen=True)
class Material:
    """Templates, noise and sky."""

    families: list[Family]
    shapes: NoiseShapes
    sky: torch.Tensor  # (N_PIXELS,)
    supernovae: NDArray[np.float64]  # (n, L) from `supernovae.read`


def save(
    families: Sequence[Family],
    shapes: NoiseShapes,
    sky: torch.Tensor,
    supernovae: NDArray[np.float64],
    path: Path,
) -> None:
    """Write the material, whole or not at all; arrays in half precision, about 15 MB."""
    arrays: dict[str, Any] = {"sky": sky.numpy(), "supernovae": supernovae.astype(np.float32)}
    about = []
    for number, family in enumerate(families):
        rest = {f.name: getattr(family, f.name) for f in fields(family) if f.name not in ARRAYS}
        rest["unit"] = float(np.abs(family.basis).max())
        about.append(rest)
        arrays[f"{number}.basis"] = (family.basis / rest["unit"]).astype(np.float16)
        arrays[f"{number}.coefficients"] = family.coefficients.astype(np.float32)
        if family.z is not None:
            arrays[f"{number}.z"] = family.z
    for survey, sigma in shapes.sigma.items():
        arrays[f"sigma.{survey}"] = sigma.numpy().astype(np.float16)
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, about=json.dumps(about), **arrays)
    partial.rename(path)


def load(path: Path) -> Material:
    """Read what `save` wrote.

    Raises
    ------
    FileNotFoundError
        Where it was not packed yet.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no packed material; make it with `spectraq train --only pack`")
    with np.load(path) as archive:
        families = [
            _family(number, rest, archive) for number, rest in enumerate(json.loads(str(archive["about"])))
        ]
        names = [name for name in archive.files if name.startswith("sigma.")]
        shapes = {
            name.removeprefix("sigma."): torch.from_numpy(archive[name].astype(np.float32)) for name in names
        }
        sky = torch.from_numpy(archive["sky"])
        return Material(families, NoiseShapes(shapes), sky, archive["supernovae"].astype(np.float64))


def _family(number: int, rest: dict[str, Any], archive: Any) -> Family:
    unit, labels = rest.pop("unit"), tuple(rest.pop("labels"))
    basis = archive[f"{number}.basis"].astype(np.float32) * np.float32(unit)
    z = archive[f"{number}.z"] if f"{number}.z" in archive.files else None
    return Family(**rest, basis=basis, coefficients=archive[f"{number}.coefficients"], z=z, labels=labels)
