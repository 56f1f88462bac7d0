"""Mock spectra with known class, subclass and redshift: what the networks are trained on.

`MockSky(families, shapes, sky, seed).batch(n)` draws objects (stars, galaxies, quasars), puts them at a
redshift, and observes them as one of the surveys would, faults included. Nothing here reads a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.classes import CLASSES
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import galaxies, quasars, stars, surveys, telescope, throughput
from spectraq.models.training.mocks.rest import Objects

__all__ = ["MockSky", "Mocks"]

CLASS_SHARES = (0.33, 0.34, 0.33)
MAX_BATCH = 768
"""Larger batches are slower: their arrays leave the processor's cache."""


@dataclass(frozen=True)
class Mocks:
    """A batch of mock spectra and their truth; n rows."""

    flux: torch.Tensor  # (n, N_PIXELS)
    ivar: torch.Tensor  # (n, N_PIXELS)
    truth: torch.Tensor  # (n, N_PIXELS), flux without noise and faults
    z: NDArray[np.float64]
    allowed: NDArray[np.bool_]  # (n, 18) subclasses that count as right
    spectype: NDArray[np.str_]
    snr: NDArray[np.float64]
    family: NDArray[np.str_]
    survey: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.z)


class MockSky:
    """Draws mock spectra, the same ones for the same seed.

    Parameters
    ----------
    families
        From `material.load`.
    shapes
        Real noise, from `surveys.NoiseShapes.of`.
    sky
        Relative strength of sky lines on the grid, shape (N_PIXELS,), from `material.sky_lines`.
    clean
        Only ordinary objects without faults: for calibrating errors and thresholds.
    shares
        How often each survey is drawn.
    arm_steps
        Whether the arms of some spectrographs do not meet, among the faults.
    """

    def __init__(
        self,
        families: Sequence[Family],
        shapes: surveys.NoiseShapes,
        sky: torch.Tensor,
        seed: int,
        clean: bool = False,
        shares: Mapping[str, float] = surveys.SHARES,
        arm_steps: bool = True,
    ) -> None:
        self.shapes, self.sky, self.clean, self.shares = shapes, sky, clean, shares
        self._arm_steps = arm_steps and not clean
        self.rng = np.random.default_rng(seed)
        used = [family for family in families if family.clean or not clean]
        self.families = {name: [f for f in used if f.spectype == name] for name in CLASSES}
        self.hosts = next(f for f in families if f.name == "galaxy_archetype")

    def _objects(self, family: Family, n: int) -> Objects:
        if family.spectype == "QSO":
            return quasars.draw(family, n, self.rng, self.hosts, hard=not self.clean)
        draw = stars.draw if family.spectype == "STAR" else galaxies.draw
        return draw(family, n, self.rng)

    def _sample(self, n: int) -> list[Objects]:
        parts = []
        for spectype, count in zip(CLASSES, self.rng.multinomial(n, CLASS_SHARES), strict=True):
            families = self.families[spectype]
            weight = np.array([family.weight for family in families])
            counts = self.rng.multinomial(count, weight / weight.sum())
            parts += [self._objects(f, m) for f, m in zip(families, counts, strict=True) if m]
        return parts

    def batch(self, n: int = MAX_BATCH) -> Mocks:
        """Draw about n mocks: those with too few usable pixels are left out."""
        parts = self._sample(n)
        sizes = [len(objects.z) for objects in parts]
        order = self.rng.permutation(n)
        shuffled = torch.from_numpy(order)
        flux = torch.cat([objects.flux for objects in parts])[shuffled]
        covered = torch.cat([objects.covered for objects in parts])[shuffled]
        z = np.concatenate([objects.z for objects in parts])[order]
        allowed = np.concatenate([objects.allowed for objects in parts])[order]
        family = np.repeat([objects.family for objects in parts], sizes)[order]
        spectype = np.repeat([objects.spectype for objects in parts], sizes)[order]
        survey = surveys.draw_surveys(family, self.shapes, self.rng, self.clean, self.shares)
        sigma = surveys.draw_sigma(survey, self.shapes, self.rng)
        flux = flux * throughput.extinction(spectype, self.rng)
        flux *= throughput.calibration(survey, self.rng, self.clean)
        if self._arm_steps:
            flux *= throughput.arm_steps(survey, self.rng)
        snr = surveys.draw_snr(survey, spectype, family, self.rng)
        exposure = telescope.expose(flux, covered, sigma, snr, survey, self.sky, self.rng, self.clean)
        keep = exposure.usable
        return Mocks(
            exposure.flux[keep],
            exposure.ivar[keep],
            exposure.truth[keep],
            z[keep],
            allowed[keep],
            spectype[keep],
            snr[keep],
            family[keep],
            survey[keep],
        )
