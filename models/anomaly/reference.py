"""What is normal: how each score is distributed over normal spectra of a class, as it shifts with S/N.

A score's median follows a parabola in log10 S/N; what is left is given by quantiles up to LEVELS' last and by
an exponential tail beyond. A reference has a name, because a false-positive rate holds for the spectra it was
measured on and for others only as far as they are like them.
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
from spectraq.models.anomaly.scores import Scores
from spectraq.models.classes import CLASSES

FILE = "normal.json"
LEVELS = (0.0, 0.1, 0.25, 0.5, 0.7, 0.85)
"""Beyond the last, too few normal spectra are left for quantiles: the exponential takes over."""
LEAST_RATE = 1e-6
"""No sample of a few hundred says more of a tail than this."""
TENSORS = ("parabola", "snr_range", "quantile", "tail", "centre", "precision")
LEAST_DISTANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Reference:
    """Distributions of every score by class.

    Attributes
    ----------
    name
        Of the sample of normal spectra.
    parabola
        Coefficients for 1, x, x^2 with x = log10 S/N, shape (classes, kinds, 3).
    snr_range
        x that the sample reaches, shape (classes, 2): beyond, the nearest end counts.
    quantile
        Of score minus parabola at LEVELS, shape (classes, kinds, levels).
    tail
        e-folding length beyond the last quantile, shape (classes, kinds).
    centre, precision
        Of the latent vectors, shape (classes, n) and (classes, n, n).
    """

    name: str
    parabola: torch.Tensor
    snr_range: torch.Tensor
    quantile: torch.Tensor
    tail: torch.Tensor
    centre: torch.Tensor
    precision: torch.Tensor

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> Reference:
        """Read the reference of a folder of weights.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where there is none.
        """
        stored = json.loads(shipped.required(folder, FILE)[0].read_text())
        if tuple(stored["kinds"]) != KINDS or tuple(stored["classes"]) != CLASSES:
            raise ValueError(f"{folder / FILE}: made for other scores; make it again with `spectraq train`")
        return cls(stored["name"], *(torch.tensor(stored[name], device=device) for name in TENSORS))

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

    def rates(self, scores: Scores) -> torch.Tensor:
        """Return how often normal spectra of the same class and S/N score as high, shape (B, kinds).

        Parameters
        ----------
        scores
            As `measured`.
        """
        c = scores.spectype
        x = scores.log_snr.maximum(self.snr_range[c, 0]).minimum(self.snr_range[c, 1])[:, None]
        fit = self.parabola[c]
        excess = scores.value - (fit[..., 0] + fit[..., 1] * x + fit[..., 2] * x.square())
        quantile, tail = self.quantile[c], self.tail[c]
        below = torch.zeros_like(excess)
        for i in range(len(LEVELS) - 1):
            low, high = quantile[..., i], quantile[..., i + 1]
            share = ((excess - low) / (high - low).clamp_min(1e-9)).clamp(0, 1)
            below = below + share * (LEVELS[i + 1] - LEVELS[i])
        over = (excess - quantile[..., -1]).clamp_min(0)
        rate = (1 - below) * torch.exp(-over / tail)
        by_chi2 = torch.tensor([kind.of_chi2 for kind in TABLE], device=c.device)
        return torch.where(scores.noise_estimated[:, None] & by_chi2, 1.0, rate).clamp_min(LEAST_RATE)

    def save(self, folder: Path, about: dict[str, object]) -> None:
        """Write the reference with what its card should say."""
        numbers = {name: _rounded(getattr(self, name).tolist()) for name in TENSORS}
        stored = {"name": self.name, "kinds": KINDS, "classes": CLASSES, "levels": LEVELS, **about, **numbers}
        (folder / FILE).write_text(json.dumps(stored) + "\n")


def _rounded(values: list[object] | float) -> object:
    if isinstance(values, list):
        return [_rounded(value) for value in values]  # type: ignore[arg-type]
    return round(values, 5)
