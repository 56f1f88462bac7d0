"""How fast a star turns, by how much wider its lines are than the instrument makes them.

Sharp model spectra of the star's type are blurred by the instrument and by rotation (Gray 2005, The
Observation and Analysis of Stellar Photospheres, chapter 18), and compared with the star at every velocity,
both as fractions of their running means: flux calibration and temperature then matter little.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.answer import Quantity
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, WAVELENGTH
from spectraq.models.grid.surveys import SURVEYS, survey_index
from spectraq.models.lines import wavelength
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.quantities import QUANTITIES
from spectraq.models.measurement.target import Target

FILE = "rotation.safetensors"
TYPES = ("A", "F", "G", "K")
OVERSAMPLED = 4
"""Elements of the model spectra in a grid pixel: a star's velocity is met to an eighth of a pixel."""
VELOCITIES = np.array([0, 60, 90, 120, 150, 180, 220, 260, 310, 370, 450], np.float64)
"""v sin i that are tried, km/s."""
COARSE, NEAREST = slice(None, None, 3), 6
"""Velocities at which all models are compared, and how many are at every one."""
LIMB_DARKENING = 0.6
HALF_MEAN = 60
"""Pixels on either side of the running mean, 8000 km/s in all."""
LEFT_OUT = {
    "Hbeta": 2500.0, "Hgamma": 2500.0, "Hdelta": 2500.0, "NeIII_3969": 2500.0, "H8": 2000.0, "Halpha": 2500.0,
    "NaD": 600.0,
}  # fmt: skip
"""Lines that pressure makes wide, or that gas between the stars has, too; km/s on either side."""
DEPTH_SIGMA = 0.15
"""Scatter of a star's metal lines about those of the model nearest to it, relative."""
MOST_OFF, MOST_RCHI2 = 0.3, 1.4
"""Lines whose depth is further from that of the nearest model, or that differ more, are of another kind."""
SPREAD_ERROR = 0.07
"""Relative error of what is known of an instrument's line spread."""
MODEL_FACTOR, MODEL_ERROR = 1.5, 0.1
"""Times the error by the noise, and relative of the square: what follows from so few models for every star,
by stars of other models."""
TRUSTED = 3.0
"""Errors that the square of v sin i must be above zero."""
LEAST_SNR, LEAST_PIXELS = 8.0, 800
NOT_RESOLVED = "not resolved"
ODD = "its lines are those of no model"
TOO_FAST = f"at the limit of the search, {VELOCITIES[-1]:g} km/s"
DEEPEST = 4.0
"""Of a model's lines, as a fraction of the running mean: what is more is where that is near zero."""
STEPS = np.iinfo(np.int16).max
"""Of a model from zero to its deepest line: half the memory of single precision."""
ROUND_SIZE = 512
"""Fourier transforms have a multiple of so many elements."""
KEPT = len(TYPES) * (len(SURVEYS) + 1)
"""Types of as many surveys have their models kept, 5 MB each: all that a stream can ask for."""
Floats = NDArray[np.float64]
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SharpStars:
    """Model spectra at rest without rotation, by type.

    Attributes
    ----------
    flux
        By type, shape (m, L); OVERSAMPLED elements in a grid pixel.
    first
        Grid pixel of element 0 at redshift zero.
    """

    flux: dict[str, Array]
    first: float


@lru_cache(maxsize=1)
def sharp_stars() -> SharpStars:
    """Return the shipped model spectra."""
    from safetensors.numpy import load_file

    path = shipped.required(shipped.FOLDER, FILE)[0]
    first = json.loads(path.with_suffix(".json").read_text())["first_pixel"]
    return SharpStars({name: flux.astype(np.float32) for name, flux in load_file(path).items()}, first)


