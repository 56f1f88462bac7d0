"""The results of one spectrum as they come: on a topic each, in any order."""

from __future__ import annotations

from dataclasses import dataclass

from spectraq.schemas.results import Anomaly, Classification, Measurement, Redshift, Result

RESULT_KINDS: tuple[type[Result], ...] = (Classification, Redshift, Anomaly)
"""One of each is published for every spectrum; a measurement unless it is turned off, a model on request."""


@dataclass
class GatheredResults:
    """The results of one spectrum that have come so far."""

    classification: Classification | None = None
    redshift: Redshift | None = None
    anomaly: Anomaly | None = None
    measurement: Measurement | None = None

    def take(self, result: Result) -> None:
        """Keep a result in the place of an earlier one of its kind."""
        match result:
            case Classification():
                self.classification = result
            case Redshift():
                self.redshift = result
            case Anomaly():
                self.anomaly = result
            case Measurement():
                self.measurement = result

    @property
    def complete(self) -> bool:
        """Whether the three that every spectrum has have come."""
        return None not in (self.classification, self.redshift, self.anomaly)
