"""Learn what is normal: distributions of the anomaly scores over spectra that nothing is wrong with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.judge import FLAG_RATE, Scorer
from spectraq.models.anomaly.kinds import TABLE
from spectraq.models.anomaly.reference import LEVELS, Reference
from spectraq.models.anomaly.scores import Scores
from spectraq.models.batch import BatchAnalyst
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.observation import Observation
from spectraq.models.redshift import eigenspectra
from spectraq.models.tensors import rows_of

MIN_SPECTRA = 40
"""Of a class: fewer give no tail."""
SHRINKAGE = 0.2
LEAST_LATENT_VARIANCE = 0.05
"""Of the covariance to its diagonal, and what is added there: a class has a hundred spectra for 16 shares."""
ROUNDS = 20
CENSORED = 1
"""Largest values of a score whose size is not believed: one truly strange spectrum among a hundred would make
the tail twice as long, and all others look normal."""
SHARED_TAIL = 0.5
"""Part of a tail that comes from the median class: a hundred spectra a class say little of it."""
TAIL_WIDENING = 1.1
"""So few spectra make tails too short: this much longer, four to six of 355 are flagged when left out."""
PARTS = 8
"""Of the cross-validation that the card's false-positive rate comes from."""
BLOCK = 16


def make(
    folder: Path, name: str, spectra: Sequence[Observation], spectype: Sequence[str], z: NDArray[np.float64]
) -> Reference:
    """Learn the reference from real spectra that a folder's networks answer right, and write it there.

    Parameters
    ----------
    folder
        Of networks and eigenspectra.
    name
        Of the sample.
    spectra, spectype, z
        Spectra with labels that are trusted.
    """
    cpu = torch.device("cpu")
    bases = eigenspectra.load(folder)
    analyst = BatchAnalyst(Ensemble.load(folder), bases, cpu, BLOCK)
    scorer = Scorer.load(folder, bases, cpu)
    gridded = grid_batch(spectra)
    analysis = analyst.analyze(gridded)
    answered = z_of(analysis.lag, gridded.offset).numpy()
    kind = analysis.decision.spectype.numpy()
    right = np.abs(answered - z) < np.array(tuple(SAME_Z.values()))[kind] * (1 + z)
    right &= np.array(CLASSES)[kind] == np.array(spectype)
    with torch.inference_mode():
        scores = scorer.score(analysis, BLOCK)
    normal = rows_of(scores, torch.from_numpy(np.flatnonzero(right)))
    reference = learn(name, normal)
    about: dict[str, object] = {
        "spectra": int(right.sum()),
        "nominal_rate": FLAG_RATE,
        "rate_on_themselves": round(flagged(reference, normal), 4),
        "rate_cross_validated": round(cross_validated(name, normal), 4),
    }
    reference.save(folder, about)
    return reference


def flagged(reference: Reference, scores: Scores) -> float:
    """Return the fraction of spectra that a reference makes anomalies."""
    return float((together(reference.rates(reference.measured(scores))) < FLAG_RATE).float().mean())


def cross_validated(name: str, normal: Scores) -> float:
    """Return the fraction flagged of normal spectra that were left out of their reference."""
    n = len(normal.spectype)
    order = torch.from_numpy(np.random.default_rng(0).permutation(n))
    parts = [order[i::PARTS] for i in range(PARTS)]
    total = 0.0
    for i, left_out in enumerate(parts):
        rest = torch.cat([part for j, part in enumerate(parts) if j != i])
        total += flagged(learn(name, rows_of(normal, rest)), rows_of(normal, left_out)) * len(left_out)
    return total / n


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
    centre, precision = _familiar(normal, torch.ones(len(normal.spectype), dtype=torch.bool))
    normal = _measured_apart(normal)
    shape = (len(CLASSES), len(TABLE))
    parabola, quantile = torch.zeros(*shape, 3), torch.zeros(*shape, len(LEVELS))
    tail, snr_range = torch.zeros(shape), torch.zeros(len(CLASSES), 2)
    for c, spectype in enumerate(CLASSES):
        of_class = normal.spectype == c
        if (n := int(of_class.sum())) < MIN_SPECTRA:
            raise ValueError(f"{n} normal spectra of class {spectype}; {MIN_SPECTRA} are needed")
        snr_range[c] = torch.quantile(normal.log_snr[of_class], torch.tensor([0.02, 0.98]))
        for k, kind in enumerate(TABLE):
            rows = of_class & ~normal.noise_estimated if kind.of_chi2 else of_class
            x = normal.log_snr[rows].clamp(*snr_range[c].tolist())
            y = normal.value[rows, k]
            parabola[c, k] = _median_parabola(x, y)
            excess = y - _powers(x) @ parabola[c, k]
            quantile[c, k] = torch.quantile(excess, torch.tensor(LEVELS))
            tail[c, k] = _tail(excess[excess > quantile[c, k, -1]] - quantile[c, k, -1])
    tail = TAIL_WIDENING * ((1 - SHARED_TAIL) * tail + SHARED_TAIL * tail.median(0).values)
    return Reference(name, parabola, snr_range, quantile, tail, centre, precision)


def _tail(over: torch.Tensor) -> torch.Tensor:
    """Most likely e-folding length of an exponential, the largest values known only to be the largest."""
    counted = max(len(over) - CENSORED, 2)
    ordered = over.sort().values
    reached = ordered[counted - 1]
    total = ordered[:counted].sum() + (len(over) - counted) * reached
    return (total / counted).clamp_min(1e-3)


def _familiar(normal: Scores, taught: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the centre and precision of each class's latent vectors, from the spectra that are `taught`."""
    n = normal.latent.shape[1]
    centre, precision = torch.zeros(len(CLASSES), n), torch.zeros(len(CLASSES), n, n)
    for c in range(len(CLASSES)):
        latent = normal.latent[taught & (normal.spectype == c)].double()
        off = latent - latent.mean(0)
        covariance = off.T @ off / max(len(latent), 1)
        spread = torch.diag(covariance.diagonal() + LEAST_LATENT_VARIANCE)
        centre[c] = latent.mean(0)
        precision[c] = torch.linalg.inv((1 - SHRINKAGE) * covariance + SHRINKAGE * spread)
    return centre, precision


def _measured_apart(normal: Scores) -> Scores:
    """Latent distances of each half from the other's centre: from their own they would be too small."""
    value = normal.value.clone()
    odd = torch.arange(len(value)) % 2 == 1
    for half in (odd, ~odd):
        none = torch.zeros(0)
        apart = Reference("", none, none, none, none, *_familiar(normal, ~half))
        value[half] = apart.measured(rows_of(normal, half)).value
    return replace(normal, value=value)


def _powers(x: torch.Tensor) -> torch.Tensor:
    return torch.stack([torch.ones_like(x), x, x.square()], 1)


def _median_parabola(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the parabola of least absolute deviations, by reweighting; shape (3,)."""
    design = _powers(x)
    weight = torch.ones_like(y)
    solved = torch.zeros(design.shape[1])
    for _ in range(ROUNDS):
        weighted = design * weight[:, None]
        solved = torch.linalg.lstsq(weighted, (y * weight)[:, None]).solution[:, 0]
        miss = (y - design @ solved).abs()
        weight = miss.clamp_min(0.05 * float(miss.mean()) + 1e-9).rsqrt()
    return solved