def v_sin_i(target: Target, subtype: str | None) -> dict[str, Quantity]:
    """Return a star's rotation, null with its reason where its lines do not show it.

    Parameters
    ----------
    target
        A star.
    subtype
        Its type as decided, one of `classes.STAR_TYPES`.
    """
    if subtype not in TYPES:
        return _nothing(f"lines of type {subtype or 'unknown'} are not compared")
    pixels = _pixels(target)
    if pixels.size < LEAST_PIXELS:
        return _nothing("too few pixels where the lines are")
    snr = float(np.median(np.abs(target.flux[pixels]) * np.sqrt(target.ivar[pixels])))
    if snr < LEAST_SNR:
        return _nothing(f"median S/N below {LEAST_SNR:g} where the lines are")
    chi2, depth = _compared(target, subtype, pixels)
    if abs(depth - 1) > MOST_OFF or chi2.min() > MOST_RCHI2 * pixels.size:
        return _nothing(ODD)
    square, error = _square(chi2, max(float(chi2.min()) / pixels.size, 1.0))
    spread = KM_S_PER_PIXEL * float(np.median(spread_at(target.survey, WAVELENGTH[pixels])))
    floor = 2 * SPREAD_ERROR * spread**2 / VARIANCE
    error = math.hypot(MODEL_FACTOR * error, floor, MODEL_ERROR * square)
    if square < TRUSTED * error:
        limit = math.sqrt(max(square, 0.0) + TRUSTED * error)
        known = limit < VELOCITIES[-1]
        return _nothing(f"{NOT_RESOLVED}: below {limit:.0f} km/s" if known else NOT_RESOLVED)
    if chi2.argmin() == len(VELOCITIES) - 1:
        return _nothing(TOO_FAST)
    value = math.sqrt(square)
    return {"v_sin_i": Quantity(value, error / (2 * value), _unit())}


def profile(v: float, step: float) -> Floats:
    """Return what rotation makes of a line, in elements of so many km/s; its sum is one."""
    if v <= 0:
        return np.ones(1)
    fine, half = 20, math.ceil(v / step) + 1
    x = np.arange(-half * fine - fine // 2, half * fine + fine // 2) + 0.5
    square = np.clip(1 - (x * step / fine / v) ** 2, 0, None)
    limb = 2 * (1 - LIMB_DARKENING) * np.sqrt(square) + 0.5 * np.pi * LIMB_DARKENING * square
    shape = limb.reshape(-1, fine).sum(1)
    return np.asarray(shape / shape.sum())


def _variance() -> float:
    shape = profile(1000.0, 1.0)
    place = (np.arange(shape.size) - shape.size // 2) / 1000.0
    return float(shape @ place**2)


VARIANCE = _variance()
"""Of the profile of a star that turns with a v sin i of one."""


def _pixels(target: Target) -> NDArray[np.int64]:
    """Return the pixels that are compared."""
    length = next(iter(sharp_stars().flux.values())).shape[1] // OVERSAMPLED
    start = math.ceil(sharp_stars().first + target.lag) + HALF_MEAN
    inside = np.zeros(N_PIXELS, bool)
    inside[max(start, 0) : max(start + length - 2 * HALF_MEAN - 1, 0)] = True
    for name, half in LEFT_OUT.items():
        inside &= np.abs(target.rest / wavelength(name) - 1) * LIGHT_KM_S > half
    return np.flatnonzero(inside & target.used)


def _compared(target: Target, subtype: str, pixels: NDArray[np.int64]) -> tuple[Floats, float]:
    """Return the least chi2 of the type's models at each velocity, (V,), and the depth of the best one's."""
    stars = sharp_stars()
    models = blurred(subtype, survey_index(target.survey))
    own = slice(int(pixels[0]), int(pixels[-1]) + 1)
    element = round((own.start - target.lag - stars.first) * OVERSAMPLED)
    start, phase = divmod(element, OVERSAMPLED)
    lines = models.lines[phase, :, :, start : start + own.stop - own.start]
    seen = target.used.astype(np.float64)
    light, count = running_mean(np.stack([target.flux * seen, seen]), HALF_MEAN)[:, own]
    level = light / np.maximum(count, 1e-9)
    compared = np.zeros(own.stop - own.start)
    compared[pixels - own.start] = 1.0
    ivar = (compared * target.ivar[own] * level**2).astype(np.float32)
    off = np.where(ivar > 0, target.flux[own] / np.where(ivar > 0, level, 1.0) - 1, 0.0).astype(np.float32)
    nearest = np.sort(_chi2(lines[COARSE], models.step, off, ivar)[0].min(0).argsort()[:NEAREST])
    chi2, depth = _chi2(lines[:, nearest], models.step[nearest], off, ivar)
    return chi2.min(1), float(depth.flat[chi2.argmin()])


def _chi2(steps: NDArray[np.int16], step: Array, off: Array, ivar: Array) -> tuple[Floats, Array]:
    """Return chi2 of lines, (..., m, n), at the depth that suits each best, and those depths, (..., m)."""
    lines = steps * step[:, None]
    product = lines @ (off * ivar)
    square = np.square(lines, out=lines) @ ivar
    prior = 1 / DEPTH_SIGMA**2
    depth = (product + prior) / (square + prior)
    fitted = depth**2 * square - 2 * depth * product + prior * (depth - 1) ** 2
    return float(off @ (off * ivar)) + fitted.astype(np.float64), depth


def running_mean(values: NDArray[np.floating], half: int) -> Floats:
    """Return the mean of so many neighbours on either side along the last axis, what lies outside as zero."""
    n = values.shape[-1]
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, -1, np.float64)], -1)
    place = np.arange(n)
    stop, start = np.minimum(place + half + 1, n), np.maximum(place - half, 0)
    return np.asarray((total[..., stop] - total[..., start]) / (2 * half + 1))


