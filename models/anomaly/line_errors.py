"""How much of the flux a fit leaves in lines of normal spectra, by class and wavelength.

Eigenspectra miss the same of every spectrum of a class, at the same rest wavelengths; the atmosphere and the
joints of arms leave something at the same observed ones. Both are fractions of the flux, and errors that
neighbouring pixels share, so that each width of line has its own. A line must stand above them and the noise.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from spectraq.models import shipped
from spectraq.models.anomaly.unexplained_lines import WIDTHS
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS

FILE = "line_errors.json"
STRETCH = 8
"""Pixels that share an error."""
FIRST_REST = -9600
"""Grid pixel of the first stretch at rest: of a quasar at z = 8."""
N_REST = (N_PIXELS - FIRST_REST) // STRETCH + STRETCH
N_OBSERVED = N_PIXELS // STRETCH
LEVELS = np.concatenate([[0.0], np.geomspace(0.002, 0.5, 24)]).astype(np.float32)
"""Errors that are told apart, as fractions of the flux."""


@dataclass(frozen=True, slots=True)
class LineErrors:
    """Standard deviations of line heights, as fractions of the flux, beside those of the noise.

    Attributes
    ----------
    rest
        By stretch at rest, shape (classes, widths, N_REST).
    observed
        By observed stretch, whatever the class, shape (widths, N_OBSERVED).
    """

    rest: Tensor
    observed: Tensor

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu") -> LineErrors:
        """Read the card of a folder of weights.

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where there is none.
        """
        card = json.loads(shipped.required(folder, FILE)[0].read_text())
        levels = torch.tensor(card["levels"], device=device)
        rest = torch.tensor([card["rest"][name] for name in CLASSES], device=device)
        return cls(levels[rest], levels[torch.tensor(card["observed"], device=device)])

    def save(self, folder: Path, about: dict[str, object]) -> None:
        """Write the card, errors as places in its levels."""
        levels = torch.from_numpy(LEVELS)
        rest, observed = (
            (table[..., None] - levels).abs().argmin(-1).tolist() for table in (self.rest, self.observed)
        )
        card = {
            "what": "Errors of line heights as fractions of the flux, by width of the line in stretches of "
            f"{STRETCH} pixels: at rest by class from grid pixel {FIRST_REST} on, and as observed; "
            "numbers are places in levels.",
            **about,
            "levels": [round(float(level), 6) for level in LEVELS],
            "rest": dict(zip(CLASSES, rest, strict=True)),
            "observed": observed,
        }
        (folder / FILE).write_text(json.dumps(card) + "\n")

    def variance(self, spectype: Tensor, lag: Tensor) -> Tensor:
        """Return the square of the errors at every pixel, shape (B, widths, N_PIXELS).

        Parameters
        ----------
        spectype, lag
            Of B spectra, as of `Residual`.
        """
        first = -FIRST_REST - lag.round().long()
        column = (first // STRETCH)[:, None] + torch.arange(N_OBSERVED + 1, device=lag.device)
        column = column.clamp(0, N_REST - 1)[:, None].expand(-1, len(WIDTHS), -1)
        # Stretches first, pixels then: a third of the time that looking up every pixel takes.
        rest = self.rest[spectype].gather(2, column).square().repeat_interleave(STRETCH, 2)
        begin = (first % STRETCH).tolist()
        rows = [row[:, start : start + N_PIXELS] for row, start in zip(rest, begin, strict=True)]
        return torch.stack(rows) + self.observed.square().repeat_interleave(STRETCH, 1)


def rest_stretch(lag: Tensor) -> Tensor:
    """Return the stretch at rest of every pixel of spectra at lags, (B,) to (B, N_PIXELS)."""
    pixel = torch.arange(N_PIXELS, device=lag.device) - lag[:, None].round().long()
    return ((pixel - FIRST_REST) // STRETCH).clamp(0, N_REST - 1)


NO_ERRORS = LineErrors(torch.zeros(len(CLASSES), len(WIDTHS), N_REST), torch.zeros(len(WIDTHS), N_OBSERVED))
"""Of fits that leave nothing but noise."""
