"""The judgement of one spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from spectraq.models.answer import Evidence, Reason

ALONE, ADAPTED, OUTSIDE = "alone", "adapted", "outside_reference"
"""Judged as a spectrum of a source that nobody knows, by what is beyond its group's bulk, or not at all."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How strange a spectrum is among normal ones of its class and S/N."""

    score: float  # -log10 of the false-positive rate
    false_positive_rate: float
    flagged: bool
    reasons: tuple[Reason, ...]
    judgement: str = ALONE
    evidence: Evidence | None = None
