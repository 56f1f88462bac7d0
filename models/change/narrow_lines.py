"""Narrow lines that came or went anywhere in a spectrum: a matched filter of what a pair leaves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.anomaly.airglow import airglow
from spectraq.models.anomaly.unexplained_lines import WIDTHS
from spectraq.models.change.epoch import Floats
from spectraq.models.change.pair import Pair
from spectraq.models.grid.axis import N_PIXELS, pixel_of
from spectraq.models.lines import BANDS

REACH = 16
SMOOTH_PIXELS = 30
"""Half width of the running mean that lines stand above."""
LOCAL_PIXELS = 200
LOCAL_CLIP = 4.0
END_PIXELS = 40
SKY_PIXELS = 3
EMISSION_VARIES, ABSORPTION_VARIES = 0.1, 0.03
"""Part of the object's own narrow features by which two spectra may differ and be the same."""
CANDIDATES = 8
APART_PIXELS = 15
NEAR_PIXELS = 20
ABOVE = 1.3
"""How much weaker than itself a line may be with a parabola beneath."""
BOX_PIXELS, GAUSSIAN_PIXELS = (1, 2, 3, 4, 5, 6, 7, 8), (0.8, 1.0, 1.3, 1.8, 2.5, 3.5, 5.0, 7.0)
BOX_GAIN = 8.0
"""Of chi2, by which a box is better than a line where it is a cosmic ray: no spectrograph lets its edges
through."""
STEEPEST, LARGEST_JUMP, JUMP_SIGMA = 0.9, 0.7, 3.0
"""Of a line's height, what lies between two neighbours at most, beyond so many sigma of noise: STEEPEST over
its width in pixels."""
SEVERAL = 1.7
"""How much weaker than itself a line may be without its best pixel: a cosmic ray has no other."""


@dataclass(frozen=True, slots=True)
class NarrowChange:
    """The strongest narrow line that differs, of both signs."""

    strength: float  # in units of the filter's local scatter, positive where the newer has more
    pixel: int
    width: float  # standard deviation in pixels


def narrow_change(pair: Pair) -> NarrowChange:
    """Return the line that differs most, as the weakest of its views; of strength zero where none has any."""
    ratio, weak = filtered(pair)
    scatter = np.stack([_scatter(row, pair.used) for row in ratio])
    allowed = pair.used & ~_bad()
    index = np.flatnonzero(pair.used)
    allowed[: index[0] + END_PIXELS] = allowed[index[-1] - END_PIXELS :] = False
    unit = scatter * (1 + _sky())
    size = np.minimum(np.abs(ratio), SEVERAL * weak) / unit * allowed
    best = NarrowChange(0.0, int(index[0]), WIDTHS[0])
    for row, pixel in _candidates(size):
        if float(size[row, pixel]) <= abs(best.strength):
            break
        beneath, box = _looked_at_again(pair, pixel, WIDTHS[row])
        strength = min(float(size[row, pixel]), ABOVE * beneath * float(1 / unit[row, pixel]))
        if not box and strength > abs(best.strength):
            sign = 1.0 if ratio[row, pixel] > 0 else -1.0
            best = NarrowChange(sign * strength, pixel, WIDTHS[row])
    return best


def _candidates(size: Floats) -> list[tuple[int, int]]:
    """Return width and pixel of the strongest that are apart, in order."""
    left = size.max(0)
    found = []
    for _ in range(CANDIDATES):
        pixel = int(left.argmax())
        found.append((int(size[:, pixel].argmax()), pixel))
        left[max(pixel - APART_PIXELS, 0) : pixel + APART_PIXELS + 1] = 0.0
    return found


def _looked_at_again(pair: Pair, pixel: int, width: float) -> tuple[float, bool]:
    """Return a line's S/N above a parabola, and whether it is none that an instrument shows.

    A cosmic ray covers a few pixels with steep sides, and what is taken out badly leaves a flat stretch.
    """
    near = slice(max(pixel - NEAR_PIXELS, 0), pixel + NEAR_PIXELS + 1)
    place = np.arange(N_PIXELS)[near] - pixel
    design = np.stack(
        [np.exp(-0.5 * (place / width) ** 2), *(np.ones_like(place), place / 20, (place / 20) ** 2)]
    )
    weight = pair.weight[near]
    normal = (design * weight) @ design.T + 1e-9 * np.eye(4)
    covariance = np.linalg.inv(normal)
    amplitude = covariance @ ((design * weight) @ pair.left[near])
    left = pair.left[near] - amplitude[1:] @ design[1:]
    height = abs(float(amplitude[0])) / float(np.sqrt(covariance[0, 0]))
    boxes, gaussians = _profiles_around()
    whole = (place >= -NEAR_PIXELS) & (place <= NEAR_PIXELS)
    if not whole.all() or place.size != 2 * NEAR_PIXELS + 1:
        return height, False
    better = _explained(boxes, left, weight) - _explained(gaussians, left, weight)
    inner = np.abs(place) <= np.ceil(2 * width) + 1
    noise = 1 / np.sqrt(weight[inner].clip(1e-12))
    jump = np.abs(np.diff(left[inner])) - JUMP_SIGMA * np.hypot(noise[1:], noise[:-1])
    steep = jump.max() > min(STEEPEST / width, LARGEST_JUMP) * float(np.abs(left[inner]).max())
    return height, bool(steep or better > BOX_GAIN)


