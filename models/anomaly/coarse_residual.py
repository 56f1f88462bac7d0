"""What the fit leaves in stretches of the observed frame: what spectra that share a fault have in common.

A spectrum's stretches are written as text of one character each, so that an answer carries them wherever it
goes: in steps of an eighth of a sigma, which independent noise never notices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from string import ascii_letters, digits

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.residual import Measured
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.grid.model_error import LEAST_LEVEL
from spectraq.models.tensors import rows_of

Floats = NDArray[np.float64]

STRETCH_PIXELS = 12
"""A dead column still stands out among so many, and a faint spectrum has a S/N of three times a pixel's."""
N_STRETCHES = N_PIXELS // STRETCH_PIXELS
UNFOLLOWED = 0.02
"""Of the model: what templates leave of a spectrum without noise is about so much, stretch by stretch."""
LEVELS_A_SIGMA = 8
MOST_LEVELS = 31
ALPHABET = digits + ascii_letters + "+"
"""Level -31 to 31."""
UNUSED = "-"
_CODES = np.frombuffer((ALPHABET + UNUSED).encode(), np.uint8)
_LEVEL_OF_CODE = np.full(256, np.iinfo(np.int8).min, np.int8)
_LEVEL_OF_CODE[_CODES[:-1]] = np.arange(-MOST_LEVELS, MOST_LEVELS + 1)
NOTHING = int(np.iinfo(np.int8).min)
"""In place of a level where a stretch has none."""
LEAST_SCATTER = 1.0
MOST_SIGMA = 3.0
"""What counts of a stretch at most, so that one strange spectrum makes no pattern."""
SIDE = 13
"""Stretches on either side of a place that are compared: 160 pixels, as far as a fit is stiff."""
MOST_CONTRAST = 9.0
FRACTIONS = 8
"""Pieces of the spectrum, each of which says what one sigma is in parts of the flux."""
STEPS_A_DECADE = 20
"""Of errors and scatter: a character is an eighth more than the one before it."""
LEAST_FRACTION = 1e-2
WIDTH = N_STRETCHES + FRACTIONS + 1
"""Characters that a spectrum is written in: its stretches, its errors, its scatter."""


@dataclass(frozen=True, slots=True)
class Stretches:
    """What the fit leaves of B spectra, as it is written.

    Attributes
    ----------
    levels
        Residual over error in parts of a sigma, NOTHING where a stretch has none, (B, N_STRETCHES).
    error
        In parts of the flux, same shape.
    scatter
        How many times noise and what templates do not follow the error is, one or more; (B,).
    """

    levels: NDArray[np.int8]
    error: Floats
    scatter: Floats

    def rows(self, which: NDArray[np.bool_]) -> Stretches:
        """Return some of the spectra."""
        return Stretches(self.levels[which], self.error[which], self.scatter[which])


def stretches_of(measured: Measured) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return residual over error, error in parts of the model, (B, N_STRETCHES), and scatter, (B,).

    The error is that of noise and of what templates do not follow, times the spectrum's own scatter from
    stretch to stretch, or from each SIDE of stretches to the next where that is more: one that nothing fits
    well has no more to say than others. Zero where a stretch says nothing.
    """
    level = measured.model.abs().clamp_min(LEAST_LEVEL)
    weight = measured.ivar * level
    signal, information = _summed((measured.flux - measured.model) * weight), _summed(weight * level)
    used = information > 0
    information = information.clamp_min(1e-12)
    error = (1 / information + UNFOLLOWED**2).sqrt()
    ratio = signal / information / error * used
    own = (ratio.clamp(-MOST_SIGMA, MOST_SIGMA).square().sum(1) / used.sum(1).clamp_min(1)).sqrt()
    own = torch.maximum(own, _contrast(ratio, used)).clamp_min(LEAST_SCATTER)
    return ratio / own[:, None], error * own[:, None] * used, own


def _contrast(ratio: torch.Tensor, used: torch.Tensor) -> torch.Tensor:
    """Return the scatter of one side against the next, one for independent stretches; shape (B,)."""
    total = torch.nn.functional.pad(ratio.cumsum(1), (1, 0))
    before, here, after = total[:, : -2 * SIDE], total[:, SIDE:-SIDE], total[:, 2 * SIDE :]
    difference = ((after - 2 * here + before) / (2 * SIDE) ** 0.5).clamp(-MOST_CONTRAST, MOST_CONTRAST)
    counted = used[:, : 1 - 2 * SIDE] & used[:, 2 * SIDE - 1 :]
    mean: torch.Tensor = (difference.square() * counted).sum(1) / counted.sum(1).clamp_min(1)
    return mean.sqrt()


def _summed(values: torch.Tensor) -> torch.Tensor:
    return torch.unflatten(values, 1, (N_STRETCHES, STRETCH_PIXELS)).sum(2)


def written_stretches(measured: Measured, block: int) -> list[str]:
    """Return what `stretches_of` finds as text of WIDTH characters.

    Parameters
    ----------
    block
        Rows worked on together.
    """
    lines: list[str] = []
    for start in range(0, len(measured.lag), block):
        ratio, error, own = stretches_of(rows_of(measured, slice(start, start + block)))
        used = error > 0
        level = (ratio * LEVELS_A_SIGMA).round().clamp(-MOST_LEVELS, MOST_LEVELS).long() + MOST_LEVELS
        pieces = torch.unflatten(error, 1, (FRACTIONS, -1))
        mean = pieces.sum(2) / torch.unflatten(used, 1, (FRACTIONS, -1)).sum(2).clamp_min(1)
        numbers = torch.cat([mean / LEAST_FRACTION, own[:, None]], 1).clamp_min(1.0)
        steps = (numbers.log10() * STEPS_A_DECADE).round().clamp(0, len(ALPHABET) - 1).long()
        codes = torch.cat([torch.where(used, level, len(ALPHABET)), steps], 1)
        text = _CODES[codes.cpu().numpy()].tobytes().decode()
        lines += [text[row : row + WIDTH] for row in range(0, len(text), WIDTH)]
    return lines


def read_stretches(lines: Sequence[str]) -> Stretches:
    """Return what `written_stretches` wrote.

    Raises
    ------
    ValueError
        Where a line is none of these.
    """
    if any(len(line) != WIDTH for line in lines):
        raise ValueError(f"stretches are written in {WIDTH} characters")
    codes = np.frombuffer("".join(lines).encode("ascii"), np.uint8).reshape(-1, WIDTH)
    steps = _LEVEL_OF_CODE[codes[:, N_STRETCHES:]].astype(np.float64) + MOST_LEVELS
    numbers = 10 ** (steps / STEPS_A_DECADE)
    error = np.repeat(LEAST_FRACTION * numbers[:, :FRACTIONS], N_STRETCHES // FRACTIONS, axis=1)
    return Stretches(_LEVEL_OF_CODE[codes[:, :N_STRETCHES]], error, numbers[:, FRACTIONS])


def in_sigma(levels: NDArray[np.int8]) -> Floats:
    """Return levels in sigma, zero where there is none."""
    return np.where(levels == NOTHING, 0, levels).astype(np.float64) / LEVELS_A_SIGMA
