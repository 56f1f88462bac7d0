"""What is normal: how each score is distributed over normal spectra, of many sources.

Strangeness puts every score on one scale: 0 is the median of normal spectra of the same class and S/N, 1
their 85 %. These two shift with S/N as little as a few hundred spectra allow; the shape beyond is one for all
classes, quantiles up to LEVELS' last and an exponential tail. Sources differ in where their bulk lies
(`group.py`): a spectrum of a known group is judged by what is beyond the group's; one alone as if it came
from any of the reference's sources, each as likely as the other. A reference has a name, because a
false-positive rate holds for the spectra it was measured on and for others only as far as they are like them.
"""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path

import torch

from spectraq.models import shipped
from spectraq.models.anomaly.kinds import KINDS, LATENT, TABLE
from spectraq.models.anomaly.reach import Reach
from spectraq.models.anomaly.scores import Scores
from spectraq.models.classes import CLASSES

FILE = "normal.json"
LEVELS = (0.0, 0.1, 0.25, 0.5, 0.75, 0.85)
"""Beyond the last, too few normal spectra are left for quantiles: the exponential takes over."""
QUARTILE = LEVELS.index(0.75)
KNOTS = (0.0, 0.5, 1.0, 1.5, 2.0)
"""log10 S/N between which median and 85 % are linear; beyond, the nearest counts."""
KNOT_STEP = 0.5
LEAST_RATE = 1e-6
"""No sample of a few hundred says more of a tail than this."""
TENSORS = ("middle", "upper", "quantile", "tail", "shift", "stretch", "centre", "precision")
LEAST_DISTANCE = 1e-3
NEVER_STRANGE = -99.0
"""Strangeness of a score that says nothing."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Distributions of every score.

    Attributes
    ----------
    name
        Of the sample of normal spectra.
    middle, upper
        Median and 85 % of the scores at KNOTS, shape (classes, kinds, knots).
    quantile
        Of strangeness at LEVELS, shape (kinds, levels).
    tail
        e-folding length beyond the last quantile, shape (kinds,).
    shift, stretch
        The bulk of every source, as of `group.Bulk`, shape (sources, kinds).
    centre, precision
        Of the latent vectors, shape (classes, n) and (classes, n, n).
    reach
        Beyond it no rate holds.
    """

    name: str
    middle: torch.Tensor
    upper: torch.Tensor
    quantile: torch.Tensor
    tail: torch.Tensor
    shift: torch.Tensor
    stretch: torch.Tensor
    centre: torch.Tensor
    precision: torch.Tensor
    reach: Reach

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Reference:
        """Read the reference of a folder of weights.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where there is none.
        """
        stored = json.loads(shipped.required(folder, FILE)[0].read_text())
        if tuple(stored["kinds"]) != KINDS or tuple(stored["classes"]) != CLASSES or "stretch" not in stored:
            raise ValueError(f"{folder / FILE}: made for other scores; make it again with `spectraq train`")
        tensors = {name: torch.tensor(stored[name], device=device) for name in TENSORS}
        return cls(stored["name"], reach=Reach.from_card(stored["reach"]), **tensors)

    @property
    def quartile(self) -> torch.Tensor:
        """Return the third quartile of strangeness, shape (kinds,)."""
        return self.quantile[:, QUARTILE]

    def measured(self, scores: Scores) -> Scores:
        """Fill in the latent distance: log of Mahalanobis' distance squared from its class's centre."""
        off = (scores.latent - self.centre[scores.spectype]).double()
        # Term by term: a library's product of small matrices rounds by where they lie in memory.
        turned = (self.precision[scores.spectype].double() * off[:, None]).sum(2)
        distance = (turned * off).sum(1).clamp_min(LEAST_DISTANCE).float()
        encoded = (scores.latent != 0).any(1)
        value, size = scores.value.clone(), scores.size.clone()
        value[:, LATENT] = torch.where(encoded, distance.log(), math.log(LEAST_DISTANCE))
        size[:, LATENT] = torch.where(encoded, distance.sqrt(), 0.0)
        return dataclasses.replace(scores, value=value, size=size)

    def strangeness(self, scores: Scores) -> torch.Tensor:
        """Return how far every score lies beyond normal ones of the same class and S/N, shape (B, kinds).

        Parameters
        ----------
        scores
            As `measured`.
        """
        middle, upper = (
            at_snr(table[scores.spectype], scores.log_snr) for table in (self.middle, self.upper)
        )
        beyond = (scores.value - middle) / (upper - middle)
        by_chi2 = torch.tensor([kind.of_chi2 for kind in TABLE], device=beyond.device)
        return torch.where(scores.noise_estimated[:, None] & by_chi2, NEVER_STRANGE, beyond)

    def rates(self, strangeness: torch.Tensor) -> torch.Tensor:
        """Return how often normal spectra with the reference's bulk are as strange, shape (..., kinds)."""
        below = torch.zeros_like(strangeness)
        for i in range(len(LEVELS) - 1):
            low, high = self.quantile[:, i], self.quantile[:, i + 1]
            share = ((strangeness - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
            below = below + share * (LEVELS[i + 1] - LEVELS[i])
        over = (strangeness - self.quantile[:, -1]).clamp_min(0)
        return ((1 - below) * torch.exp(-over / self.tail)).clamp_min(LEAST_RATE)

    def rates_alone(self, strangeness: torch.Tensor) -> torch.Tensor:
        """Return how often normal spectra of any source are as strange, each as likely as the other.

        Parameters
        ----------
        strangeness
            Shape (B, kinds).
        """
        total = torch.zeros_like(strangeness)
        for shift, stretch in zip(self.shift, self.stretch, strict=True):
            total = total + self.rates(torch.minimum((strangeness - shift) / stretch, strangeness))
        return total / len(self.shift)

    def save(self, folder: Path, about: dict[str, object]) -> None:
        """Write the reference with what its card should say."""
        numbers = {name: _rounded(getattr(self, name).tolist()) for name in TENSORS}
        made_for = {"name": self.name, "kinds": KINDS, "classes": CLASSES, "levels": LEVELS}
        stored = {**made_for, **about, "reach": self.reach.as_card(), **numbers}
        (folder / FILE).write_text(json.dumps(stored) + "\n")


def hats(log_snr: torch.Tensor) -> torch.Tensor:
    """Return the weight of each of KNOTS at B values of log10 S/N, shape (B, knots)."""
    x = log_snr.clamp(KNOTS[0], KNOTS[-1])[:, None]
    return (1 - (x - torch.tensor(KNOTS, device=x.device)).abs() / KNOT_STEP).clamp_min(0)


def at_snr(table: torch.Tensor, log_snr: torch.Tensor) -> torch.Tensor:
    """Return what tables of B rows, (B, kinds, knots), hold at their S/N, shape (B, kinds)."""
    weight = hats(log_snr)
    total = torch.zeros_like(table[..., 0])
    for knot in range(len(KNOTS)):  # term by term: the sum's order is then the same for every row
        total = total + weight[:, knot, None] * table[..., knot]
    return total


def _rounded(values: list[object] | float) -> object:
    if isinstance(values, list):
        return [_rounded(value) for value in values]  # type: ignore[arg-type]
    return round(values, 5)
