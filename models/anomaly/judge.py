"""All scores together: is this spectrum stranger than normal ones of its class and S/N, and why?"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

import torch

from models.analysis import Analysis, in_blocks
from models.anomaly.companion import CompanionSearch
from models.anomaly.jump import sharpest
from models.anomaly.leftover import FirstObject, Leftover
from models.anomaly.networks import Unfamiliar
from models.anomaly.reasons import reason
from models.anomaly.reference import Reference
from models.anomaly.residual import Residual
from models.anomaly.scores import KINDS, Scores, score
from models.anomaly.shares import SHARE, together
from models.anomaly.sky import airglow
from models.anomaly.verdict import Verdict
from models.eigenspectra import Basis
from models.refine import z_of
from models.rows import joined, rows_of

FLAG_RATE = 0.01
"""A spectrum is flagged when fewer normal ones than this are as strange."""
TOLD_RATE = 0.1
"""Reasons are told below this already: a stream of cleaner spectra than the reference's may flag them."""


class Scorer:
    """All that scores are made with, on one device.

    Parameters
    ----------
    companions
        What may shine beside the first object.
    """

    def __init__(self, companions: CompanionSearch, device: torch.device) -> None:
        self._companions = companions
        self._airglow = airglow(device)

    def score(self, analysis: Analysis, block: int) -> Scores:
        """Score a batch, `block` rows at a time."""
        residual, known, unfamiliar = Residual.of(analysis), FirstObject.of(analysis), Unfamiliar.of(analysis)
        done = []
        for part, filled in in_blocks(torch.arange(len(residual.lag), device=residual.lag.device), block):
            left = Leftover.of(rows_of(known, filled))
            scores = score(
                rows_of(residual, filled),
                self._companions.search(left),
                sharpest(left),
                rows_of(unfamiliar, filled),
                self._airglow,
            )
            done.append(rows_of(scores, slice(len(part))))
        return joined(done)


class Judge:
    """Scores and the normal spectra they are compared with."""

    def __init__(self, reference: Reference, scorer: Scorer) -> None:
        self.reference = reference.name
        self._normal = reference
        self._scorer = scorer

    @classmethod
    def load(cls, folder: Path, bases: dict[str, Basis], device: torch.device) -> Judge:
        """Read the reference and the supernovae of a folder of weights."""
        scorer = Scorer(CompanionSearch.load(folder, bases, device), device)
        return cls(Reference.load(folder, device), scorer)

    def judge(self, analysis: Analysis, block: int) -> list[Verdict]:
        """Judge a batch, `block` rows at a time."""
        scores = self._normal.measured(self._scorer.score(analysis, block))
        rates = self._normal.rates(scores)
        overall = together(rates).tolist()
        z = z_of(analysis.lag).tolist()
        table = zip(
            rates.tolist(), scores.size.tolist(), scores.low.tolist(), scores.high.tolist(), strict=True
        )
        verdicts = []
        for i, (by_kind, size, low, high) in enumerate(table):
            flagged, told_at_all = overall[i] < FLAG_RATE, overall[i] < TOLD_RATE
            # What would have flagged it alone; most unlikely first.
            limit = FLAG_RATE if flagged else TOLD_RATE
            alone = [rate / SHARE[kind] for kind, rate in zip(KINDS, by_kind, strict=True)]
            causes = sorted((by_kind[k], k) for k, rate in enumerate(alone) if rate < limit)
            told = tuple(
                reason(KINDS[k], size[k], _sigma(rate), low[k], high[k], z[i])
                for rate, k in causes
                if told_at_all
            )
            verdicts.append(Verdict(-math.log10(overall[i]), overall[i], flagged, told))
        return verdicts


def _sigma(rate: float) -> float:
    """Sigma of a Gaussian that is exceeded as rarely."""
    return -NormalDist().inv_cdf(min(rate, 0.5))
