"""Learn spectraq's eigenspectra: the few directions along which noiseless mocks of one class differ.

Mocks of a class's template families are laid on one range of rest-frame pixels. Families reach different
wavelengths, so what one lacks is filled with the current eigenspectra's own fit, again and again (EM-PCA,
Bailey 2012). Components are ranked by the mocks with most of their smooth part taken off, because the
continuum polynomial of the scan takes that part anyhow: more of the few components go to lines and breaks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch.nn.functional import pad

from spectraq.models import shipped
from spectraq.models.classes import STAR_TYPES
from spectraq.models.redshift.eigenspectra import FILE, Basis
from spectraq.models.training.material import Family
from spectraq.models.training.mocks.noiseless import draw_all, stars_of, together

SMOOTH_PIXELS = 301
"""Width of the running mean that counts as smooth: far wider than a broad line's core."""
ITERATIONS = 12
"""Rounds of filling in; the fill moves by less than 0.1 % after ten."""
EXAMPLES = 600
"""Amplitudes shipped with the bases of galaxies and quasars to simulate from; star types get a tenth."""


@dataclass(frozen=True)
class Recipe:
    """What one basis is learned from.

    Parameters
    ----------
    families
        Names of families and their shares of the mocks.
    k
        Number of eigenspectra.
    pixels
        First grid pixel, and the one after the last, at rest.
    detail
        Fraction of the running mean taken off before components are ranked.
    others, more
        Families, and how many further eigenspectra are learned from what the first k leave of them. They
        come after the k that place the redshift within a pixel.
    """

    spectype: str
    families: Mapping[str, float]
    k: int
    pixels: tuple[int, int]
    detail: float
    others: Mapping[str, float] = field(default_factory=dict)
    more: int = 0


GALAXY = Recipe(
    "GALAXY",
    {"galaxy_sdss": 1},
    4,
    (-4860, 4650),
    0.7,
    {"galaxy_archetype": 2, "galaxy_emission": 0.5},
    1,
)
QSO = Recipe("QSO", {"qso_sdss": 4, "qso_archetype": 0.5}, 4, (-9040, 4640), 0.9)
STAR_PIXELS = (-60, 4670)
STAR_COMPONENTS = {"L": 4, "CARBON": 4, "CV": 4}
SHARED = {"O": "B"}
"""Star types too rare in the libraries for a basis of their own, and whose they use."""


