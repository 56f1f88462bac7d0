"""Learn what is normal: distributions of the anomaly scores over spectra that nothing is wrong with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.group import Bulk, Group
from spectraq.models.anomaly.judge import FLAG_RATE, Scorer
from spectraq.models.anomaly.kinds import KINDS, TABLE
from spectraq.models.anomaly.line_errors import LineErrors
from spectraq.models.anomaly.reach import Reach, sampling
from spectraq.models.anomaly.reference import KNOTS, LEVELS, NEVER_STRANGE, Reference, hats
from spectraq.models.anomaly.scores import Scores
from spectraq.models.batch import BatchAnalysis, BatchAnalyst
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.observation import Observation
from spectraq.models.redshift import eigenspectra
from spectraq.models.tensors import joined, rows_of
from spectraq.models.training.measure import line_errors
from spectraq.models.training.measure.known_faults import FAULTS

MIN_SPECTRA = 40
"""Of a class: fewer give no tail."""
SHRINKAGE = 0.2
LEAST_LATENT_VARIANCE = 0.05
"""Of the covariance to its diagonal, and what is added there: a class has a hundred spectra for 16 shares."""
ROUNDS = 60
SETTLED = 1e-6
"""Of a score's scatter: a quantile that moves by less is found."""
PRIOR_SPECTRA = 200
"""At each knot: of 5, 15, 60, 200 and any number, the last two flag fewest of sources that were left out."""
LEAST_WIDTH = 0.05
"""Of a score's median: its 85 % is at least so far beyond its median."""
CENSORED = 3
"""Largest values of a score whose size is not believed: one truly strange spectrum among a hundred would make
the tail twice as long, and all others look normal. One to two in a hundred of samples of good labels are."""
UNSEEN_TAIL = 1.0
"""Of a score that next to no normal spectrum has: by its own 85 %, it falls as fast as it begins."""
DIFFER_BY_FAULTS = ("arm_step", "detector")
"""Kinds in which a whole source lies higher as most of its spectra have the fault, looked at by eye: that
is no example of what a spectrum alone is like without one. Left in, one arm step in ten is flagged alone,
without them seven in ten, and no more of the normal spectra of sources that were left out."""
BLOCK = 16
EVERYTHING = Reach((0.0, np.inf), 0, ((-1.0, np.inf),) * len(CLASSES))
"""The reach of a reference that is only asked for rates."""
LEAST_SOURCE = 20
"""Fewer spectra have no bulk of their own."""


def make(
    folder: Path,
    name: str,
    spectra: Sequence[Observation],
    spectype: Sequence[str],
    z: NDArray[np.float64],
    source: Sequence[str],
) -> Reference:
    """Learn line errors and reference from real spectra that a folder's networks answer right, write both.

    Parameters
    ----------
    folder
        Of networks and eigenspectra.
    name
        Of the sample.
    spectra, spectype, z
        Spectra with labels that are trusted.
    source
        Whose each is, as of `pooled`.
    """
    cpu = torch.device("cpu")
    bases = eigenspectra.load(folder)
    analyst = BatchAnalyst(Ensemble.load(folder), bases, cpu, BLOCK, SurveyNoise.load(folder))
    gridded = grid_batch(spectra)
    analysis = analyst.analyze(gridded)
    right = answered_right(analysis, spectype, z)
    sources = [one for one, kept in zip(source, right, strict=True) if kept]
    left = [one for one, kept in zip(line_errors.heights(analysis), right, strict=True) if kept]
    rows = torch.from_numpy(np.flatnonzero(right))
    apart = line_errors.apart(left, sources)
    normal = scored_apart(analyst, Scorer.load(folder, bases, cpu), rows_of(gridded, rows), sources, apart)
    line_errors.learn(left).save(folder, {"spectra": len(left)})
    reference = learn(name, normal, sources, _reach(spectra, analysis, right))
    about: dict[str, object] = {
        "spectra": int(right.sum()),
        "sources": dict(sorted(Counter(sources).items())),
        "nominal_rate": FLAG_RATE,
        "rate_on_themselves": round(flagged(reference, normal), 4),
        "rate_of_sources_left_out": round(left_out_in_turn(name, normal, sources), 4),
        "without": FAULTS,
    }
    reference.save(folder, about)
    return reference


def scored_apart(
    analyst: BatchAnalyst,
    scorer: Scorer,
    gridded: Gridded,
    source: Sequence[str],
    errors: Mapping[str, LineErrors],
) -> Scores:
    """Score spectra as those of a source that nobody knows: each beside the line errors of all others.

    Parameters
    ----------
    source
        Whose each spectrum is.
    errors
        By source, as of `line_errors.apart`.
    """
    sources, parts, order = np.array(source), [], []
    for own in np.unique(sources):
        rows = np.flatnonzero(sources == own)
        with torch.inference_mode():
            analysis = analyst.analyze(rows_of(gridded, torch.from_numpy(rows)))
            parts.append(scorer.beside(errors[str(own)]).score(analysis, BLOCK))
        order.append(rows)
    return rows_of(joined(parts), torch.from_numpy(np.argsort(np.concatenate(order))))


