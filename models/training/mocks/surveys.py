"""How surveys differ: the shape of their noise, the range they see, how deep they go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.prepare import grid_one
from spectraq.models.observation import Observation

MIN_SHAPE_PIXELS = 2500
"""Shorter spectra are made by cutting, not taken as a survey's own shape."""
SHARES = {
    "sdss": 0.17,
    "boss": 0.28,
    "lamost": 0.16,
    "desi": 0.11,
    "smoothed": 0.14,
    "4most": 0.06,
    "short": 0.16,
}
"""How often each is drawn; "smoothed" is DESI as published smoothed and without ivar, "short" any range."""
MEDIAN_SNR = {"lamost": 27.0}
SNR_RANGE = (0.45, 600.0)


@dataclass(frozen=True)
class NoiseShapes:
    """Relative noise of real spectra, by survey: (spectra, N_PIXELS), median one, zero where masked."""

    sigma: Mapping[str, torch.Tensor]

    @classmethod
    def of(cls, observations: Mapping[str, Sequence[Observation]]) -> NoiseShapes:
        """Take the shapes from real spectra's ivar alone.

        Parameters
        ----------
        observations
            By survey: "sdss", "boss", "lamost", "desi", "smoothed", and "4most" where it is wanted.

        Raises
        ------
        ValueError
            When a survey has no spectrum long enough.
        """
        shapes = {}
        for survey, spectra in observations.items():
            rows = [shape for spectrum in spectra if (shape := _relative_sigma(spectrum)) is not None]
            if not rows:
                raise ValueError(f"noise of {survey!r}: no spectrum with {MIN_SHAPE_PIXELS} usable pixels")
            shapes[survey] = torch.from_numpy(np.array(rows))
        return cls(shapes)

    def draw(self, survey: str, n: int, rng: np.random.Generator) -> torch.Tensor:
        """Draw n shapes, each a product of powers of two real ones, shape (n, N_PIXELS)."""
        real = self.sigma[survey]
        first, second = (real[torch.from_numpy(rng.integers(0, len(real), n))] for _ in range(2))
        power = torch.from_numpy(rng.uniform(0, 1.2, (n, 1))).float()
        both = (first > 0) & (second > 0)
        mixed = first.clamp_min(1e-3) ** power * second.clamp_min(1e-3) ** (1 - power)
        return torch.where(both, mixed, first)


def _relative_sigma(observation: Observation) -> NDArray[np.float32] | None:
    _, ivar, _ = grid_one(observation)
    used = ivar > 0
    if used.sum() < MIN_SHAPE_PIXELS:
        return None
    sigma = np.where(used, 1 / np.sqrt(np.where(used, ivar, 1.0)), 0.0)
    return np.asarray(sigma / np.median(sigma[used]), np.float32)


def draw_surveys(
    families: NDArray[np.str_],
    shapes: NoiseShapes,
    rng: np.random.Generator,
    clean: bool,
    drawn: Mapping[str, float] = SHARES,
) -> NDArray[np.str_]:
    """Draw a survey with known noise for each object; galaxies of strong lines are mostly DESI's."""
    names = np.array([name for name in drawn if name in shapes.sigma or name == "short"])
    shares = np.array([drawn[name] for name in names]) * ((names != "short") if clean else 1.0)
    survey = rng.choice(names, families.size, p=shares / shares.sum())
    deep = (families == "galaxy_emission") & (rng.random(families.size) < 0.6)
    return np.where(deep, rng.choice(["desi", "smoothed"], families.size), survey)


def draw_sigma(survey: NDArray[np.str_], shapes: NoiseShapes, rng: np.random.Generator) -> torch.Tensor:
    """Draw relative noise, zero where a survey has no pixel, shape (n, N_PIXELS)."""
    sigma = torch.zeros(survey.size, N_PIXELS)
    for name in np.unique(survey):
        rows = np.flatnonzero(survey == name)
        source = str(rng.choice(["boss", "desi", "lamost"])) if name == "short" else str(name)
        drawn = shapes.draw(source, rows.size, rng)
        if name == "short":
            drawn *= torch.from_numpy(_ranges(rows.size, rng))
        sigma[torch.from_numpy(rows)] = drawn
    return sigma


def _ranges(n: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the ranges of 520 to 4608 pixels anywhere on the grid, half of them wider than 2000."""
    length = np.where(rng.random(n) < 0.5, rng.integers(520, 2000, n), rng.integers(2000, N_PIXELS, n))
    start = (rng.random(n) * (N_PIXELS - length)).astype(int)
    pixels = np.arange(N_PIXELS)[None]
    return np.asarray((pixels >= start[:, None]) & (pixels < (start + length)[:, None]))


def draw_snr(
    survey: NDArray[np.str_], spectype: NDArray[np.str_], families: NDArray[np.str_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw the median S/N a pixel of each, shape (n,): lognormal around 5.5, LAMOST's around 27."""
    n = survey.size
    snr = np.exp(rng.normal(1.7, 0.95, n))
    snr = np.where(survey == "lamost", np.exp(rng.normal(np.log(MEDIAN_SNR["lamost"]), 0.7, n)), snr)
    snr = np.where((spectype == "STAR") & (rng.random(n) < 0.3), 3 * snr, snr)
    snr = np.where(families == "galaxy_emission", 0.4 * snr, snr)
    snr = np.where((spectype == "QSO") & (rng.random(n) < 0.3), 0.5 * snr, snr)
    return np.clip(snr, *SNR_RANGE)
