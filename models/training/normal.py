"""Learn what is normal: distributions of the anomaly scores over spectra that nothing is wrong with."""

from __future__ import annotations

import torch

from models.anomaly.reference import LEVELS, Reference
from models.anomaly.scores import KINDS, Scores
from models.classifier import CLASSES

MIN_SPECTRA = 40
"""Of a class: fewer give no tail."""
ROUNDS = 20


def learn(name: str, normal: Scores) -> Reference:
    """Fit the reference to scores of normal spectra.

    Parameters
    ----------
    name
        Of the sample.
    normal
        Scores of spectra that were classified and fitted right.

    Raises
    ------
    ValueError
        Where a class has too few.
    """
    shape = (len(CLASSES), len(KINDS))
    parabola, quantile = torch.zeros(*shape, 3), torch.zeros(*shape, len(LEVELS))
    tail, snr_range = torch.zeros(shape), torch.zeros(len(CLASSES), 2)
    for c, spectype in enumerate(CLASSES):
        mine = normal.spectype == c
        if (n := int(mine.sum())) < MIN_SPECTRA:
            raise ValueError(f"{n} normal spectra of class {spectype}; {MIN_SPECTRA} are needed")
        snr_range[c] = torch.quantile(normal.log_snr[mine], torch.tensor([0.02, 0.98]))
        for k, kind in enumerate(KINDS):
            # chi2 says nothing where the noise was estimated from the scatter.
            rows = mine & ~normal.noise_estimated if kind == "poor_fit" else mine
            x = normal.log_snr[rows].clamp(*snr_range[c].tolist())
            y = normal.value[rows, k]
            parabola[c, k] = _median_parabola(x, y)
            excess = y - _powers(x) @ parabola[c, k]
            quantile[c, k] = torch.quantile(excess, torch.tensor(LEVELS))
            over = excess[excess > quantile[c, k, -1]] - quantile[c, k, -1]
            tail[c, k] = over.mean().clamp_min(1e-3)
    return Reference(name, parabola, snr_range, quantile, tail)


def _powers(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.ones_like(x), x, x.square()], 1)


def _median_parabola(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Least absolute deviations by reweighting; shape (3,)."""
    design = _powers(x)
    weight = torch.ones_like(y)
    solved = torch.zeros(design.shape[1])
    for _ in range(ROUNDS):
        weighted = design * weight[:, None]
        solved = torch.linalg.lstsq(weighted, (y * weight)[:, None]).solution[:, 0]
        miss = (y - design @ solved).abs()
        weight = miss.clamp_min(0.05 * float(miss.mean()) + 1e-9).rsqrt()
    return solved
