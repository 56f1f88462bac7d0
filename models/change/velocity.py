"""How far a spectrum moved: the pair's cross-correlation at whole pixels, and its derivative between them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectraq.models.change.epoch import Epoch, Floats
from spectraq.models.change.narrow_lines import running_mean
from spectraq.models.change.pair import Pair, paired
from spectraq.models.change.response import Calibration
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS

MOST_PIXELS = 30
"""Lags that are tried: 2070 km/s."""
NEAR_PIXELS = 0.75
"""Beyond, the pair is laid over again at the nearest whole pixel."""
LEAST_GAIN = 16.0
"""Of chi2, which another lag must gain."""


@dataclass(frozen=True, slots=True)
class Shift:
    """The newer's velocity less the earlier's."""

    km_s: float
    error_km_s: float  # one standard deviation, of noise and response
    pair: Pair  # laid over at the nearest whole pixel


def shift(
    earlier: Epoch, newer: Epoch, pair: Pair, calibration: Calibration, light: Floats | None = None
) -> Shift:
    """Return how far the newer spectrum lies to the red of the earlier one."""
    lag = _whole_lag(pair)
    if lag:
        rolled = _rolled(earlier, lag)
        moved = paired(rolled, newer, calibration, light)
        gain = float((pair.left**2 * pair.weight).sum() - (moved.left**2 * moved.weight).sum())
        if gain < LEAST_GAIN:
            lag, moved = 0, pair
    else:
        moved = pair
    size, error = moved.amplitudes(_derivative(moved)[None])
    pixels = float(size[0])
    return Shift((lag + pixels) * KM_S_PER_PIXEL, float(error[0]) * KM_S_PER_PIXEL, moved)


def _derivative(pair: Pair) -> Floats:
    """Return what a pixel to the red adds to what is left."""
    model = pair.reference * pair.response
    slope = -np.gradient(model)
    edge = (pair.reference == 0) | (np.roll(pair.reference, 1) == 0) | (np.roll(pair.reference, -1) == 0)
    return np.where(edge, 0.0, slope)


def _whole_lag(pair: Pair) -> int:
    """Return the whole pixels by which the newer lies to the red."""
    error = np.sqrt(np.where(pair.used, pair.weight, 0.0))
    a = _detail(pair.response * pair.earlier.model, pair)
    b = _detail(pair.newer.model, pair)
    weight = error**2
    best, most = 0, -np.inf
    for lag in range(-MOST_PIXELS, MOST_PIXELS + 1):
        rolled = np.roll(a, lag)
        inner = slice(MOST_PIXELS, N_PIXELS - MOST_PIXELS)
        value = -float((weight[inner] * (b[inner] - rolled[inner]) ** 2).sum())
        if value > most:
            best, most = lag, value
    return best


def _detail(model: Floats, pair: Pair) -> Floats:
    return np.where(pair.used, model - running_mean(model, pair.used.astype(np.float64)), 0.0)


def _rolled(epoch: Epoch, lag: int) -> Epoch:
    flux, ivar, model = (np.roll(values, lag) for values in (epoch.flux, epoch.ivar, epoch.model))
    end = slice(0, lag) if lag > 0 else slice(N_PIXELS + lag, N_PIXELS)
    ivar[end] = 0.0
    model[end] = 0.0
    return replace(epoch, flux=flux, ivar=ivar, model=model)
