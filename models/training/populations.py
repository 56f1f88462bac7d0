"""Learn the shapes by which mixes of stellar populations differ, their smooth ratios taken off."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from spectraq.models import shipped
from spectraq.models.grid.axis import pixel_of
from spectraq.models.lines import LINES
from spectraq.models.measurement.populations import FILE, Populations
from spectraq.models.training.material import Family

FAMILY = "galaxy_population"
SHAPES = 16
MIXES = 3000
SEED = 5
BLUE_ANGSTROM = 2000.0
"""Populations are extended to the ultraviolet by fits to galaxies: shorter than this they mean little."""
OBSERVED_ANGSTROM = 3650.0
"""Below, where populations are galaxies' fits, emission lines are bridged."""
LINE_HALF_WIDTH = 16
SMOOTH_TERMS = 6
Floats = NDArray[np.float64]


def learn_all(families: Sequence[Family]) -> Populations:
    """Return the mean and SHAPES principal components of mixes of three populations."""
    family = next(family for family in families if family.name == FAMILY)
    start = round(pixel_of(BLUE_ANGSTROM)) - family.first_pixel
    single = np.asarray(family.coefficients @ family.basis, np.float64)[:, start:]
    first = family.first_pixel + start
    single = _bridged(single, first)
    single /= np.median(single, axis=1, keepdims=True)
    rng = np.random.default_rng(SEED)
    amount = np.zeros((MIXES, len(single)))
    for part in range(3):
        chosen = rng.integers(0, len(single), MIXES)
        amount[np.arange(MIXES), chosen] += rng.exponential(1.0, MIXES) * 0.5**part
    mixes = amount @ single
    mixes /= np.median(mixes, axis=1, keepdims=True)
    mean = mixes.mean(0)
    flat = mixes / _smooth(mixes / mean)
    mean = flat.mean(0)
    left = flat - mean
    _, size, components = np.linalg.svd(left, full_matrices=False)
    typical = size[:SHAPES, None] / np.sqrt(MIXES)
    return Populations(mean, components[:SHAPES] * typical, first)


def _smooth(ratio: Floats) -> Floats:
    """Return polynomials through rows."""
    x = np.linspace(-1, 1, ratio.shape[1])
    basis = np.polynomial.chebyshev.chebvander(x, SMOOTH_TERMS - 1)
    fitted = np.linalg.lstsq(basis, ratio.T, rcond=None)[0]
    return np.asarray((basis @ fitted).T).clip(0.05)


def _bridged(spectra: Floats, first: int) -> Floats:
    """Return spectra with straight lines for emission lines, where populations were not observed."""
    out = spectra.copy()
    pixel = np.arange(spectra.shape[1])
    blocked = np.zeros(spectra.shape[1], bool)
    for line in LINES:
        if line.kind == "emission" and BLUE_ANGSTROM < line.wavelength < OBSERVED_ANGSTROM:
            blocked |= np.abs(pixel - (pixel_of(line.wavelength) - first)) <= LINE_HALF_WIDTH
    for row in out:
        row[blocked] = np.interp(pixel[blocked], pixel[~blocked], row[~blocked])
    return out


def save(populations: Populations, folder: Path) -> None:
    """Write the populations and their card."""
    # Half precision of the mean would show at a S/N of some hundreds.
    tensors: dict[str, NDArray[Any]] = {
        "mean": populations.mean.astype(np.float32),
        "shapes": populations.shapes.astype(np.float16),
    }
    metadata = {"format": "spectraq.populations.1", "first": json.dumps(populations.first)}
    save_file(tensors, folder / FILE, metadata=metadata)
    (folder / FILE).chmod(0o644)  # safetensors writes for its owner alone
    card = {
        "what": "Mean and principal components, of typical size, of mixes of stellar populations without "
        "emission lines, smooth ratios taken off; pixel i is log10(vacuum angstrom) = 3.5563 + 1e-4 i.",
        "learned_from": FAMILY,
        "shapes": len(populations.shapes),
        "sha256": shipped.digest_of(folder / FILE),
        "made_with": {"seed": SEED, "mixes": MIXES},
        "again": "spectraq train --only populations",
    }
    (folder / FILE).with_suffix(".json").write_text(json.dumps(card, indent=1) + "\n")