def _explained(profiles: Floats, left: Floats, weight: Floats) -> float:
    """Return the most that one of these profiles takes from chi2."""
    square = (profiles**2 @ weight).clip(1e-12)
    return float(((profiles @ (left * weight)) ** 2 / square).max())


@lru_cache(maxsize=1)
def _profiles_around() -> tuple[Floats, Floats]:
    """Return boxes and Gaussians of several widths and places near a pixel, (n, 2 NEAR_PIXELS + 1) each."""
    place = np.arange(-NEAR_PIXELS, NEAR_PIXELS + 1)
    boxes = [(place >= first) & (place < first + n) for n in BOX_PIXELS for first in range(-n, 2)]
    gaussians = [
        np.exp(-0.5 * ((place - centre) / width) ** 2)
        for width in GAUSSIAN_PIXELS
        for centre in np.arange(-3, 3.1, 0.5)
    ]
    return np.array(boxes, np.float64), np.array(gaussians)


def filtered(pair: Pair) -> tuple[Floats, Floats]:
    """Return heights of lines over their noise at every pixel, and their size without their best pixel.

    Returns
    -------
    ratio, weak
        Shape (len(WIDTHS), N_PIXELS); `weak` is not negative.
    """
    weight = pair.weight
    score = (pair.left - running_mean(pair.left, weight)) * weight
    model = pair.reference * pair.response
    own = (model - running_mean(model, weight)) * weight
    ratios, weaks = [], []
    for width in WIDTHS:
        profile = _profile(width)
        signal = np.convolve(score, profile, "same")
        square = np.convolve(weight, profile**2, "same").clip(1e-9)
        # Fibres and line spreads differ: a part of what the object's own features are there is no change.
        feature = np.convolve(own, profile, "same") / np.sqrt(square)
        feature = np.where(feature > 0, EMISSION_VARIES, ABSORPTION_VARIES) * np.abs(feature)
        feature = np.max([np.roll(feature, s) for s in (-2, 0, 2)], axis=0)
        unit = np.sqrt(square * (1 + feature**2))
        ratio = signal / unit
        # What a line is without the pixel that gives most of it, in the direction of the line.
        sign = np.sign(ratio)
        most = np.zeros(N_PIXELS)
        for step in range(-2, 3):
            share = profile[REACH + step]
            most = np.maximum(most, sign * share * np.roll(score, -step))
        weaks.append(((sign * signal - most) / unit).clip(0))
        ratios.append(ratio)
    return np.stack(ratios), np.stack(weaks)


@lru_cache(maxsize=8)
def _profile(width: float) -> Floats:
    return np.asarray(np.exp(-0.5 * (np.arange(-REACH, REACH + 1) / width) ** 2))


def running_mean(values: Floats, weight: Floats) -> Floats:
    """Return the weighted mean within SMOOTH_PIXELS, zero where there is no weight, (N_PIXELS,)."""
    total, count = _box(values * weight, SMOOTH_PIXELS), _box(weight, SMOOTH_PIXELS)
    return np.where(count > 0, total / np.where(count > 0, count, 1.0), 0.0)


def _box(values: Floats, half: int) -> Floats:
    before = np.concatenate([np.zeros(half + 1), values, np.zeros(half)]).cumsum()
    return np.asarray(before[2 * half + 1 :] - before[: -2 * half - 1])


def _scatter(ratio: Floats, used: NDArray[np.bool_]) -> Floats:
    clipped = np.where(used, ratio.clip(-LOCAL_CLIP, LOCAL_CLIP) ** 2, 0.0)
    count = _box(used.astype(np.float64), LOCAL_PIXELS).clip(1)
    return np.asarray(np.sqrt((_box(clipped, LOCAL_PIXELS) / count).clip(1.0)))


@lru_cache(maxsize=1)
def _bad() -> NDArray[np.bool_]:
    """Return pixels of the sky's worst, (N_PIXELS,)."""
    place = np.arange(N_PIXELS)
    bad = np.zeros(N_PIXELS, bool)
    for band in BANDS:
        if band.unusable:
            bad |= (place >= pixel_of(band.low)) & (place <= pixel_of(band.high))
    return bad


@lru_cache(maxsize=1)
def _sky() -> Floats:
    """Return how strong the airglow is within SKY_PIXELS, from 0 to 1, (N_PIXELS,)."""
    strength = airglow(torch.device("cpu")).double().numpy()
    return np.asarray(np.max([np.roll(strength, s) for s in range(-SKY_PIXELS, SKY_PIXELS + 1)], axis=0))
