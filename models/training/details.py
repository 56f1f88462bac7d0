"""Learn details: what the few eigenspectra of a class, times a smooth response, leave of its templates.

Mocks without noise or emission lines are fitted as the best fit does; what is left, relative to the local
level, is split into its principal components. Each is kept at the size that it typically has among the mocks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from spectraq.models import shipped
from spectraq.models.classes import STAR_TYPES
from spectraq.models.final_fit.details import FILE, Details
from spectraq.models.final_fit.shapes import NARROW, level_of, running_mean
from spectraq.models.grid.axis import pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.training.eigenspectra import (
    GALAXY,
    SHARED,
    STAR_PIXELS,
    Recipe,
    amplitudes_of,
)
from spectraq.models.training.material import Family
from spectraq.models.training.mocks.noiseless import NoiselessMocks, draw_all, stars_of

SHAPES = 16
"""Of each class or type: the evidence decides how many of them a spectrum pays for."""
MOCKS = {"GALAXY": 1500, "STAR": 600}
SEED = 3
LARGEST, LARGEST_RMS = 0.6, 0.25
"""Of the level: a pixel that differs more is cut off there, a mock that differs more is left out, because a
template's end or a mismatch is no detail."""
LEAST_RMS = 0.005
"""Mocks that differ less count less."""
LINE_HALF_WIDTH = 14
"""Grid pixels around an emission line that galaxies' details leave out: lines have shapes of their own."""
SEQUENCE = ("O", "B", "A", "F", "G", "K", "M", "L")
"""Types shade into their neighbours, whose templates serve them, too."""
GALAXIES = {"galaxy_population": 2.0, "galaxy_archetype": 2.0, "galaxy_emission": 0.5}


def learn_all(families: Sequence[Family], bases: Mapping[str, Basis]) -> dict[str, Details]:
    """Return the details of galaxies and of every star type with a basis.

    Parameters
    ----------
    families
        From `material.load`.
    bases
        The eigenspectra of the best fit.
    """
    by_name = {family.name: family for family in families}
    galaxies = [(by_name[name], share) for name, share in GALAXIES.items()]
    learned = {"GALAXY": learn(bases["GALAXY"], galaxies, GALAXY, MOCKS["GALAXY"], _line_pixels(GALAXY))}
    for subtype in STAR_TYPES:
        if subtype not in SHARED:
            recipe = Recipe("STAR", {}, len(bases[subtype].flux), STAR_PIXELS, 0.0)
            learned[subtype] = learn(
                bases[subtype], stars_of(families, _neighbours(subtype)), recipe, MOCKS["STAR"]
            )
    return learned


def learn(
    basis: Basis,
    families: Sequence[tuple[Family, float]],
    recipe: Recipe,
    n: int,
    left_out: Tensor | None = None,
) -> Details:
    """Return the details that n mocks of families show beside a basis.

    Parameters
    ----------
    basis
        The eigenspectra of the best fit.
    families
        With their shares of the mocks.
    recipe
        Its class and range of rest-frame pixels.
    n
        Mocks to draw.
    left_out
        Pixels of the recipe's range without details, bool.
    """
    rng = np.random.default_rng(SEED)
    torch.manual_seed(SEED)
    mocks = draw_all(families, n, recipe.pixels, rng, with_lines=False)
    first, last = recipe.pixels
    left = _left(mocks, basis.window(first, last - first))
    if left_out is not None:
        left[:, left_out] = 0
    left = (left / level_of(mocks.flux, mocks.observed)).clamp(-LARGEST, LARGEST)
    size = left.square().mean(1).sqrt()
    normal = size < LARGEST_RMS
    left, size = left[normal], size[normal]
    components = torch.linalg.svd(left / size[:, None].clamp_min(LEAST_RMS), full_matrices=False)[2][:SHAPES]
    typical = (left @ components.T).square().mean(0).sqrt()
    return Details(components * typical[:, None], first)


def _left(mocks: NoiselessMocks, shapes: Tensor) -> Tensor:
    """Return what a basis leaves of mocks once their continuum is the fit's, (n, L); zero where not observed.

    Parameters
    ----------
    shapes
        The basis on the mocks' pixels, (K, L).
    """
    flux, known = mocks.flux, mocks.observed
    fitted = amplitudes_of(flux, known, shapes) @ shapes
    level = running_mean(fitted, known)
    level = torch.where(level.abs() < 1e-3, torch.full_like(level, 1e-3), level)
    left = (flux - fitted * (running_mean(flux, known) / level).clamp(0.2, 5)) * known
    return (left - running_mean(left, known)) * known


def save(details: Mapping[str, Details], folder: Path) -> None:
    """Write the details in half precision, and their card."""
    tensors = {name: own.shapes.half().contiguous() for name, own in details.items()}
    first = json.dumps({name: own.first for name, own in details.items()})
    save_file(tensors, folder / FILE, metadata={"format": "spectraq.details.1", "first": first})
    (folder / FILE).chmod(0o644)  # safetensors writes for its owner alone
    card = {
        "what": "What eigenspectra leave of the templates of galaxies and star types, as fractions of the "
        "local level, each of its typical size; pixel i is log10(vacuum angstrom) = 3.5563 + 1e-4 i.",
        "learned_from": {"GALAXY": GALAXIES, "STAR": "every star family of the type and its neighbours"},
        "shapes": {name: len(own.shapes) for name, own in details.items()},
        "sha256": shipped.digest_of(folder / FILE),
        "made_with": {"seed": SEED, "mocks": MOCKS},
        "again": "spectraq train --only details",
    }
    (folder / FILE).with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")


def _neighbours(subtype: str) -> set[str]:
    """Return a star type with those beside it in the sequence."""
    if subtype not in SEQUENCE:
        return {subtype}
    place = SEQUENCE.index(subtype)
    return set(SEQUENCE[max(place - 1, 0) : place + 2])


def _line_pixels(recipe: Recipe) -> Tensor:
    """Mark the pixels of a recipe's range that emission lines fill."""
    first, last = recipe.pixels
    pixel = torch.arange(first, last, dtype=torch.float64)
    centres = pixel_of(torch.tensor([wavelength(name) for name in NARROW], dtype=torch.float64))
    return ((pixel[:, None] - centres).abs() <= LINE_HALF_WIDTH).any(1)
