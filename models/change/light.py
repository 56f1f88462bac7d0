"""Light that came or went beside the object: supernovae of known type and phase, and blue continua."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.change.epoch import Floats
from spectraq.models.change.pair import Pair
from spectraq.models.change.response import TERMS
from spectraq.models.grid.axis import N_COARSE, REBIN, WAVELENGTH, lag_of

TEMPERATURES = (12_000.0, 20_000.0, 35_000.0)
"""Kelvin: of tidal disruptions and of young supernovae of type II."""
PLANCK_ANGSTROM = 1.4388e8
"""h c / k in angstrom kelvin."""
SLOPE = -1.5
"""Of a quasar's continuum that comes or goes: flux per angstrom as wavelength to this power."""
LEAST_COVERED = 0.5
"""Of the overlap that a template must reach."""


@dataclass(frozen=True, slots=True)
class KnownSupernova:
    """An observed supernova as a sum of the eigenspectra."""

    name: str
    type: str  # "Ia", "II"
    phase: float  # days from maximum light; of type II from explosion where the maximum isn't known
    coefficients: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class AddedLight:
    """The light that explains most of what is left."""

    strength: float  # in sigma, positive where the newer has it; zero where nothing is sought
    name: str  # type of the supernova, or "blue continuum"
    phase: float | None
    fraction: float  # of the newer's median flux


NOTHING = AddedLight(0.0, "", None, 0.0)
BLUE = "blue continuum"


def supernova_light(pair: Pair, z: float, shapes: Supernovae, known: Sequence[KnownSupernova]) -> AddedLight:
    """Return the supernova that fits best what came or went."""
    rows, which = supernova_rows(pair, z, shapes, known)
    return _best(pair, rows, [(one.type, one.phase) for one in which])


def supernova_rows(
    pair: Pair, z: float, shapes: Supernovae, known: Sequence[KnownSupernova]
) -> tuple[Floats, list[KnownSupernova]]:
    """Return supernovae at a redshift that reach enough of the overlap, of median one, (n, N_PIXELS)."""
    lag = round(float(lag_of(z)) / REBIN)
    index = np.arange(N_COARSE) - lag - shapes.first
    inside = (index >= 0) & (index < shapes.flux.shape[1])
    basis = shapes.flux.double().numpy()[:, index.clip(0, shapes.flux.shape[1] - 1)] * inside
    rows, which = [], []
    for one in known:
        light = np.interp(
            np.arange(N_COARSE * REBIN),
            np.arange(N_COARSE) * REBIN + (REBIN - 1) / 2,
            np.array(one.coefficients) @ basis,
        )
        seen = pair.used & (light > 0)
        if seen.sum() > LEAST_COVERED * pair.used.sum():
            rows.append(light.clip(0) / np.median(light[seen]))
            which.append(one)
    return np.array(rows).reshape(-1, N_COARSE * REBIN), which


def blue_light(pair: Pair, z: float) -> AddedLight:
    """Return the black body that fits best what came or went."""
    rows = []
    for temperature in TEMPERATURES:
        light = _black_body(round(temperature), round(z, 2))
        rows.append(light / np.median(light[pair.used]))
    return _best(pair, np.array(rows), [(f"{t:.0f} K", None) for t in TEMPERATURES])


@lru_cache(maxsize=1)
def power_law() -> Floats:
    """Return a quasar's continuum that comes or goes, (N_PIXELS,)."""
    return np.asarray((WAVELENGTH / 5000) ** SLOPE)


def continuum(pair: Pair) -> AddedLight:
    """Return how much of a blue continuum came or went: of quasars, what the pair has free already."""
    if len(pair.prior) > TERMS:
        error = float(np.sqrt(pair.inverse[-1, -1]))
        return AddedLight(pair.light / error, BLUE, None, pair.light)
    light = power_law()
    return _best(pair, (light / np.median(light[pair.used]))[None], [(BLUE, None)])


@lru_cache(maxsize=64)
def _black_body(temperature: int, z: float) -> Floats:
    rest = WAVELENGTH / (1 + z)
    return np.asarray((5000 / rest) ** 5 / np.expm1(PLANCK_ANGSTROM / (rest * temperature)))


def _best(pair: Pair, rows: Floats, names: Sequence[tuple[str, float | None]]) -> AddedLight:
    if not len(rows):
        return NOTHING
    size, error = pair.amplitudes(rows)
    ratio = np.where(np.isfinite(error), size / error, 0.0)
    best = int(np.abs(ratio).argmax())
    name, phase = names[best]
    return AddedLight(float(ratio[best]), name, phase, float(size[best]))
