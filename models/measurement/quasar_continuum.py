"""What quasars' lines stand on: a power law that may bend, Fe II, Balmer continuum, light of the host."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH, pixel_of
from spectraq.models.lines import IRON_BLENDS
from spectraq.models.measurement.ground import Base
from spectraq.models.measurement.populations import Populations, blur_of
from spectraq.models.measurement.rest_frame import REST, gaussians, within_grid
from spectraq.models.measurement.stellar_continuum import polynomials
from spectraq.models.measurement.target import Floats, Target

WINDOWS = (
    (1275.0, 1290.0), (1315.0, 1330.0), (1350.0, 1365.0), (1445.0, 1470.0), (1690.0, 1705.0),
    (1770.0, 1810.0), (1970.0, 2100.0), (2155.0, 2400.0), (2480.0, 2675.0), (2925.0, 3400.0),
    (3500.0, 3700.0), (3900.0, 4050.0), (4150.0, 4250.0), (4430.0, 4650.0), (5080.0, 5500.0),
    (5600.0, 5800.0), (6000.0, 6250.0), (6800.0, 7000.0), (7150.0, 8200.0), (8600.0, 10000.0),
)  # fmt: skip
"""Stretches of the rest frame without strong lines, vacuum angstrom (after Shen et al. 2011)."""
BEND_TERMS = 5
BEND_SIZE = 0.25
"""Prior standard deviation of the bends, of the power law."""
IRON_KM_S = 1800.0
IRON_SIZE = 0.15
BALMER_EDGE = 3646.0
BALMER_SIZE = 0.15
BALMER_KELVIN = 15000.0
HOST_BELOW_Z = 0.9
HOST_SHAPES = 4
HOST_SIZE = 0.5
HOST_DISPERSION = 150.0
FOREST_ANGSTROM = 1205.0
"""Shortward nothing is fitted: the Lyman alpha forest leaves no continuum."""
LEAST_PIXELS = 60
BLOCK_PIXELS = 40
"""Of whose medians the power law is made."""
LOG_GRID = np.log(WAVELENGTH)


@dataclass(frozen=True, slots=True)
class QuasarContinuum:
    """The continuum, and the power law in it.

    Attributes
    ----------
    base
        Of level zero: all of it is linear.
    n_power_law
        So many of the first shapes are the power law and its bends; iron, Balmer continuum and host follow.
    n_iron
        So many of these are iron.
    """

    base: Base
    n_power_law: int
    n_iron: int


def quasar_continuum(target: Target, populations: Populations) -> QuasarContinuum:
    """Return what the lines of a quasar stand on; its level is zero, and all of it linear."""
    used, start = target.used, _power_law(target)
    iron = _iron(target)
    factors = [polynomials(used, BEND_TERMS), iron]
    precision = [np.full(BEND_TERMS, 1 / BEND_SIZE**2), np.full(len(iron), 1 / IRON_SIZE**2)]
    precision[0][0] = 1e-12
    edge = slice(*(min(max(round(target.place(rest)), 0), N_PIXELS) for rest in (2000.0, BALMER_EDGE)))
    if used[edge].sum() > LEAST_PIXELS:
        at_3000 = start[min(max(round(target.place(3000.0)), 0), N_PIXELS - 1)]
        factors.append(_balmer()[within_grid(target.lag)] * (at_3000 / start)[None])
        precision.append(np.array([1 / BALMER_SIZE**2]))
    shapes = [np.concatenate(factors) * start]
    if target.z < HOST_BELOW_Z:
        host, _ = populations.at(target.lag, blur_of(HOST_DISPERSION, target.spread(5000.0)), HOST_SHAPES)
        shapes.append(host * float(np.median(start[used])))
        precision.append(np.full(1 + HOST_SHAPES, 1 / HOST_SIZE**2))
    stacked = np.concatenate(shapes) if len(shapes) > 1 else shapes[0]
    zero = np.zeros(len(stacked))
    base = Base(np.zeros(N_PIXELS), stacked, np.concatenate(precision), zero)
    return QuasarContinuum(base, BEND_TERMS, len(iron))


@cache
def _in_windows() -> NDArray[np.bool_]:
    """Mark wavelengths at rest without strong lines."""
    free = np.zeros(REST.size, bool)
    for low, high in WINDOWS:
        free |= (low < REST) & (high > REST)
    return free


def _power_law(target: Target) -> Floats:
    """Return a power law through the windows, robustly; positive."""
    log_rest = LOG_GRID - target.lag * LN_PER_PIXEL - math.log(3000.0)
    pixels = np.flatnonzero(target.used & _in_windows()[within_grid(target.lag)])
    if pixels.size < LEAST_PIXELS:
        pixels = np.flatnonzero(target.used)
    size = min(BLOCK_PIXELS, pixels.size // 2)
    blocks = pixels[: pixels.size // size * size].reshape(-1, size)
    x, y = log_rest[blocks].mean(1), np.median(target.flux[blocks], axis=1)
    floor = 0.05 * max(float(np.median(np.abs(y))), 1e-30)
    log_y = np.log(np.maximum(y, floor))
    off = x - x.mean()
    alpha = float(np.clip(off @ log_y / max(float(off @ off), 1e-12), -4.0, 3.0))
    return np.asarray(np.exp(float(np.median(log_y - alpha * x)) + alpha * log_rest))


@cache
def _blends() -> Floats:
    """Return Gaussians of unit peak at the blends of iron, at rest."""
    return gaussians(np.asarray(pixel_of(np.array(IRON_BLENDS))), IRON_KM_S / KM_S_PER_PIXEL)


def _iron(target: Target) -> Floats:
    """Return the blends that the spectrum holds, (n, N_PIXELS)."""
    places = pixel_of(np.array(IRON_BLENDS)) + target.lag
    reach = IRON_KM_S / KM_S_PER_PIXEL
    known = np.append(0, np.cumsum(target.used))
    first, end = (np.rint(places + side).clip(0, N_PIXELS).astype(int) for side in (-reach, reach))
    return _blends()[known[end] > known[first], within_grid(target.lag)]


@cache
def _balmer() -> Floats:
    """Return the Balmer continuum of optical depth one, of order one at 3000 A (Grandi 1982, ApJ 255, 25)."""
    x = 1.43877e8 / BALMER_KELVIN / REST
    planck = REST**-5 / np.expm1(x)
    at_3000 = 3000.0**-5 / math.expm1(1.43877e8 / BALMER_KELVIN / 3000.0)
    shape = planck / at_3000 * (1 - np.exp(-((REST / BALMER_EDGE) ** 3)))
    # High orders of the series fill the edge: no step, but a slope of some thousand km/s.
    edge = 1 / (1 + np.exp((REST - BALMER_EDGE) / 40.0))
    return np.asarray(shape * edge * 2)
