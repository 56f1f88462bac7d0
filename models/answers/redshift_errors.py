"""Error bars of redshifts: what the curvature of chi2 gives, made to mean one standard deviation.

Curvature knows the noise, not what eigenspectra can't follow, nor the wavelength calibration, and with its
chi2/dof correction it is too careful where the noise is large. So sigma^2 = factor^2 ((scale c)^2 + floor^2),
c the curvature's own, with scale and floor of the class and a factor of the survey. All are measured, on
spectra with known redshifts, by `spectraq train --only errors`, and shipped as a card.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from spectraq.models import shipped
from spectraq.models.classes import CLASSES

FILE = "errors.json"
WITHOUT_IVAR = "without ivar"
"""Spectra whose noise was estimated from their scatter are a survey of their own."""


def survey_key(survey: str | None, noise_estimated: bool) -> str:
    """Name a survey as the card does."""
    name = (survey or "unknown").lower()
    return f"{name} {WITHOUT_IVAR}" if noise_estimated else name


@dataclass(frozen=True, slots=True)
class ClassErrors:
    """How error bars of one class's redshifts are made.

    Attributes
    ----------
    scale
        What the curvature's sigma is multiplied by.
    floor
        The least sigma of ln(1 + z).
    factors
        By survey key, where it was measured: what the sum is multiplied by.
    zero_points
        By survey name: standard deviation of ln(1 + z) between the survey's system of redshifts and ours.
    """

    scale: float
    floor: float
    factors: Mapping[str, float] = field(default_factory=dict)
    zero_points: Mapping[str, float] = field(default_factory=dict)

    def of_survey(self, survey: str | None, noise_estimated: bool) -> tuple[float, float]:
        """Return scale and floor of a survey, its factor included."""
        factor = self.factors.get(survey_key(survey, noise_estimated), 1.0)
        zero_point = self.zero_points.get((survey or "").lower(), 0.0)
        return factor * self.scale, ((factor * self.floor) ** 2 + zero_point**2) ** 0.5


@dataclass(frozen=True, slots=True)
class RedshiftErrors:
    """The error bars of every class, in the order of CLASSES."""

    of_class: tuple[ClassErrors, ...]

    @classmethod
    def load(cls, folder: Path = shipped.FOLDER) -> RedshiftErrors:
        """Read the card of a folder of weights, or the shipped one where the folder has none."""
        path = folder / FILE
        card = json.loads((path if path.exists() else shipped.FOLDER / FILE).read_text())
        return cls(
            tuple(
                ClassErrors(
                    scale=about["scale"],
                    floor=about["floor"],
                    factors=about["factors"],
                    zero_points=about["zero_points"],
                )
                for about in (card["classes"][name] for name in CLASSES)
            )
        )

    def sigma(
        self,
        curvature_sigma: torch.Tensor,
        kind: torch.Tensor,
        surveys: Sequence[str | None],
        noise_estimated: Sequence[bool],
    ) -> torch.Tensor:
        """Return one standard deviation of ln(1 + z), shape (B, n).

        Parameters
        ----------
        curvature_sigma
            From chi2 alone (`minima.sigma_lnz`), shape (B, n).
        kind
            Index of each one's class, shape (B, n).
        surveys
            Whose the B spectra are, where known.
        noise_estimated
            Whether their noise had to be estimated, length B.
        """
        table = [
            [errors.of_survey(survey, bool(estimated)) for errors in self.of_class]
            for survey, estimated in zip(surveys, noise_estimated, strict=True)
        ]
        numbers = torch.tensor(table, device=curvature_sigma.device)  # (B, classes, 2)
        chosen = numbers.gather(1, kind[..., None].expand(-1, -1, 2))
        # The library's hypot rounds by where in an array a number stands.
        return ((chosen[..., 0] * curvature_sigma).square() + chosen[..., 1].square()).sqrt()
