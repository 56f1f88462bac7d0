"""Troughs of quasars that came, went or changed, blueward of the lines that winds absorb in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spectraq.models.change.broad_lines import profile
from spectraq.models.change.pair import Pair
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, lag_of, pixel_of
from spectraq.models.lines import wavelength

LINES = ("SiIV", "CIV", "AlIII", "MgII")
VELOCITIES = np.arange(1500.0, 25_000.0, 1000.0)
"""km/s towards us."""
WIDTHS_KM_S = (600.0, 1500.0)
VARIES = 0.05
"""Part of the continuum by which it may differ and be the same."""


@dataclass(frozen=True, slots=True)
class Trough:
    """The trough that differs most."""

    strength: float  # in sigma, positive where the newer has less of it
    name: str
    velocity_km_s: float
    depth: float  # of the local flux, positive where the newer has less of it
    pixel: int


NOTHING = Trough(0.0, "", 0.0, 0.0, 0)


def trough_change(pair: Pair, z: float) -> Trough:
    """Return the trough that differs most; of strength zero where no such line lies in the overlap."""
    level = np.abs(pair.reference * pair.response).clip(0.1)
    best = NOTHING
    for width in WIDTHS_KM_S:
        places = [(name, v, c) for name in LINES for v in VELOCITIES if (c := _seen(pair, name, v, width, z))]
        if not places:
            continue
        rows = np.stack([profile(c, width / KM_S_PER_PIXEL) for _, _, c in places]) * level
        size, error = pair.amplitudes(rows)
        ratio = np.where(np.isfinite(error), size / np.hypot(error, VARIES), 0.0)
        i = int(np.abs(ratio).argmax())
        if abs(ratio[i]) > abs(best.strength):
            name, velocity, centre = places[i]
            best = Trough(float(ratio[i]), name, float(velocity), float(size[i]), round(centre))
    return best


def _seen(pair: Pair, name: str, velocity: float, width: float, z: float) -> float:
    """Return the grid pixel of a trough, zero where the overlap does not hold it."""
    centre = float(pixel_of(wavelength(name)) + lag_of(z)) - velocity / KM_S_PER_PIXEL
    reach = 2 * width / KM_S_PER_PIXEL
    first, last = int(centre - reach), int(centre + reach) + 1
    if first < 1 or last > N_PIXELS or pair.used[first:last].mean() < 0.9:
        return 0.0
    return centre