def learn_all(families: Sequence[Family], n: int = 1500, seed: int = 1) -> dict[str, Basis]:
    """Return every basis, by name.

    Parameters
    ----------
    families
        From `material.load`.
    n
        Mocks a basis.
    """
    by_name = {family.name: family for family in families}
    bases = {}
    for name, recipe in (("GALAXY", GALAXY), ("QSO", QSO)):
        chosen = [(by_name[family], share) for family, share in recipe.families.items()]
        others = [(by_name[family], share) for family, share in recipe.others.items()]
        bases[name] = learn(recipe, "", chosen, n, EXAMPLES, seed, others)
    for subtype in STAR_TYPES:
        if subtype in SHARED:
            continue
        wanted = {subtype, *(rare for rare, host in SHARED.items() if host == subtype)}
        stars = stars_of(families, wanted)
        recipe = Recipe("STAR", {}, STAR_COMPONENTS.get(subtype, 5), STAR_PIXELS, 0.7)
        bases[subtype] = learn(recipe, subtype, stars, n // 3, EXAMPLES // 10, seed)
    return bases


def learn(
    recipe: Recipe,
    subtype: str,
    families: Sequence[tuple[Family, float]],
    n: int,
    examples: int,
    seed: int,
    others: Sequence[tuple[Family, float]] = (),
) -> Basis:
    """Return the basis of n noiseless mocks; what follows the first k is of as many of other families."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    drawn = draw_all(families, n, recipe.pixels, rng)
    basis = _eigenspectra(drawn.flux, drawn.observed, recipe.k, recipe.detail)
    if others:
        rest = draw_all(others, n, recipe.pixels, rng)
        left = (rest.flux - amplitudes_of(rest.flux, rest.observed, basis) @ basis) * rest.observed
        basis = torch.cat([basis, _eigenspectra(left, rest.observed, recipe.more, recipe.detail)])
        drawn = together([drawn, rest])
    flux, observed, labels, z = drawn.flux, drawn.observed, drawn.labels, drawn.z
    amplitudes = amplitudes_of(flux, observed, basis)
    # Mocks that do not reach far enough have amplitudes that mean little outside what they cover.
    whole = torch.nonzero(observed.float().mean(1) > 0.75)[:, 0].numpy()
    rows = rng.choice(whole, min(examples, whole.size), replace=False)
    return Basis(
        spectype=recipe.spectype,
        subtype=subtype,
        flux=basis,
        first=recipe.pixels[0],
        amplitudes=amplitudes[torch.from_numpy(rows)],
        z=torch.from_numpy(z[rows]).float(),
        labels=tuple(labels[row] for row in rows),
        leading=recipe.k,
    )


def _detail(flux: torch.Tensor, fraction: float) -> torch.Tensor:
    half = SMOOTH_PIXELS // 2
    longer = pad(flux[:, None], (half, half), mode="replicate")[:, 0]
    total = pad(longer.double().cumsum(1), (1, 0))
    smooth = (total[:, SMOOTH_PIXELS:] - total[:, :-SMOOTH_PIXELS]) / SMOOTH_PIXELS
    return flux - fraction * smooth.float()


def amplitudes_of(flux: torch.Tensor, observed: torch.Tensor, basis: torch.Tensor) -> torch.Tensor:
    """Return the least-squares amplitudes over the observed pixels, shape (n, K)."""
    weight = observed.double()
    wide = basis.double()
    k = len(basis)
    products = (wide[:, None] * wide[None]).flatten(0, 1)  # (K * K, L)
    normal = (weight @ products.T).view(-1, k, k)
    vector = (weight * flux) @ wide.T
    ridge = 1e-8 * torch.eye(k) * normal.diagonal(dim1=1, dim2=2).mean(1)[:, None, None]
    solved: torch.Tensor = torch.linalg.solve(normal + ridge, vector)
    return solved.float()


def _eigenspectra(flux: torch.Tensor, observed: torch.Tensor, k: int, detail: float) -> torch.Tensor:
    """Return the eigenspectra of unit mean square over all pixels, shape (k, L)."""
    mean = (flux * observed).sum(0) / observed.sum(0).clamp_min(1)
    filled = torch.where(observed, flux, mean)
    complete = bool(observed.all())
    for _ in range(1 if complete else ITERATIONS):
        left = torch.svd_lowrank(_detail(filled, detail), q=k + 4, niter=3)[0][:, :k]
        basis = left.T @ filled  # (k, L): the same combinations of mocks, continuum and all
        if not complete:
            filled = torch.where(observed, flux, amplitudes_of(flux, observed, basis) @ basis)
    return basis / basis.square().mean(1, keepdim=True).sqrt()


def save(bases: Mapping[str, Basis], folder: Path, made_with: Mapping[str, object]) -> None:
    """Write the bases and their card.

    Parameters
    ----------
    made_with
        What the card says of the making: seed, number of mocks.
    """
    _save_bases(bases, folder / FILE)
    card = {
        "what": "Rest-frame eigenspectra of galaxies, quasars and star types; unit mean square; "
        "pixel i is log10(vacuum angstrom) = 3.5563 + 1e-4 i.",
        "learned_from": {
            "GALAXY": dict(GALAXY.families),
            "GALAXY, after the leading ones": dict(GALAXY.others),
            "QSO": dict(QSO.families),
            "STAR": "every star family",
        },
        "eigenspectra": {name: len(basis.flux) for name, basis in bases.items()},
        "sha256": shipped.digest_of(folder / FILE),
        "made_with": dict(made_with),
        "again": "spectraq train --only eigenspectra",
    }
    (folder / FILE).with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")


def _save_bases(bases: Mapping[str, Basis], path: Path) -> None:
    tensors, about = {}, {}
    for name, basis in bases.items():
        labels = sorted(set(basis.labels))
        tensors[f"{name}.flux"] = basis.flux.contiguous()
        tensors[f"{name}.amplitudes"] = basis.amplitudes.contiguous()
        tensors[f"{name}.z"] = basis.z.contiguous()
        tensors[f"{name}.label"] = torch.tensor([labels.index(label) for label in basis.labels])
        about[name] = {
            "spectype": basis.spectype,
            "subtype": basis.subtype,
            "first": basis.first,
            "labels": labels,
            "leading": basis.leading,
        }
    save_file(tensors, path, metadata={"format": "spectraq.eigenspectra.1", "bases": json.dumps(about)})
    path.chmod(0o644)  # safetensors writes for its owner alone
