"""What quasars' lines stand on: a power law that may bend, Fe II, Balmer continuum, light of the host."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.grid.axis import KM_S_PER_PIXEL, WAVELENGTH
from spectraq.models.lines import IRON_BLENDS
from spectraq.models.measurement.ground import Base
from spectraq.models.measurement.populations import Populations, blur_of
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
    rest, used = target.rest, target.used
    start = _power_law(target)
    bends = polynomials(used, BEND_TERMS) * start
    shapes: list[Floats] = [bends]
    precision = [np.full(BEND_TERMS, 1 / BEND_SIZE**2)]
    precision[0][0] = 1e-12
    iron = _iron(target) * start
    shapes.append(iron)
    precision.append(np.full(len(iron), 1 / IRON_SIZE**2))
    if used[(rest > 2000) & (rest < BALMER_EDGE)].sum() > LEAST_PIXELS:
        shapes.append(_balmer(target)[None] * np.interp(3000.0, rest, start))
        precision.append(np.array([1 / BALMER_SIZE**2]))
    if target.z < HOST_BELOW_Z:
        host, _ = populations.at(target.lag, blur_of(HOST_DISPERSION, target.spread(5000.0)), HOST_SHAPES)
        shapes.append(host * float(np.median(start[used])))
        precision.append(np.full(1 + HOST_SHAPES, 1 / HOST_SIZE**2))
    stacked = np.vstack(shapes)
    zero = np.zeros(len(stacked))
    base = Base(np.zeros(rest.size), stacked, np.concatenate(precision), zero)
    return QuasarContinuum(base, BEND_TERMS, len(iron))


def in_windows(rest: Floats) -> NDArray[np.bool_]:
    """Mark wavelengths without strong lines."""
    free = np.zeros(rest.size, bool)
    for low, high in WINDOWS:
        free |= (rest > low) & (rest < high)
    return free


def _power_law(target: Target) -> Floats:
    """Return a power law through the windows, robustly; positive."""
    rest = target.rest
    pixels = np.flatnonzero(target.used & in_windows(rest))
    if pixels.size < LEAST_PIXELS:
        pixels = np.flatnonzero(target.used)
    blocks = [block for block in np.array_split(pixels, max(pixels.size // 40, 2)) if block.size]
    x = np.array([math.log(float(rest[block].mean()) / 3000.0) for block in blocks])
    y = np.array([float(np.median(target.flux[block])) for block in blocks])
    floor = 0.05 * max(float(np.median(np.abs(y))), 1e-30)
    design = np.stack([np.ones_like(x), x])
    slope = np.linalg.lstsq(design.T, np.log(np.maximum(y, floor)), rcond=None)[0]
    alpha = float(np.clip(slope[1], -4.0, 3.0))
    middle = float(np.median(np.log(np.maximum(y, floor)) - alpha * x))
    return np.asarray(np.exp(middle + alpha * np.log(rest / 3000.0)))


def _iron(target: Target) -> Floats:
    """Return Gaussians of unit peak at the blends that the spectrum holds, (n, N_PIXELS)."""
    sigma = IRON_KM_S / KM_S_PER_PIXEL
    pixel = np.arange(WAVELENGTH.size)
    rows = [np.exp(-0.5 * ((pixel - target.place(rest)) / sigma) ** 2) for rest in IRON_BLENDS]
    kept = [row for row in rows if row[target.used].max(initial=0.0) > 0.6]
    return np.array(kept).reshape(len(kept), WAVELENGTH.size)


def _balmer(target: Target) -> Floats:
    """Return the Balmer continuum of optical depth one, of order one at 3000 A (Grandi 1982, ApJ 255, 25)."""
    rest = target.rest
    x = 1.43877e8 / BALMER_KELVIN / rest
    planck = rest**-5 / np.expm1(x)
    at_3000 = 3000.0**-5 / math.expm1(1.43877e8 / BALMER_KELVIN / 3000.0)
    shape = planck / at_3000 * (1 - np.exp(-((rest / BALMER_EDGE) ** 3)))
    # High orders of the series fill the edge: no step, but a slope of some thousand km/s.
    edge = 1 / (1 + np.exp((rest - BALMER_EDGE) / 40.0))
    return np.asarray(shape * edge * 2)
