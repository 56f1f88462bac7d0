"""False positives on a stream: how many normal real spectra are flagged, before and after the worker adapts.

No survey's normal spectra here number 500, so a stream is made of fainter copies: to a real spectrum noise is
added until its S/N is as low as a fainter object's would be. Objects are in two halves: one teaches the
reference and makes up the stream that is adapted to, copies of the other are judged, and the other way round.
Spectra without an ivar of their own are left out, as what is added would not be smoothed as they are.
Needs the folder of real spectra beside the checkout. Run as `python benchmarks/stream.py`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import torch
from anomalies import DATA, Hosts
from numpy.typing import NDArray

from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.judge import FLAG_RATE
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.scores import Scores
from spectraq.models.anomaly.stream_cells import BULK_RATE, LEAST_SPECTRA, Cell, cell_names
from spectraq.models.classes import CLASSES
from spectraq.models.tensors import rows_of
from spectraq.models.training.measure import normal_spectra

STREAM = 500
COPIES = 12
"""Of each object, the first with nothing added."""
STREAMS = 40
"""Drawn from the copies of one half."""
FAINTEST = 4.0
"""Noise becomes up to so many times what it was."""
LEAST_OBJECTS = 60
"""A survey with fewer is not shown: its halves would be the same few objects again and again."""


@dataclass(frozen=True)
class Seen:
    """Copies of some objects as a worker sees them: rates by the reference, and their cells."""

    rates: list[float]
    cells: list[tuple[str, str, str]]


def copies(hosts: Hosts, objects: NDArray[np.int64], rng: np.random.Generator) -> Scores:
    """Score copies of some objects with their noise multiplied."""
    rows = np.repeat(objects, COPIES)
    factor = FAINTEST ** rng.random(len(rows))[:, None]
    factor[::COPIES] = 1.0
    ivar = hosts.ivar[rows] / factor**2
    sigma = np.where(ivar > 0, 1 / np.sqrt(np.where(ivar > 0, ivar, 1.0)), 0.0)
    added = sigma * np.sqrt(1 - 1 / factor**2) * rng.standard_normal(sigma.shape)
    return hosts.scores(hosts.flux[rows] + added, rows, ivar)


def seen(scores: Scores, survey: str, reference: Reference) -> Seen:
    """Judge by a reference alone."""
    rates = together(reference.rates(reference.measured(scores))).tolist()
    snr = (10**scores.log_snr).tolist()
    classes = [CLASSES[c] for c in scores.spectype.tolist()]
    return Seen(rates, [cell_names(survey, c, s) for c, s in zip(classes, snr, strict=True)])


def learned(stream: Seen, rows: NDArray[np.int64]) -> dict[str, Cell]:
    """Fill the cells with some rows, as workers do."""
    cells: dict[str, Cell] = defaultdict(Cell)
    for i in rows:
        rate = stream.rates[i]
        for name in stream.cells[i] if rate > BULK_RATE else ():
            cells[name] = Cell(cells[name].n + 1, cells[name].depth - math.log(rate))
    return cells


def flagged(tests: Seen, cells: dict[str, Cell]) -> float:
    """Return the share that is flagged, each judged by the narrowest cell that has seen enough."""
    count = 0
    for rate, names in zip(tests.rates, tests.cells, strict=True):
        ready = (cells[name] for name in names if cells[name].n >= LEAST_SPECTRA)
        count += next(ready, Cell()).rate(rate) < FLAG_RATE
    return count / len(tests.rates)


def measured(hosts: Hosts, clean: Scores, survey: str) -> tuple[list[float], list[float]]:
    """Shares of flagged spectra by the reference alone, by half, and after 500 of each stream."""
    rng = np.random.default_rng(3)
    half = np.random.default_rng(0).permutation(len(hosts.z)) % 2
    mine = hosts.survey == survey
    before, after = [], []
    for h in (0, 1):
        reference = normal_spectra.learn("half", rows_of(clean, torch.from_numpy(half != h)))
        taught, tests = (
            seen(copies(hosts, np.flatnonzero(mine & part), rng), survey, reference)
            for part in (half != h, half == h)
        )
        before.append(flagged(tests, defaultdict(Cell)))
        for _ in range(STREAMS):
            after.append(flagged(tests, learned(taught, rng.choice(len(taught.rates), STREAM))))
    return before, after


def main() -> None:
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    hosts = Hosts()
    clean = hosts.scores(hosts.flux, np.arange(len(hosts.z)))
    given = ~hosts.gridded.noise_estimated.numpy()
    print(f"flagged at a nominal {FLAG_RATE:.0%}, by the reference alone and after {STREAM} spectra")
    print(
        f"{'survey':12s} {'objects':>7s} {'alone':>7s} {'adapted':>8s}   of ten streams, nine below and above"
    )
    for survey in np.unique(hosts.survey[given]):
        objects = int((hosts.survey == survey).sum())
        if objects < LEAST_OBJECTS:
            continue
        before, after = measured(hosts, clean, str(survey))
        low, high = np.quantile(after, (0.1, 0.9))
        print(
            f"{survey:12s} {objects:7d} {np.mean(before):7.4f} {np.mean(after):8.4f}   {high:.4f}, {low:.4f}"
        )


if __name__ == "__main__":
    main()
