"""Features narrower than any line that a spectrograph can show: cosmic rays up, dead columns down.

Light that came through a slit or a fibre is spread by the instrument, a cosmic ray and a dead column are not.
At each candidate two families of shapes are compared on the same residual: lines no narrower than two pixels
(full width at half maximum), wherever they lie within a pixel; and one to three pixels of any height, or
short runs that lost the same part of the flux. What the second gains in chi2 over the first is the evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import torch

from spectraq.models.anomaly.residual import Residual, Windows
from spectraq.models.tiles import on_lines, sums

LEAST_LINE = 0.9
"""Standard deviation in pixels of the narrowest line: SDSS and LAMOST have 0.9 to 1.3."""
LINE_WIDTHS = (LEAST_LINE, 1.2, 1.7, 2.5, 4.0, 6.5)
REACH_OF_CENTRE, CENTRES_A_WIDTH = 1.5, 4
"""Pixels from the candidate that a line's centre is tried at, and how many times closer than its width."""
REACH = 20
RUNS = (1, 2, 3, 4, 5, 6)
"""Pixels of dead columns."""
FREE_HEIGHT = 3.0
"""chi2 that one more pixel of any height gains in noise."""
CANDIDATES = 4
BLOCK_PIXELS = 16
"""A candidate is the strongest of so many pixels."""


@dataclass(frozen=True, slots=True)
class Narrow:
    """The feature of each of B spectra that is least like a line."""

    evidence: torch.Tensor  # (B,) sigma that no line explains, zero where a line is as good
    size: torch.Tensor  # (B,) part of the model's level, at the candidate
    sigma: torch.Tensor  # (B,) the same in units of the local scatter
    pixel: torch.Tensor  # (B,) int64 first pixel
    last: torch.Tensor  # (B,) int64 last pixel


def narrowest(residual: Residual, unit: torch.Tensor, sign: int) -> Narrow:
    """Find the feature that stands out most as no line.

    Parameters
    ----------
    unit
        What one sigma is at each pixel in units of the noise, infinite where nothing is sought;
        (B, N_PIXELS).
    sign
        1 for what is too bright, -1 for what is too faint.
    """
    relative = sign * residual.narrow * residual.ivar.sqrt() / unit
    block = relative.view(len(relative), -1, BLOCK_PIXELS).max(2)
    best_blocks = block.values.topk(CANDIDATES).indices
    pixel = best_blocks * BLOCK_PIXELS + block.indices.gather(1, best_blocks)
    return narrowest_at(residual, unit, pixel, sign)


def narrowest_at(residual: Residual, unit: torch.Tensor, pixel: torch.Tensor, sign: int) -> Narrow:
    """Return the feature that is least like a line of those at pixels (B, n)."""
    window = Windows.around(pixel, REACH)
    weight = window.of(residual.ivar) * window.inside / window.of(unit).square()
    left = sign * window.of(residual.flux)
    level = window.of(residual.model.abs()).clamp_min(1e-3)
    quiet = (window.offset.abs() > 8) & (left.abs() * weight.sqrt() < 4)
    base = (left * weight * quiet).sum(2) / (weight * quiet).sum(2).clamp_min(1e-9)
    left = left - base[..., None]
    line = _line_gain(left, weight)
    alone, first, last = _pixels_gain(left, weight) if sign > 0 else _run_gain(left, weight, level)
    evidence = (alone - line).clamp_min(0).sqrt()
    size, sigma = (left / level)[..., REACH] * sign, (left * weight.sqrt())[..., REACH] * sign
    best = evidence.argmax(1)[:, None]
    table = (evidence, size, sigma, pixel + first, pixel + last)
    return Narrow(*(column.gather(1, best)[:, 0] for column in table))


def _line_gain(left: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Return the chi2 that the best line gains, (B, n, window) to (B, n)."""
    profile, square = (table.expand(len(left), -1, -1) for table in _lines(left.device))
    signal, power = sums(left * weight, profile), sums(weight, square)
    return (signal.clamp_min(0).square() / power.clamp_min(1e-9)).amax(2)


@cache
def _lines(device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Return profiles of lines averaged over pixels, and their squares, (lines, window) each."""
    offset = torch.arange(-REACH, REACH + 1, device=device, dtype=torch.float64)
    with torch.inference_mode(False):  # kept for callers of every kind
        rows = []
        for width in LINE_WIDTHS:
            steps = round(REACH_OF_CENTRE * CENTRES_A_WIDTH / width)
            for centre in (k * width / CENTRES_A_WIDTH for k in range(-steps, steps + 1)):
                edge = (torch.stack([offset - 0.5, offset + 0.5]) - centre) / (width * math.sqrt(2))
                rows.append(0.5 * (torch.erf(edge[1]) - torch.erf(edge[0])) * width * math.sqrt(2 * math.pi))
        table = torch.stack(rows)
        return on_lines(table.float()), on_lines(table.square().float())


def _pixels_gain(left: torch.Tensor, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what a pixel with neighbours of any height on either side gains, its first and last pixel."""
    each = left.clamp_min(0).square() * weight
    middle, before, after = (each[..., REACH + k] for k in (0, -1, 1))
    before, after = (beside - FREE_HEIGHT for beside in (before, after))
    first, last = torch.where(before > 0, -1, 0), torch.where(after > 0, 1, 0)
    return middle + before.clamp_min(0) + after.clamp_min(0), first, last


def _run_gain(
    left: torch.Tensor, weight: torch.Tensor, level: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return what the best run that lost one part of the flux gains, and the first and last pixel of it."""
    signal, power = (left * level * weight).cumsum(2), (level.square() * weight).cumsum(2)
    gains, ends = [], []
    for length in RUNS:
        for start in range(1 - length, 1):
            low, high = REACH + start - 1, REACH + start + length - 1
            total = signal[..., high] - signal[..., low]
            gains.append(total.clamp_min(0).square() / (power[..., high] - power[..., low]).clamp_min(1e-9))
            ends.append((start, start + length - 1))
    best = torch.stack(gains, 2).max(2)
    span = torch.tensor(ends, device=left.device)
    return best.values, span[best.indices, 0], span[best.indices, 1]
