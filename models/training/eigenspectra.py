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
from spectraq.models.classes import GALAXY_TYPES, STAR_TYPES, SUBCLASSES
from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.redshift.eigenspectra import FILE, Basis
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import galaxies, lines, quasars
from spectraq.models.training.mocks.rest import blurred, mixed

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
    """Learn every basis.

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
    """Learn one basis from n noiseless mocks, and as many of other families for what follows the first k."""
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    drawn = draw_all(families, n, recipe, rng)
    basis = _eigenspectra(drawn.flux, drawn.observed, recipe.k, recipe.detail)
    if others:
        rest = draw_all(others, n, recipe, rng)
        left = (rest.flux - amplitudes_of(rest.flux, rest.observed, basis) @ basis) * rest.observed
        basis = torch.cat([basis, _eigenspectra(left, rest.observed, recipe.more, recipe.detail)])
        drawn = _together([drawn, rest])
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


@dataclass(frozen=True)
class NoiselessMocks:
    """Mocks on a recipe's pixels."""

    flux: torch.Tensor  # (n, L), zero where not observed
    observed: torch.Tensor  # (n, L) bool
    labels: list[str]
    z: np.ndarray[tuple[int], np.dtype[np.float64]]  # (n,)


def draw_all(
    families: Sequence[tuple[Family, float]],
    n: int,
    recipe: Recipe,
    rng: np.random.Generator,
    with_lines: bool = True,
) -> NoiselessMocks:
    """Return n mocks of families by their shares; emission lines are painted on galaxies that lack them."""
    total = sum(share for _, share in families)
    return _together(
        [
            _draw(family, max(8, round(n * share / total)), recipe, rng, with_lines)
            for family, share in families
        ]
    )


def _together(parts: Sequence[NoiselessMocks]) -> NoiselessMocks:
    return NoiselessMocks(
        torch.cat([mocks.flux for mocks in parts]),
        torch.cat([mocks.observed for mocks in parts]),
        [label for mocks in parts for label in mocks.labels],
        np.concatenate([mocks.z for mocks in parts]),
    )


def stars_of(families: Sequence[Family], subtypes: set[str]) -> list[tuple[Family, float]]:
    """Return the families' stars of some types, with their shares of the mocks."""
    return [(stars, stars.weight) for family in families if (stars := _only(family, subtypes)) is not None]


def _only(family: Family, labels: set[str]) -> Family | None:
    """Return the family's objects of some labels, if it has any."""
    rows = [row for row, label in enumerate(family.labels) if label in labels]
    if not rows or family.spectype != "STAR":
        return None
    names = tuple(family.labels[row] for row in rows)
    share = len(rows) / len(family.labels)
    kept = family.coefficients[rows]
    return Family(
        family.name, "STAR", family.basis, family.first_pixel, kept, names,
        weight=family.weight * share, resolution_pending=family.resolution_pending,
    )  # fmt: skip


def _draw(
    family: Family, n: int, recipe: Recipe, rng: np.random.Generator, with_lines: bool
) -> NoiselessMocks:
    """Draw noiseless mocks of a family on the recipe's pixels."""
    rows = rng.integers(0, len(family.labels), n)
    flux = mixed(family, rows, rng)
    if family.resolution_pending:
        stellar = np.clip(np.exp(rng.normal(np.log(140), 0.35, n)), 50, 350) / KM_S_PER_PIXEL
        flux = blurred(
            flux, np.hypot(stellar, 0.8) if recipe.spectype == "GALAXY" else rng.uniform(0.6, 1.2, n)
        )
    labels = [family.labels[row] for row in rows]
    if recipe.spectype == "GALAXY":
        if with_lines:
            flux, labels = _with_lines(flux, family, rng)
        z = galaxies.redshifts(family, rows, rng)
    elif recipe.spectype == "QSO":
        z = quasars.redshifts(family, rows, rng)
        labels = [
            "QSOLOWZ" if label == "QSO" and redshift < quasars.LOW_Z else label
            for label, redshift in zip(labels, z, strict=True)
        ]
    else:
        z = rng.normal(0, 2.6e-4, n)
    low, high = recipe.pixels
    out = torch.zeros(n, high - low)
    start, stop = max(low, family.first_pixel), min(high, family.first_pixel + flux.shape[1])
    out[:, start - low : stop - low] = flux[:, start - family.first_pixel : stop - family.first_pixel]
    observed = out != 0  # libraries mark what they did not observe with zeros
    level = (out.abs().sum(1) / observed.sum(1).clamp_min(1))[:, None]
    return NoiselessMocks(out / level.clamp_min(1e-20), observed, labels, z)


def _with_lines(
    flux: torch.Tensor, family: Family, rng: np.random.Generator
) -> tuple[torch.Tensor, list[str]]:
    """Paint emission lines on galaxies of families that lack them; name the subclass where it is certain."""
    if family.name in galaxies.KIND_SHARES:
        kind = rng.choice(4, len(flux), p=galaxies.KIND_SHARES[family.name])
        widths, _ = lines.draw_strengths(kind, rng)
        velocity = rng.uniform(60, 200, len(flux)) / KM_S_PER_PIXEL
        flux = lines.paint(
            flux, family.first_pixel, widths, torch.from_numpy(np.hypot(velocity, 0.8)).float()
        )
        return flux, [GALAXY_TYPES[index] for index in kind]
    allowed = galaxies.allowed_by_measure(flux, family.first_pixel)
    labels = [SUBCLASSES[int(row.argmax())] if row.sum() == 1 else "" for row in allowed]
    return flux, labels


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
    save_file(
        tensors, folder / FILE, metadata={"format": "spectraq.eigenspectra.1", "bases": json.dumps(about)}
    )
    (folder / FILE).chmod(0o644)  # safetensors writes for its owner alone
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
