"""All scores together: is this spectrum stranger than normal ones of its class and S/N, and why?"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from statistics import NormalDist

import torch

from spectraq.models import shipped
from spectraq.models.anomaly import detector
from spectraq.models.anomaly.airglow import airglow
from spectraq.models.anomaly.arm_step import sharpest
from spectraq.models.anomaly.coarse_residual import written_stretches
from spectraq.models.anomaly.detector import Detector
from spectraq.models.anomaly.detector_input import evidence, picture
from spectraq.models.anomaly.false_positive_shares import shares, together
from spectraq.models.anomaly.instrument_scores import instrument_scores
from spectraq.models.anomaly.joint_fit import FirstObject, Leftover
from spectraq.models.anomaly.kinds import COUNTED, DETECTOR, KINDS, SEEN
from spectraq.models.anomaly.line_errors import NO_ERRORS, LineErrors
from spectraq.models.anomaly.reasons import reason
from spectraq.models.anomaly.reference import NEVER_STRANGE, Reference
from spectraq.models.anomaly.residual import Measured, Residual
from spectraq.models.anomaly.scores import Scores, beside_own_nulls, score, with_instrument
from spectraq.models.anomaly.second_object import CompanionSearch
from spectraq.models.anomaly.unexplained_lines import Search, confirmed, filtered
from spectraq.models.anomaly.unfamiliar import Unfamiliar
from spectraq.models.anomaly.verdict import ALONE, OUTSIDE, Verdict
from spectraq.models.answer import Evidence, Reason
from spectraq.models.batch import BatchAnalysis, in_blocks
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.model_error import LEAST_LEVEL
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.tensors import joined, rows_of
from spectraq.models.tiles import NETWORK_ROWS, in_tiles

FLAG_RATE = 0.01
"""A spectrum is flagged when fewer normal ones than this are as strange."""
LEAST_SAMPLING = 0.8
"""Grid pixels a pixel of a spectrum: in finer ones, brought to the grid, a line may fill one alone."""
TOO_NARROW = ("cosmic_ray", "dead_column")
TOLD_RATE = 0.1
"""Causes are kept below this already: a group may change which of them is the most unlikely."""


class Scorer:
    """All that scores are made with, on one device.

    Parameters
    ----------
    companions
        What may shine beside the first object.
    network
        The detector, ready for inference; None before it is trained.
    line_errors
        What the fit leaves in lines of normal spectra, on the same device.
    """

    def __init__(
        self,
        companions: CompanionSearch,
        network: Detector | None,
        device: torch.device,
        line_errors: LineErrors = NO_ERRORS,
    ) -> None:
        self._companions = companions
        self._detector = network
        self._airglow = airglow(device)
        self._line_errors = line_errors

    @classmethod
    def load(cls, folder: Path, bases: dict[str, Basis], device: torch.device) -> Scorer:
        """Read the supernovae and the detector of a folder of weights, without line errors."""
        path = shipped.required(folder, detector.FILE)[0]
        return cls(CompanionSearch.load(folder, bases, device), Detector.load(path, device), device)

    def beside(self, line_errors: LineErrors) -> Scorer:
        """Return the same with other line errors, on the same device."""
        scorer = copy.copy(self)
        scorer._line_errors = line_errors
        return scorer

    def score(self, analysis: BatchAnalysis, block: int) -> Scores:
        """Score a batch, `block` rows at a time."""
        return joined([scores for scores, _, _ in self.pictures(analysis, block)])

    def pictures(
        self, analysis: BatchAnalysis, block: int
    ) -> Iterator[tuple[Scores, torch.Tensor, torch.Tensor]]:
        """Score a batch block by block, with the picture and the evidence that the detector sees."""
        measured, first_objects = Measured.of(analysis), FirstObject.of(analysis)
        unfamiliar = Unfamiliar.of(analysis)
        for part, rows in in_blocks(torch.arange(len(measured.lag), device=measured.lag.device), block):
            residual, left = Residual.of(rows_of(measured, rows)), Leftover.of(rows_of(first_objects, rows))
            ratio, weight = filtered(residual)
            search = Search.of(residual, ratio, self._airglow)
            companions, jump = self._companions.search(left), sharpest(left)
            scores = score(residual, search, companions, jump, rows_of(unfamiliar, rows), self._airglow)
            planes, numbers = picture(residual, ratio), evidence(scores, residual)
            if self._detector is not None:
                scores = _with(scores, in_tiles(self._detector, planes, numbers, tile=NETWORK_ROWS))
            level = residual.model.abs().clamp_min(LEAST_LEVEL)
            left_in_lines = self._line_errors.variance(residual.spectype, residual.lag)
            line = confirmed(residual, ratio, search.beside(weight, level, left_in_lines))
            scores = beside_own_nulls(scores, line, companions, jump)
            faults = instrument_scores(residual, left, search, line, companions)
            scores = with_instrument(scores, faults)
            counted = slice(len(part))
            yield rows_of(scores, counted), planes[counted], numbers[counted]


class Judge:
    """Scores and the normal spectra they are compared with."""

    def __init__(self, reference: Reference, scorer: Scorer) -> None:
        self.reference = reference.name
        self._normal = reference
        self._scorer = scorer

    @classmethod
    def load(cls, folder: Path, bases: dict[str, Basis], device: torch.device) -> Judge:
        """Read the reference, the line errors, the detector and the supernovae of a folder of weights."""
        scorer = Scorer.load(folder, bases, device).beside(LineErrors.load(folder, device))
        return cls(Reference.load(folder, device), scorer)

    def judge(self, analysis: BatchAnalysis, block: int, samplings: Sequence[float]) -> list[Verdict]:
        """Judge every spectrum of a batch alone, `block` rows at a time.

        Parameters
        ----------
        samplings
            Of every spectrum, as of `reach.sampling`.
        """
        scores = self._normal.measured(self._scorer.score(analysis, block))
        strangeness = self._normal.strangeness(scores)
        scores, strangeness = _resolved(scores, strangeness, samplings)
        rates = self._normal.rates_alone(strangeness)
        table = zip(
            strangeness.tolist(),
            together(rates).tolist(),
            attributed(rates, scores.seen).tolist(),
            attributed(self._normal.rates(strangeness), scores.seen).tolist(),
            detected(scores.seen).tolist(),
            scores.size.tolist(),
            scores.low.tolist(),
            scores.high.tolist(),
            scores.told_as.tolist(),
            scores.spectype.tolist(),
            z_of(analysis.lag).tolist(),
            (analysis.gridded.ivar > 0).sum(1).tolist(),
            samplings,
            written_stretches(Measured.of(analysis), block),
            strict=True,
        )
        return [self._verdict(*row) for row in table]

    def _verdict(
        self,
        strangeness: list[float],
        overall: float,
        alone: list[float],
        least: list[float],
        named: int,
        size: list[float],
        low: list[int],
        high: list[int],
        told_as: list[int],
        spectype: int,
        z: float,
        seen: int,
        pixels: float,
        stretches: str,
    ) -> Verdict:
        """Say how strange a spectrum is alone, and keep what its group may make of it."""
        if outside := self._normal.reach.outside(pixels, seen, spectype, z):
            return Verdict(0.0, 1.0, False, (outside,), OUTSIDE)
        # No group makes a spectrum stranger than `least`.
        causes = {
            KINDS[k]: reason(KINDS[told_as[k]], size[k], sigma_of(alone[k]), low[k], high[k], z)
            for k, rate in enumerate(least)
            if rate < TOLD_RATE
        }
        rounded = tuple(round(one, 3) for one in strangeness)
        evidence = Evidence(rounded, KINDS[named], tuple(causes.values()), stretches, tuple(causes))
        flagged = overall < FLAG_RATE
        told = told_of(evidence, alone) if flagged else ()
        return Verdict(-math.log10(overall), overall, flagged, told, ALONE, evidence)


def _resolved(
    scores: Scores, strangeness: torch.Tensor, samplings: Sequence[float]
) -> tuple[Scores, torch.Tensor]:
    """Return scores and strangeness in which nothing is too narrow for a line where pixels are finer.

    On the grid lines of a spectrum with finer pixels than the grid's may be as narrow as a cosmic ray.
    """
    fine = (torch.tensor(samplings, device=strangeness.device) < LEAST_SAMPLING)[:, None]
    narrow = torch.tensor([kind in TOO_NARROW for kind in KINDS], device=strangeness.device)
    own = torch.arange(len(KINDS), device=narrow.device)
    told_as = torch.where(fine & narrow[scores.told_as], own, scores.told_as)
    strangeness = torch.where(fine & narrow, NEVER_STRANGE, strangeness)
    return dataclasses.replace(scores, told_as=told_as), strangeness


def told_of(evidence: Evidence, rates: Sequence[float], without: Collection[str] = ()) -> tuple[Reason, ...]:
    """Return what would have flagged a spectrum alone, the most unlikely first, each with its strength.

    What several scores tell as the same fault is told once.

    Parameters
    ----------
    evidence
        With what may be told.
    rates
        Of every kind over its share, as of `attributed`.
    without
        Kinds of scores that are not told.
    """
    causes = evidence.by_score()
    ordered = sorted((rates[KINDS.index(kind)], i) for i, kind in enumerate(causes) if kind not in without)
    told = [(rate, i) for rate, i in ordered if rate < FLAG_RATE] or ordered[:1]
    listed = list(causes.values())
    by_fault: dict[tuple[str, float, float], Reason] = {}
    for rate, i in told:
        cause = listed[i]
        fault = (cause.kind, cause.wavelength_min, cause.wavelength_max)
        by_fault.setdefault(fault, dataclasses.replace(cause, strength=sigma_of(rate)))
    return tuple(by_fault.values())


def attributed(rates: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    """Return the rates over shares of every kind, the detector's given to what it thinks it sees; (B, kinds).

    Parameters
    ----------
    rates
        From `Reference.rates`.
    seen
        As of `Scores.seen`.
    """
    return attributed_to(rates, detected(seen))


def attributed_to(rates: torch.Tensor, named: torch.Tensor) -> torch.Tensor:
    """Return the same where the detector sees the kinds of these columns, shape (B,)."""
    alone = rates / shares(rates.device)
    detector_rate = alone[:, DETECTOR, None]
    alone = alone.scatter(1, named[:, None], torch.minimum(alone.gather(1, named[:, None]), detector_rate))
    alone[:, DETECTOR] = 1.0
    return alone


def detected(seen: torch.Tensor) -> torch.Tensor:
    """Return the column of the kind that the detector thinks it sees, shape (B,)."""
    column = torch.tensor([KINDS.index(kind) for kind in COUNTED], device=seen.device)
    return column[seen[:, [SEEN.index(kind) for kind in COUNTED]].argmax(1)]


def _with(scores: Scores, seen: torch.Tensor) -> Scores:
    """Add what the detector sees."""
    value = scores.value.clone()
    value[:, DETECTOR] = detector.odds(seen)
    return dataclasses.replace(scores, value=value, seen=seen)


def sigma_of(rate: float) -> float:
    """Return the sigma of a Gaussian that is exceeded as rarely."""
    return -NormalDist().inv_cdf(min(rate, 0.5))
