"""What changed between two spectra of one object, and how sure that is."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from spectraq.models import shipped
from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.change.answers_apart import answers_apart
from spectraq.models.change.epoch import Epoch
from spectraq.models.change.evidence import PairEvidence, measured
from spectraq.models.change.light import KnownSupernova
from spectraq.models.change.null import Null, Tail
from spectraq.models.change.pair import IncomparableError
from spectraq.models.change.reasons import told
from spectraq.models.change.record import Change, ChangeReason
from spectraq.models.change.response import Calibration, calibrations, instruments
from spectraq.models.change.separation import separation_arcsec

FILE = "changes.json"
FLAG_RATE = 0.01
"""A pair is flagged when fewer unchanged ones than this look as changed."""
SURE_RATE = 1e-4
"""Of light that came or went, below which changed lines and continuum are its doing."""
MIN_SNR = 0.5
"""Median S/N a pixel, below which nothing could be seen to change."""
MAX_SEPARATION_ARCSEC = 3.0
"""Between two positions of one object: a fibre's width, and what lies between two surveys' astrometry."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that two spectra are compared with.

    Attributes
    ----------
    reference
        Name of the pairs that rates were learned from.
    """

    reference: str
    calibrations: Mapping[str, Calibration]
    null: Null
    supernovae: Supernovae
    known: Sequence[KnownSupernova]
    answer_rate: float  # how often class or redshift of unchanged pairs differ, where both seem sure

    @classmethod
    def load(cls, folder: Path = shipped.FOLDER) -> Comparison:
        """Read the card and the supernovae of a folder of weights.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where one of them is not there.
        """
        card = json.loads(shipped.required(folder, FILE)[0].read_text())
        return cls.of(card, Supernovae.load(folder))

    @classmethod
    def of(cls, card: Mapping[str, Any], supernovae: Supernovae) -> Comparison:
        """Return what a card holds."""
        tails = {
            name: {test: Tail(*numbers) for test, numbers in tests.items()}
            for name, tests in card["tails"].items()
        }
        known = [
            KnownSupernova(one["name"], one["type"], one["phase"], tuple(one["coefficients"]))
            for one in card["supernovae"]
        ]
        return cls(
            card["name"], calibrations(card["response"]), Null(tails), supernovae, known, card["answer_rate"]
        )

    def measured(self, earlier: Epoch, newer: Epoch) -> PairEvidence:
        """Return what is measured of a pair, before it is judged.

        Raises
        ------
        IncomparableError
            Where the two can't be compared: other positions, no common wavelengths, or nothing but noise.
        """
        _check(earlier, newer)
        calibration = self.calibrations[instruments(earlier.survey, newer.survey)]
        return measured(earlier, newer, calibration, self.supernovae, self.known)

    def compare(self, earlier: Epoch, newer: Epoch) -> Change:
        """Return what changed.

        Raises
        ------
        IncomparableError
            As of `measured`.
        """
        return self.judged(self.measured(earlier, newer), earlier, newer)

    def judged(self, evidence: PairEvidence, earlier: Epoch, newer: Epoch) -> Change:
        """Return what changed of what was measured of a pair."""
        strengths = evidence.strengths()
        rates = self.null.rates(evidence.spectype, strengths)
        reasons = [
            told(test, rate, sigma_of(rate), evidence, earlier, newer)
            for test, rate in rates.items()
            if rate < FLAG_RATE
        ]
        reasons += answers_apart(earlier, newer, evidence, self.answer_rate)
        reasons = _without_consequences(sorted(reasons, key=lambda reason: reason.false_positive_rate))
        overall = min([*rates.values(), *(reason.false_positive_rate for reason in reasons)])
        return self._change(earlier, newer, evidence, tuple(reasons), overall)

    def _change(
        self,
        earlier: Epoch,
        newer: Epoch,
        evidence: PairEvidence,
        reasons: tuple[ChangeReason, ...],
        overall: float,
    ) -> Change:
        pair = evidence.pair
        changed = overall < FLAG_RATE and bool(reasons)
        days = None if earlier.mjd is None or newer.mjd is None else newer.mjd - earlier.mjd
        response = np.exp(
            np.abs(np.log(pair.response[pair.used] / np.median(pair.response[pair.used]))).max()
        )
        return Change(
            changed=changed,
            false_positive_rate=overall,
            reasons=reasons if changed else (),
            days=days,
            spectype=evidence.spectype,
            z=evidence.z,
            snr=(earlier.snr, newer.snr),
            overlap=int(pair.used.sum()),
            response=float(response),
            level=_level(earlier, newer, evidence),
            reference=self.reference,
            message=_message(reasons if changed else (), days, overall),
        )


def sigma_of(rate: float) -> float:
    """Return the sigma of a Gaussian that is exceeded as rarely."""
    return -NormalDist().inv_cdf(min(max(rate, 1e-300), 0.5))


def _level(earlier: Epoch, newer: Epoch, evidence: PairEvidence) -> float | None:
    if not earlier.flux_cgs or not newer.flux_cgs:
        return None
    ratio = evidence.pair.newer.scale * newer.flux_cgs / (evidence.pair.earlier.scale * earlier.flux_cgs)
    return ratio if math.isfinite(ratio) else None


def _without_consequences(reasons: list[ChangeReason]) -> list[ChangeReason]:
    """Return what is told: of two objects nothing else has changed, and light that came dilutes lines."""
    answers = ("class_changed", "redshift_changed")
    if any(reason.kind == "different_object" for reason in reasons):
        kept = ("different_object", *answers)
        told_of = [reason for reason in reasons if reason.kind in kept]
        return sorted(told_of, key=lambda reason: kept.index(reason.kind))
    if any(reason.kind == "transient" and reason.false_positive_rate < SURE_RATE for reason in reasons):
        beside = ("transient", "line_appeared", "line_faded", *answers)
        return [reason for reason in reasons if reason.kind in beside]
    return reasons


def _message(reasons: Sequence[ChangeReason], days: float | None, overall: float) -> str:
    after = "" if days is None else f" {abs(days):,.1f} days {'later' if days >= 0 else 'earlier'}"
    if not reasons:
        return f"Nothing changed{after}: {overall:.0%} of unchanged pairs look as different."
    return f"{reasons[0].message}{',' if after else ''}{after}."


def _check(earlier: Epoch, newer: Epoch) -> None:
    apart = separation_arcsec(earlier.ra, earlier.dec, newer.ra, newer.dec)
    if apart is not None and apart > MAX_SEPARATION_ARCSEC:
        raise IncomparableError(
            f"the two spectra lie {apart:,.1f} arcsec apart on the sky, more than {MAX_SEPARATION_ARCSEC:g}: "
            "they are of two objects; compare spectra of one"
        )
    for name, epoch in (("earlier", earlier), ("newer", newer)):
        if epoch.snr < MIN_SNR:
            raise IncomparableError(
                f"the {name} spectrum has a median S/N of {epoch.snr:.2f} a pixel, below {MIN_SNR:g}: "
                "it is too noisy to show a change; compare a better one"
            )
