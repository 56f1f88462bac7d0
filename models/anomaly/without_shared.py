"""Anomalies judged without what the exposure, plate or fibre of a spectrum does to all of its spectra."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from spectraq.models.anomaly.coarse_residual import (
    SIDE,
    STRETCH_PIXELS,
    Stretches,
    in_sigma,
    read_stretches,
)
from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.in_group import KnownGroup
from spectraq.models.anomaly.judge import FLAG_RATE, attributed_to, told_of
from spectraq.models.anomaly.kinds import DETECTOR, KINDS
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.shared_fault import Fault
from spectraq.models.anomaly.shared_pattern import ARM_STEP, SHOWN, Pattern, alike
from spectraq.models.answer import Answer, Evidence, Reason
from spectraq.models.grid.axis import pixel_of

LINES = {"unmodelled_emission": 1, "unmodelled_absorption": -1}
"""Kinds of narrow features, and the sign of what is left there."""
NEAR = 2
"""Stretches beyond a pattern in which the features that it makes are sought, too."""
EXPLAINED = 0.5
"""Part of what a spectrum leaves beyond noise: where a pattern takes away so much, it is the cause."""


def judged_without(
    answers: Sequence[Answer],
    faults: Sequence[Sequence[Fault]],
    groups: Sequence[KnownGroup | None],
    reference: Reference,
) -> list[Answer]:
    """Return the answers with what the faults of their groups explain taken from their anomalies.

    Parameters
    ----------
    answers
        As of `judged_in_groups`.
    faults
        Of the groups of each.
    groups
        What each was judged by, as of `judged_in_groups`.
    """
    rows = zip(answers, faults, groups, strict=True)
    return [_judged(*row, reference) if row[1] else row[0] for row in rows]


LEAST_POWER = 0.2
"""Of the noise's: a pattern that takes away less than EXPLAINED of it has made nothing strange."""


def _judged(
    answer: Answer, faults: Sequence[Fault], group: KnownGroup | None, reference: Reference
) -> Answer:
    evidence = answer.anomaly_evidence
    if evidence is None or not evidence.stretches:
        return answer
    left = read_stretches([evidence.stretches])
    shown = [one for one in faults if alike(left.levels, one.pattern)[0] > SHOWN]
    if not shown:
        return answer
    answer = dataclasses.replace(answer, anomaly_shared=tuple(one.told.fault_id for one in shown))
    kinds = {kind for one in shown for kind in explained(evidence, left, one.pattern)}
    return _without(answer, evidence, kinds, group, reference) if kinds else answer


def _without(
    answer: Answer, evidence: Evidence, kinds: set[str], group: KnownGroup | None, reference: Reference
) -> Answer:
    """Return an answer in which these kinds are as common as can be."""
    strangeness = np.array([evidence.strangeness], dtype=np.float64)
    if group is None:
        rates = reference.rates_alone(torch.from_numpy(strangeness).to(reference.tail))
    else:
        rates = reference.rates(torch.from_numpy(group.bulk.rebased(strangeness)).to(reference.tail))
    columns = [KINDS.index(kind) for kind in kinds]
    rates[:, [*columns, DETECTOR] if evidence.detected in kinds else columns] = 1.0
    named = torch.tensor([KINDS.index(evidence.detected)], device=rates.device)
    rate, told = float(together(rates)[0]), attributed_to(rates, named)[0].tolist()
    flagged = rate < FLAG_RATE
    return dataclasses.replace(
        answer,
        anomaly_score=-math.log10(rate),
        anomaly_false_positive_rate=rate,
        anomaly_flagged=flagged,
        anomaly_reasons=told_of(evidence, told, kinds) if flagged else (),
    )


def explained(evidence: Evidence, left: Stretches, pattern: Pattern) -> set[str]:
    """Return the kinds of strangeness of a spectrum that a pattern which it shows explains.

    A line or the sky's lines are where the pattern is, a step is where the pattern has one; what is seen in
    the whole spectrum (second objects, a supernova, a poor fit) is explained where the pattern takes away
    EXPLAINED of what the spectrum leaves beyond noise.

    Parameters
    ----------
    left
        What the fit leaves of it, of one row.
    """
    causes = evidence.by_score()
    mostly = _is_most(in_sigma(left.levels)[0], float(left.scatter[0]), pattern)
    named = {*causes, evidence.detected}
    return {kind for kind in named if _explains(pattern, kind, causes.get(kind), mostly)}


def _explains(pattern: Pattern, kind: str, cause: Reason | None, mostly: bool) -> bool:
    if kind == pattern.kind != ARM_STEP:
        return True
    if kind in LINES:
        return cause is not None and _is_there(pattern, cause, LINES[kind])
    if kind == ARM_STEP and pattern.kind == ARM_STEP:
        return cause is None or abs(_stretch(cause) - pattern.place) <= 2 * SIDE
    return mostly


def _is_there(pattern: Pattern, cause: Reason, sign: int) -> bool:
    """Say whether a line lies on a narrow pattern of its sign, or at the step of one that has a step."""
    place = _stretch(cause)
    if pattern.kind == ARM_STEP:
        return abs(place - pattern.place) <= NEAR
    near = pattern.profile[max(place - NEAR, 0) : place + NEAR + 1]
    return pattern.is_narrow and bool((near * sign > 0).any())


def _stretch(cause: Reason) -> int:
    return int(pixel_of(0.5 * (cause.wavelength_min + cause.wavelength_max)) // STRETCH_PIXELS)


def _is_most(sigma: NDArray[np.float64], scatter: float, pattern: Pattern) -> bool:
    """Say whether a pattern explains most of what a spectrum leaves, on the scale of SIDE stretches."""
    profile = pattern.profile * (sigma != 0)
    size = float((profile**2).sum())
    if size == 0:
        return False
    left = sigma - profile * float((sigma * profile).sum()) / size
    before, after, noise = _power(sigma), _power(left), scatter**-2
    return before - after >= EXPLAINED * max(before - noise, noise * LEAST_POWER)


def _power(values: NDArray[np.float64]) -> float:
    """Return the mean square of running means, one for independent stretches of unit error."""
    means = sliding_window_view(values, SIDE).mean(axis=1) * math.sqrt(SIDE)
    return float((means**2).mean())
