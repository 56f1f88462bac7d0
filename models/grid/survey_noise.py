"""What the noise that a survey states leaves out: its arms' ends, its telluric bands, the sky's lines.

The inverse variance of a pipeline is photons and read-out. What is wrong with the flux by wavelength in every
spectrum of an instrument (response near the ends of arms, bands of the atmosphere that are not taken out,
sky that is subtracted badly) is a multiple of that noise and a fraction of the flux, by observed wavelength.
Both are learned from bright spectra whose model is good (`training/measure/survey_noise.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from spectraq.models.grid.axis import N_PIXELS, REBIN
from spectraq.models.grid.surveys import SURVEYS

FILE = "survey_noise.json"
STRETCH = 32
"""Pixels that share a factor and a floor: 24 to 76 angstrom, a band of the atmosphere."""
N_STRETCHES = N_PIXELS // STRETCH


@dataclass(frozen=True, slots=True)
class SurveyNoise:
    """Factors on the stated noise, and floors, of every survey; the last row is of those that are not known.

    Attributes
    ----------
    factor
        What the stated standard deviation is multiplied by, shape (len(SURVEYS) + 1, N_STRETCHES).
    floor
        Standard deviation in units of the local flux that is added in quadrature, the same shape.
    """

    factor: Tensor
    floor: Tensor

    @classmethod
    def of(cls, curves: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> SurveyNoise:
        """Return it from factors and floors by survey; where none are given the stated noise is believed."""
        factor, floor = torch.ones(len(SURVEYS) + 1, N_STRETCHES), torch.zeros(len(SURVEYS) + 1, N_STRETCHES)
        for survey, (factors, floors) in curves.items():
            row = SURVEYS.index(survey)
            factor[row], floor[row] = torch.tensor(factors), torch.tensor(floors)
        return cls(factor, floor)

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> SurveyNoise:
        """Read the card of a folder of weights; where it has none the stated noise is believed."""
        path = folder / FILE
        surveys = json.loads(path.read_text())["surveys"] if path.exists() else {}
        noise = cls.of({name: (card["factor"], card["floor"]) for name, card in surveys.items()})
        return cls(noise.factor.to(device), noise.floor.to(device))

    def applied(self, ivar: Tensor, level: Tensor, survey: Tensor) -> Tensor:
        """Return inverse variances of the whole noise, zero where they were, shape (B, N_PIXELS).

        Parameters
        ----------
        ivar
            As stated, shape (B, N_PIXELS).
        level
            Local flux, positive, shape (B, N_COARSE).
        survey
            Index into `SURVEYS`, or len(SURVEYS), shape (B,).
        """
        if not ((self.floor[survey] > 0) | (self.factor[survey] != 1)).any().item():
            return ivar
        factor = self.factor[survey].square().repeat_interleave(STRETCH, 1)
        floor = self.floor[survey].repeat_interleave(STRETCH // REBIN, 1) * level
        return ivar / (factor + ivar * floor.square().repeat_interleave(REBIN, 1))


STATED = SurveyNoise.of({})
"""Every survey's noise as it is stated."""
