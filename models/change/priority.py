"""How urgently somebody should look at a change: what it is worth if it is real, times how sure it is."""

from __future__ import annotations

import math

from spectraq.models.change.compare import FLAG_RATE
from spectraq.models.change.record import Change

INTEREST = {
    "transient": 1.0,
    "line_appeared": 0.8,
    "line_faded": 0.8,
    "absorption_changed": 0.7,
    "velocity_changed": 0.6,
    "continuum_changed": 0.5,
    "line_changed": 0.5,
    "class_changed": 0.4,
    "redshift_changed": 0.2,
    "different_object": 0.1,
}
"""From what fades within days to what is an error of somebody's."""
CERTAIN_RATE = 1e-6
"""False-positive rate from which on a change is as sure as it gets."""
LEAST_CERTAINTY = 0.25
"""Of a change that is just flagged."""


def priority(change: Change) -> float:
    """Return a number from 0, where nothing changed, to 1."""
    if not change.changed:
        return 0.0
    return max(
        INTEREST.get(reason.kind, 0.0) * _certainty(reason.false_positive_rate) for reason in change.reasons
    )


def _certainty(rate: float) -> float:
    decades = math.log10(FLAG_RATE / max(rate, CERTAIN_RATE)) / math.log10(FLAG_RATE / CERTAIN_RATE)
    return LEAST_CERTAINTY + (1 - LEAST_CERTAINTY) * min(max(decades, 0.0), 1.0)