def _reach(spectra: Sequence[Observation], analysis: BatchAnalysis, right: NDArray[np.bool_]) -> Reach:
    """Return how far the spectra that are answered right reach."""
    samplings = np.array([sampling(spectrum.wavelength) for spectrum in spectra])
    seen = (analysis.gridded.ivar > 0).sum(1).numpy()
    table = (samplings, seen, analysis.decision.spectype.numpy(), z_of(analysis.lag).numpy())
    return Reach.of(*(column[right] for column in table))


def answered_right(
    analysis: BatchAnalysis, spectype: Sequence[str], z: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Return which spectra have the class and redshift of their labels, shape (B,)."""
    answered = z_of(analysis.lag, analysis.gridded.offset).numpy()
    kind = analysis.decision.spectype.numpy()
    right = np.abs(answered - z) < np.array(tuple(SAME_Z.values()))[kind] * (1 + z)
    right &= np.array(CLASSES)[kind] == np.array(spectype)
    return np.asarray(right)


def pooled(sources: Sequence[str], surveys: Sequence[str]) -> list[str]:
    """Return the source of every spectrum, its survey where the source is too small to be one."""
    count = Counter(sources)
    return [
        source if count[source] >= LEAST_SOURCE else f"other {survey}"
        for source, survey in zip(sources, surveys, strict=True)
    ]


def flagged(reference: Reference, scores: Scores) -> float:
    """Return the fraction of spectra that a reference makes anomalies, each judged alone."""
    rates = reference.rates_alone(reference.strangeness(reference.measured(scores)))
    return float((together(rates) < FLAG_RATE).float().mean())


def left_out_in_turn(name: str, normal: Scores, source: Sequence[str]) -> float:
    """Return the fraction flagged of normal spectra whose source was left out of their reference."""
    sources, total = np.array(source), 0.0
    for left_out in np.unique(sources):
        mine = sources == left_out
        rest = rows_of(normal, torch.from_numpy(~mine))
        reference = learn(name, rest, sources[~mine].tolist())
        total += flagged(reference, rows_of(normal, torch.from_numpy(mine))) * int(mine.sum())
    return total / len(sources)


def learn(name: str, normal: Scores, source: Sequence[str], reach: Reach = EVERYTHING) -> Reference:
    """Fit the reference to scores of normal spectra.

    Parameters
    ----------
    name
        Of the sample.
    normal
        Scores of spectra that were classified and fitted right.
    source
        Whose each is, as of `pooled`.
    reach
        Of the sample.

    Raises
    ------
    ValueError
        Where a class has too few.
    """
    for c, spectype in enumerate(CLASSES):
        if (n := int((normal.spectype == c).sum())) < MIN_SPECTRA:
            raise ValueError(f"{n} normal spectra of class {spectype}; {MIN_SPECTRA} are needed")
    every = torch.ones(len(normal.spectype), dtype=torch.bool)
    centre, precision = _familiar(normal, every)
    normal = _measured_apart(normal)
    sources = np.array(source)
    curves = [_curves(normal, k, _ordinary(normal, k, sources)) for k in range(len(TABLE))]
    middle, upper = (torch.stack(tables, 1) for tables in zip(*curves, strict=True))
    nothing = torch.zeros(len(TABLE), len(LEVELS))
    unshaped = (nothing, nothing[:, 0], nothing.T[:1], nothing.T[:1])
    scale = Reference(name, middle, upper, *unshaped, centre, precision, reach)
    strangeness = scale.strangeness(normal).double().numpy()
    quartile = np.array([np.quantile(column[column > NEVER_STRANGE], 0.75) for column in strangeness.T])
    bulks = {
        one: Group.of(strangeness[sources == one]).bulk(quartile)
        for one in np.unique(sources)
        if (sources == one).sum() >= LEAST_SOURCE
    }
    quantile, tail = _shape(_beyond_their_bulk(strangeness, sources, bulks))
    shift, stretch = (
        torch.tensor(np.stack([getattr(bulk, part) for bulk in bulks.values()])).float()
        for part in ("shift", "stretch")
    )
    faults = [KINDS.index(kind) for kind in DIFFER_BY_FAULTS]
    shift[:, faults], stretch[:, faults] = 0.0, 1.0
    return replace(scale, quantile=quantile, tail=tail, shift=shift, stretch=stretch)


def _ordinary(normal: Scores, k: int, sources: NDArray[np.str_]) -> NDArray[np.bool_]:
    """Return which spectra a kind's median and 85 % are learned from, without strange sources; shape (B,).

    A source is strange in a kind where its median lies above the 85 % of all others, each weighing the same.
    """
    says = ~normal.noise_estimated.numpy() | (not TABLE[k].of_chi2)
    value = normal.value[:, k].numpy()
    parts = {one: value[says & (sources == one)] for one in np.unique(sources)}
    parts = {one: part for one, part in parts.items() if len(part) >= LEAST_SOURCE}
    strange = [
        one
        for one, part in parts.items()
        if len(parts) > 1
        and np.median(part) > _weighted_upper([other for name, other in parts.items() if name != one])
    ]
    return np.asarray(says & ~np.isin(sources, strange))


def _weighted_upper(parts: Sequence[NDArray[np.float64]]) -> float:
    """Return the 85 % of values in parts that weigh the same whatever their number."""
    value, weight = (
        np.concatenate(parts),
        np.concatenate([np.full(len(part), 1 / len(part)) for part in parts]),
    )
    order = np.argsort(value)
    share = np.cumsum(weight[order]) / weight.sum()
    return float(value[order][np.searchsorted(share, LEVELS[-1])])


def _curves(normal: Scores, k: int, rows: NDArray[np.bool_]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return median and 85 % of one kind at KNOTS, shape (classes, knots) each.

    Each class is shrunk to all classes, and these to a constant, as if PRIOR_SPECTRA more had been seen at
    each knot: the less freedom, the better do thresholds hold for sources that were left out.
    """
    weight, value = hats(normal.log_snr).double().numpy()[rows], normal.value[:, k].double().numpy()[rows]
    spectype = normal.spectype.numpy()[rows]
    tables = []
    for level in (0.5, LEVELS[-1]):
        constant = np.full(len(KNOTS), np.quantile(value, level))
        shared = _quantile_curve(weight, value, level, constant)
        of_class = [spectype == c for c in range(len(CLASSES))]
        tables.append([_quantile_curve(weight[mine], value[mine], level, shared) for mine in of_class])
    middle, upper = np.array(tables)
    least = LEAST_WIDTH * float(np.median(np.abs(value))) + 1e-3
    return torch.tensor(middle).float(), torch.tensor(np.maximum(upper, middle + least)).float()


def _quantile_curve(
    weight: NDArray[np.float64], value: NDArray[np.float64], level: float, prior: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return a quantile at KNOTS by reweighted least squares, shrunk to a prior; shape (knots,)."""
    solved = prior.copy()
    if not len(value):
        return solved
    scale = float(np.median(np.abs(value - np.median(value)))) + 1e-6
    for _ in range(ROUNDS):
        off = value - weight @ solved
        pull = np.where(off > 0, level, 1 - level) / np.maximum(np.abs(off), 0.03 * scale)
        pulled = weight * pull[:, None]
        strength = 0.5 * PRIOR_SPECTRA * float(pull.mean())
        matrix = pulled.T @ weight + strength * np.eye(len(prior))
        before = solved
        solved = np.asarray(np.linalg.solve(matrix, pulled.T @ value + strength * prior), np.float64)
        if np.abs(solved - before).max() < SETTLED * scale:
            break
    return solved


def _beyond_their_bulk(
    strangeness: NDArray[np.float64], sources: NDArray[np.str_], bulks: dict[str, Bulk]
) -> NDArray[np.float64]:
    """Return strangeness beyond the bulk of each spectrum's source, shape (B, kinds)."""
    beyond = strangeness.copy()
    for source, bulk in bulks.items():
        beyond[sources == source] = bulk.rebased(strangeness[sources == source])
    return beyond


def _shape(strangeness: NDArray[np.float64]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return quantiles at LEVELS and the tail beyond of every kind, (kinds, levels) and (kinds,)."""
    quantile, tail = [], []
    for column in strangeness.T:
        says = column[column > NEVER_STRANGE]
        quantile.append(np.quantile(says, LEVELS))
        over = torch.tensor(says[says > quantile[-1][-1]] - quantile[-1][-1])
        tail.append(float(_tail(over)))
    return torch.tensor(np.array(quantile)).float(), torch.tensor(tail)


def _tail(over: torch.Tensor) -> torch.Tensor:
    """Most likely e-folding length of an exponential, the largest values known only to be the largest."""
    if len(over) <= CENSORED + 1:
        return torch.tensor(UNSEEN_TAIL)
    counted = len(over) - CENSORED
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
        apart = Reference("", *(torch.zeros(0),) * 6, *_familiar(normal, ~half), EVERYTHING)
        value[half] = apart.measured(rows_of(normal, half)).value
    return replace(normal, value=value)
