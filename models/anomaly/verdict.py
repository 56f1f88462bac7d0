"""The judgement of one spectrum."""

from __future__ import annotations

from dataclasses import dataclass

from spectraq.models.answer import Reason


@dataclass(frozen=True, slots=True)
class Verdict:
    """How strange a spectrum is among normal ones of its class and S/N."""

    score: float  # -log10 of the false-positive rate
    false_positive_rate: float
    flagged: bool
    reasons: tuple[Reason, ...]
