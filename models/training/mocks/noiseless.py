"""Mocks without noise on a range of rest-frame pixels: what eigenspectra and details are learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from spectraq.models.classes import GALAXY_TYPES, SUBCLASSES
from spectraq.models.grid.axis import KM_S_PER_PIXEL
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import galaxies, lines, quasars
from spectraq.models.training.mocks.rest import blurred, mixed


@dataclass(frozen=True)
class NoiselessMocks:
    """Mocks on a range of L rest-frame pixels; n rows."""

    flux: torch.Tensor  # (n, L), zero where not observed
    observed: torch.Tensor  # (n, L) bool
    labels: list[str]
    z: np.ndarray[tuple[int], np.dtype[np.float64]]  # (n,)


def draw_all(
    families: Sequence[tuple[Family, float]],
    n: int,
    pixels: tuple[int, int],
    rng: np.random.Generator,
    with_lines: bool = True,
) -> NoiselessMocks:
    """Return about n mocks of families by their shares.

    Parameters
    ----------
    families
        With their shares of the mocks.
    pixels
        First grid pixel, and the one after the last, at rest.
    with_lines
        Whether emission lines are painted on galaxies that lack them.
    """
    total = sum(share for _, share in families)
    return together(
        [
            _draw(family, max(8, round(n * share / total)), pixels, rng, with_lines)
            for family, share in families
        ]
    )


def together(parts: Sequence[NoiselessMocks]) -> NoiselessMocks:
    """Return the mocks of all parts, one part after another."""
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
    family: Family, n: int, pixels: tuple[int, int], rng: np.random.Generator, with_lines: bool
) -> NoiselessMocks:
    """Return noiseless mocks of a family."""
    rows = rng.integers(0, len(family.labels), n)
    flux = mixed(family, rows, rng)
    if family.resolution_pending:
        stellar = np.clip(np.exp(rng.normal(np.log(140), 0.35, n)), 50, 350) / KM_S_PER_PIXEL
        flux = blurred(
            flux, np.hypot(stellar, 0.8) if family.spectype == "GALAXY" else rng.uniform(0.6, 1.2, n)
        )
    labels = [family.labels[row] for row in rows]
    if family.spectype == "GALAXY":
        if with_lines:
            flux, labels = _with_lines(flux, family, rng)
        z = galaxies.redshifts(family, rows, rng)
    elif family.spectype == "QSO":
        z = quasars.redshifts(family, rows, rng)
        labels = [
            "QSOLOWZ" if label == "QSO" and redshift < quasars.LOW_Z else label
            for label, redshift in zip(labels, z, strict=True)
        ]
    else:
        z = rng.normal(0, 2.6e-4, n)
    low, high = pixels
    out = torch.zeros(n, high - low)
    start, stop = max(low, family.first_pixel), min(high, family.first_pixel + flux.shape[1])
    out[:, start - low : stop - low] = flux[:, start - family.first_pixel : stop - family.first_pixel]
    observed = out != 0  # libraries mark what they did not observe with zeros
    level = (out.abs().sum(1) / observed.sum(1).clamp_min(1))[:, None]
    return NoiselessMocks(out / level.clamp_min(1e-20), observed, labels, z)


def _with_lines(
    flux: torch.Tensor, family: Family, rng: np.random.Generator
) -> tuple[torch.Tensor, list[str]]:
    """Return galaxies with lines where their family lacks them, and the subclass where it is certain."""
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
