"""Both spectra of a pair on a coarse grid, to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.change.epoch import Floats
from spectraq.models.change.pair import Pair
from spectraq.models.grid.axis import DLOGLAM, N_PIXELS, loglam_of

BIN = 16
"""Pixels of the common grid in one of the cut-out's: narrow lines are still seen."""


@dataclass(frozen=True, slots=True)
class PairCutout:
    """Flux in the newer spectrum's own unit, shape (m,) each; NaN where nothing good is in common."""

    loglam0: float
    dloglam: float
    newer: NDArray[np.float32]
    newer_sigma: NDArray[np.float32]
    earlier: NDArray[np.float32]
    earlier_sigma: NDArray[np.float32]


def cutout(pair: Pair) -> PairCutout:
    """Return a pair as it was compared: the earlier times the response that brings it to the newer."""
    used, scale = pair.used, pair.newer.scale
    bins = np.flatnonzero(used.reshape(-1, BIN).any(axis=1))
    part = slice(bins[0], bins[-1] + 1)
    newer = _binned(pair.newer.flux * scale, pair.newer.ivar / scale**2, used)
    response = pair.response * scale
    earlier = _binned(
        pair.earlier.flux * response, pair.earlier.ivar / np.where(used, response, 1.0) ** 2, used
    )
    centre = float(loglam_of(bins[0] * BIN + (BIN - 1) / 2))
    return PairCutout(
        centre, BIN * DLOGLAM, newer[0][part], newer[1][part], earlier[0][part], earlier[1][part]
    )


def _binned(
    flux: Floats, ivar: Floats, used: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    weight = np.where(used, ivar, 0.0).reshape(N_PIXELS // BIN, BIN)
    total = weight.sum(1)
    seen = total > 0
    mean = (weight * np.where(used, flux, 0.0).reshape(weight.shape)).sum(1) / np.where(seen, total, 1.0)
    sigma = 1 / np.sqrt(np.where(seen, total, 1.0))
    return (
        np.where(seen, mean, np.nan).astype(np.float32),
        np.where(seen, sigma, np.nan).astype(np.float32),
    )