@dataclass(frozen=True, slots=True)
class Blurred:
    """Models of a type as a survey sees them at each velocity, over their running means, less one.

    Attributes
    ----------
    lines
        In steps, (phases, V, m, L / OVERSAMPLED).
    step
        Of each model, (m,).
    """

    lines: NDArray[np.int16]
    step: Array


@lru_cache(maxsize=KEPT)
def blurred(subtype: str, survey: int) -> Blurred:
    """Return a type's models as a survey sees them.

    Parameters
    ----------
    subtype
        One of TYPES.
    survey
        As `survey_index` says: all surveys that are not known are one.
    """
    stars = sharp_stars()
    flux = stars.flux[subtype].astype(np.float64)
    length = flux.shape[1]
    place = stars.first + np.arange(length) / OVERSAMPLED
    spread = OVERSAMPLED * spread_at(
        (*SURVEYS, None)[survey], np.interp(place, np.arange(N_PIXELS), WAVELENGTH)
    )
    low, high = float(spread.min()), max(float(spread.max()), float(spread.min()) * 1.001)
    share = ((spread**2 - low**2) / (high**2 - low**2)).astype(np.float64)
    half = HALF_MEAN * OVERSAMPLED
    size = -(-(length + 2 * half) // ROUND_SIZE) * ROUND_SIZE  # what is moved beyond an end stays there
    sharp = np.fft.rfft(flux, size)
    ends = [np.fft.irfft(sharp * _transform(_gaussian(s), size), size)[:, :length] for s in (low, high)]
    at_rest = np.fft.rfft(ends[0] * (1 - share) + ends[1] * share, size)
    mean_of = _transform(np.full(2 * half + 1, 1 / (2 * half + 1)), size)
    planes = np.empty((len(VELOCITIES), *flux.shape), np.float32)
    for plane, v in zip(planes, VELOCITIES, strict=True):
        turned = at_rest * _transform(profile(float(v), KM_S_PER_PIXEL / OVERSAMPLED), size)
        light, mean = (np.fft.irfft(rows, size)[:, :length] for rows in (turned, turned * mean_of))
        np.clip(light / mean - 1, -DEEPEST, DEEPEST, out=plane)
    step = np.abs(planes[..., half : length - half]).max((0, 2)) / np.float32(STEPS)
    steps = np.rint(planes / step[:, None], out=planes).clip(-STEPS, STEPS).astype(np.int16)
    by_phase = [np.ascontiguousarray(steps[..., phase::OVERSAMPLED]) for phase in range(OVERSAMPLED)]
    return Blurred(np.stack(by_phase), step)


def _gaussian(sigma: float) -> Floats:
    half = math.ceil(4.5 * sigma)
    shape = np.exp(-0.5 * (np.arange(-half, half + 1) / sigma) ** 2)
    return np.asarray(shape / shape.sum())


def _transform(shape: Floats, size: int) -> Floats:
    """Return the Fourier transform of what is the same to the left and to the right, about its middle."""
    around = np.zeros(size)
    around[: shape.size] = shape
    return np.asarray(np.fft.rfft(np.roll(around, -(shape.size // 2))).real)


def _square(chi2: Floats, scale: float) -> tuple[float, float]:
    """Return the square of v sin i and its error, by the parabola in it through the least chi2."""
    best = int(np.clip(chi2.argmin(), 1, len(chi2) - 2))
    place = VELOCITIES[best - 1 : best + 2] ** 2
    slope = np.diff(chi2[best - 1 : best + 2]) / np.diff(place)
    curvature = 2 * (slope[1] - slope[0]) / (place[2] - place[0])
    if not curvature > 0:
        return 0.0, math.inf
    middle = 0.5 * (place[0] + place[1]) - slope[0] / curvature
    return float(middle), math.sqrt(2 * scale / curvature)


def _nothing(reason: str) -> dict[str, Quantity]:
    return {"v_sin_i": Quantity(None, None, _unit(), reason)}


def _unit() -> str:
    return QUANTITIES["STAR"]["v_sin_i"][0]
