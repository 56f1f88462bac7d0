"""All scores together: is this spectrum stranger than normal ones of its class and S/N, and why?"""

from __future__ import annotations

import math
from pathlib import Path
from statistics import NormalDist

import torch

from models.analysis import Analysis, in_blocks
from models.anomaly.reasons import reason
from models.anomaly.reference import Reference, together
from models.anomaly.residual import Residual
from models.anomaly.scores import KINDS, Scores, score
from models.anomaly.sky import airglow
from models.anomaly.verdict import Verdict
from models.refine import z_of
from models.rows import joined, rows_of

FLAG_RATE = 0.01
"""A spectrum is flagged when fewer normal ones than this are as strange."""


def scored(analysis: Analysis, lines: torch.Tensor, block: int) -> Scores:
    """Score a batch, `block` rows at a time.

    Parameters
    ----------
    lines
        From `sky.airglow`.
    """
    residual = Residual.of(analysis)
    done = []
    for part, filled in in_blocks(torch.arange(len(residual.lag), device=residual.lag.device), block):
        done.append(rows_of(score(rows_of(residual, filled), lines), slice(len(part))))
    return joined(done)


class Judge:
    """Scores and the normal spectra they are compared with."""

    def __init__(self, reference: Reference, device: torch.device) -> None:
        self.reference = reference.name
        self._normal = reference
        self._airglow = airglow(device)

    @classmethod
    def load(cls, folder: Path, device: torch.device) -> Judge:
        """Read the reference of a folder of weights."""
        return cls(Reference.load(folder, device), device)

    def judge(self, analysis: Analysis, block: int) -> list[Verdict]:
        """Judge a batch, `block` rows at a time."""
        scores = scored(analysis, self._airglow, block)
        rates = self._normal.rates(scores)
        overall = together(rates).tolist()
        z = z_of(analysis.lag).tolist()
        table = zip(
            rates.tolist(), scores.size.tolist(), scores.low.tolist(), scores.high.tolist(), strict=True
        )
        verdicts = []
        for i, (by_kind, size, low, high) in enumerate(table):
            flagged = overall[i] < FLAG_RATE
            # What would have flagged it alone; most unlikely first.
            causes = sorted((rate, k) for k, rate in enumerate(by_kind) if rate * len(KINDS) < FLAG_RATE)
            told = tuple(
                reason(KINDS[k], size[k], _sigma(rate), low[k], high[k], z[i])
                for rate, k in causes
                if flagged
            )
            verdicts.append(Verdict(-math.log10(overall[i]), overall[i], flagged, told))
        return verdicts


def _sigma(rate: float) -> float:
    """Sigma of a Gaussian that is exceeded as rarely."""
    return -NormalDist().inv_cdf(min(rate, 0.5))
