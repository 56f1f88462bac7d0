"""Mock stars: radial velocities, rotation, and the type the library gives."""

from __future__ import annotations

import numpy as np

from spectraq.models.training.material import Family
from spectraq.models.training.mocks.rest import SUBCLASS_INDEX, Objects, blurred, mixed, redshifted

MAX_Z = 0.0035  # 1050 km/s


def draw(family: Family, n: int, rng: np.random.Generator) -> Objects:
    """Draw n stars of a family."""
    rows = rng.integers(0, len(family.labels), n)
    flux = mixed(family, rows, rng)
    halo = rng.random(n) < 0.1
    z = np.clip(np.where(halo, rng.normal(0, 9e-4, n), rng.normal(0, 2.6e-4, n)), -MAX_Z, MAX_Z)
    blur = rng.uniform(0.5, 1.5, n) if family.resolution_pending else rng.uniform(0, 0.7, n)
    blur = np.where(rng.random(n) < 0.1, rng.uniform(1, 4, n), blur)
    allowed = np.zeros((n, len(SUBCLASS_INDEX)), bool)
    for i, row in enumerate(rows):
        label = family.labels[row]
        names = "BAFGKM" if label == "*" else (label,)
        allowed[i, [SUBCLASS_INDEX[name] for name in names]] = True
    observed, covered = redshifted(blurred(flux, blur), family.first_pixel, z)
    return Objects(observed, covered, z, allowed, family.name, "STAR")
