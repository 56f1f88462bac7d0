"""Which flagged spectra a person should look at first.

A flag, its score and its rate say how seldom normal spectra are as strange. What is worth a look is another
question: an object's own light before an instrument's fault, what is seldom flagged before what every tenth
flag is, and what people have called interesting before what they have called nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

FORMAT = "spectraq.ranking.1"
INSTRUMENT = "instrument"
INSTRUMENT_DECADES = -2.0
"""An instrument's fault counts as an object's that a hundred times as many normal spectra would show."""
SURE_DECADES = 4.0
"""A rate below one in 10,000 is extrapolated from the reference: beyond, decades count by their logarithm."""
SIGMA_LIMIT = 1e3
FAINT_SNR, LEAST_SEEN = 1.0, 0.01
"""At a median S/N of 1 a pixel every second cause is seen by eye; one in a hundred always is."""
NAMED_KINDS = 12
"""Of each kind one more is counted than was flagged: the first of its kind is no infinite surprise."""


class Flagged(Protocol):
    """What a flagged spectrum is ordered by: its first reason, and whose it is."""

    @property
    def kind(self) -> str:
        """Kind of the first reason."""

    @property
    def origin(self) -> str:
        """Origin of the first reason."""

    @property
    def strength(self) -> float:
        """Strength of the first reason in sigma."""

    @property
    def snr(self) -> float:
        """Median S/N a pixel."""

    @property
    def survey(self) -> str | None:
        """The survey, where it is known."""


@dataclass(frozen=True, slots=True)
class FlaggedSpectrum:
    """A flagged spectrum, as of `Flagged`."""

    kind: str
    origin: str
    strength: float
    snr: float
    survey: str | None = None


@dataclass(frozen=True)
class VerdictWeights:
    """What verdicts of people add to the interest of a flag, in decades; nothing where none are known.

    Attributes
    ----------
    origins, kinds, surveys
        By name.
    """

    origins: Mapping[str, float] = field(default_factory=lambda: {INSTRUMENT: INSTRUMENT_DECADES})
    kinds: Mapping[str, float] = field(default_factory=dict)
    surveys: Mapping[str, float] = field(default_factory=dict)

    def of(self, flagged: Flagged) -> float:
        """Return the decades of one spectrum."""
        return (
            self.origins.get(flagged.origin, 0.0)
            + self.kinds.get(flagged.kind, 0.0)
            + self.surveys.get(flagged.survey or "", 0.0)
        )

    @classmethod
    def load(cls, path: Path) -> VerdictWeights:
        """Read what `spectraq train --from-verdicts` wrote.

        Raises
        ------
        ValueError
            Where the file is not there or is something else, naming it.
        """
        again = "give the file that `spectraq train --from-verdicts` wrote"
        try:
            said = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise ValueError(f"{path} can't be read ({error.strerror}); {again}") from error
        except ValueError as error:
            raise ValueError(f"{path} is no JSON; {again}") from error
        if not isinstance(said, dict) or said.get("format") != FORMAT:
            raise ValueError(f"{path} is not of the format {FORMAT}; {again}")
        try:
            return cls(*(_numbers(said[name]) for name in ("origins", "kinds", "surveys")))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"{path} lacks numbers by origin, kind or survey; {again}") from error


NO_VERDICTS = VerdictWeights()


def interest(flagged: Flagged, counts: Mapping[str, int], weights: VerdictWeights = NO_VERDICTS) -> float:
    """Return how much a flagged spectrum deserves a look, in decades: larger goes first.

    It is how unlikely the first reason is among normal spectra, plus whether an eye can see it at this S/N,
    plus how rare its kind is among flags, plus what people said of its origin, kind and survey. It rises with
    the strength and with the S/N, and of equal strength an object's light is above an instrument's fault.

    Parameters
    ----------
    counts
        Spectra flagged so far, by kind of their first reason.
    weights
        What people said.
    """
    own = _unlikely(flagged.strength) + _seen(flagged.snr)
    return own + _rarity(flagged.kind, counts) + weights.of(flagged)


def _unlikely(sigma: float) -> float:
    """Return -log10 of how often a Gaussian exceeds sigma; beyond `SURE_DECADES` it grows ever slower."""
    sigma = min(max(sigma, 0.0), SIGMA_LIMIT) if not math.isnan(sigma) else 0.0
    if sigma < 30:
        decades = -math.log10(0.5 * math.erfc(sigma / math.sqrt(2)))
    else:  # the first term of its asymptotic series: erfc itself is zero from 38 sigma on
        decades = sigma**2 / 2 / math.log(10) + math.log10(sigma * math.sqrt(2 * math.pi))
    return decades if decades <= SURE_DECADES else SURE_DECADES * (1 + math.log(decades / SURE_DECADES))


def _seen(snr: float) -> float:
    ratio = min(snr / FAINT_SNR, 1e6) if snr > 0 else 0.0
    return math.log10(max(ratio**2 / (1 + ratio**2), LEAST_SEEN))


def _rarity(kind: str, counts: Mapping[str, int]) -> float:
    return -math.log10((counts.get(kind, 0) + 1) / (sum(counts.values()) + NAMED_KINDS))


def _numbers(said: Any) -> dict[str, float]:
    numbers = {str(name): float(number) for name, number in said.items()}
    if not all(map(math.isfinite, numbers.values())):
        raise ValueError("a weight is not finite")
    return numbers
