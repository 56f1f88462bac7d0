"""Broad lines that came, went or changed: Gaussians at the object's lines, the response left free."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from spectraq.models.change.epoch import Floats
from spectraq.models.change.pair import MODEL_ERROR, Pair
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, lag_of, pixel_of
from spectraq.models.lines import wavelength

LINES = {
    "QSO": ("Lya", "SiIV", "CIV", "CIII", "MgII", "Hgamma", "Hbeta", "Halpha"),
    "GALAXY": ("MgII", "Hgamma", "Hbeta", "Halpha"),
    "STAR": (),
}
"""By class, lines of the broad-line region that are tried."""
WIDTHS_KM_S = (1000.0, 1800.0, 3000.0)
"""Standard deviations."""
MARGIN_SIGMA = 1.5
"""Standard deviations of a line that must lie within the overlap on either side."""
NARROW_PIXELS = 4.0
"""Standard deviation of the narrow line that may stand on a broad one."""
LEVEL_PIXELS = 60
CONTINUUM_PART = 0.08
"""Of the flux beneath, what continua of iron and stars are taken for a weak broad line."""
VARIES = 0.15
"""Part of a line's flux by which it may differ and be the same: of quasars this much is usual."""


@dataclass(frozen=True, slots=True)
class BroadChange:
    """The broad line that differs most."""

    strength: float  # in sigma, positive where the newer has more; zero where no line can be seen
    name: str
    width_km_s: float
    earlier: float  # S/N of the line in the earlier spectrum
    newer: float
    fraction: float  # of the larger of the two fluxes that came or went


NOTHING = BroadChange(0.0, "", 0.0, 0.0, 0.0, 0.0)


def broad_change(pair: Pair, spectype: str, z: float) -> BroadChange:
    """Return the broad line that differs most.

    Parameters
    ----------
    spectype, z
        What the object is.
    """
    places = [
        (name, width) for name in LINES[spectype] for width in WIDTHS_KM_S if _seen(pair, name, width, z)
    ]
    if not places:
        return NOTHING
    rows = np.stack([profile(_centre(name, z), width / KM_S_PER_PIXEL) for name, width in places])
    size, error = pair.amplitudes(rows)
    best = NOTHING
    for i, (name, width) in enumerate(places):
        if not np.isfinite(error[i]):
            continue
        seen = heights_in(pair, rows[i], _centre(name, z), width / KM_S_PER_PIXEL)
        floor = CONTINUUM_PART * _level(pair, _centre(name, z))
        found = _weaker(float(size[i]), float(error[i]), floor, seen, name, width)
        if abs(found.strength) > abs(best.strength):
            best = found
    return best


def _weaker(
    size: float, error: float, floor: float, seen: tuple[tuple[float, float], ...], name: str, width: float
) -> BroadChange:
    """Return a line's change as the weaker of two views: with a response free, and above its own continuum.

    A response that follows a line, or a bent continuum beneath it, spoils one of the two.
    """
    (a, error_a), (b, error_b) = seen
    largest = max(abs(a), abs(b))
    usual = float(np.hypot(VARIES * largest, floor))
    a, b = max(a, 0.0), max(b, 0.0)  # what is below the continuum is no line
    local = (b - a) / float(np.hypot(np.hypot(error_a, error_b), usual))
    whole = size / float(np.hypot(error, usual))
    strength = 0.0 if local * whole < 0 else float(np.sign(local)) * min(abs(local), abs(whole))
    fraction = (b - a) / largest if largest else 0.0
    return BroadChange(strength, name, width, a / error_a, b / error_b, fraction)


def _level(pair: Pair, centre: float) -> float:
    """Return the flux around a line, in units of the newer's median."""
    pixel = round(min(max(centre, 0), N_PIXELS - 1))
    near = slice(max(pixel - LEVEL_PIXELS, 0), pixel + LEVEL_PIXELS)
    return float(np.median(np.abs(pair.reference * pair.response)[near]))


def profile(centre: float, sigma: float) -> Floats:
    """Return a Gaussian of height one on the grid, (N_PIXELS,)."""
    return np.asarray(np.exp(-0.5 * ((_pixels() - centre) / sigma) ** 2))


@lru_cache(maxsize=1)
def _pixels() -> Floats:
    return np.arange(N_PIXELS, dtype=np.float64)


def _centre(name: str, z: float) -> float:
    return float(pixel_of(wavelength(name)) + lag_of(z))


def _seen(pair: Pair, name: str, width: float, z: float) -> bool:
    centre, reach = _centre(name, z), MARGIN_SIGMA * width / KM_S_PER_PIXEL
    first, last = int(centre - reach), int(centre + reach) + 1
    if first < 0 or last > N_PIXELS:
        return False
    return bool(pair.used[first:last].mean() > 0.7)


def heights_in(pair: Pair, row: Floats, centre: float, sigma: float) -> tuple[tuple[float, float], ...]:
    """Return the line's height in both above a straight continuum around it, each with its error.

    Heights are in units of the newer's median flux.
    """
    near = (np.abs(_pixels() - centre) < 3 * sigma) & pair.used
    offset = (_pixels()[near] - centre) / sigma
    narrow = np.exp(-0.5 * ((_pixels()[near] - centre) / NARROW_PIXELS) ** 2)
    design = np.stack([row[near], np.ones(offset.size), offset, narrow])
    level = MODEL_ERROR * np.abs(pair.reference * pair.response)[near]
    heights = []
    for flux, ivar in (
        (pair.response * pair.earlier.flux, pair.earlier.ivar / pair.response**2),
        (pair.newer.flux, pair.newer.ivar),
    ):
        weighted = design * (ivar[near] / (1 + ivar[near] * level**2))
        normal = weighted @ design.T
        covariance = np.linalg.inv(normal + 1e-9 * np.trace(normal) * np.eye(len(design)))
        heights.append((float((covariance @ (weighted @ flux[near]))[0]), float(np.sqrt(covariance[0, 0]))))
    return tuple(heights)
