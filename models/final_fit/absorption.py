"""What gas takes from a quasar's light: the forest of Lyman alpha, and troughs in the blue of its lines.

Both are fractions of the model, without a shape of their own but of known size and width: Gaussian processes
of which the fit holds as much as the noise lets be seen. What shapes of the fit see of the gas is noise to
them: the forest weighs less, and where a trough was found they are not fitted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.final_fit.gaussian_chain import Process, most_probable
from spectraq.models.final_fit.pixels import Floats, Leftover
from spectraq.models.grid.axis import LN_PER_PIXEL, N_PIXELS, WAVELENGTH, pixel_of
from spectraq.models.lines import wavelength

FOREST_PIXELS = 2.0
"""Length of its correlation: lines of the forest are as wide as the instrument makes them."""
FOREST_STRENGTHS = (1.0, 1.5)
"""Times the roughness that neighbours tell, which is less where lines are wider."""
APART = 4
"""Pixels between two whose difference tells how rough a forest is, whatever the fit misses that is smooth."""
LARGEST_OFF = 16.0
"""Times the expected square of a difference, at most: a damped system's edge is not the forest."""
MOST_ROUGH, LEAST_ROUGH_SIGMA = 2.0, 3.0
"""Times an average sight line; and in units of what noise alone would make of it."""
SMOOTH_FACTOR = 6.0
"""Variance of the forest as shapes of thousands of km/s see it, over that of a pixel: its lines cluster
(McDonald et al. 2006, ApJS 163, 80: power at 0.001 s/km)."""
TROUGH_LINES = ("NV", "SiIV", "CIV", "AlIII", "MgII")
TROUGH_PIXELS = 5.0
TROUGH_STRENGTHS = (0.1, 0.3)
"""Standard deviations of what is absorbed, as a fraction of the model."""
FASTEST_KM_S, RED_KM_S = 25000.0, 800.0
"""Velocity of an outflow, and how far beyond a line's centre one absorbs that is blended or moves with it."""
LEAST_PIXELS = 24
"""Of a stretch."""
BOX, LEAST_SIGMA = 8, 4.0
"""Where no sum over so many pixels is so far below the model, no trough is sought."""
DEEP_SIGMA, DEEP = 2.0, 0.03
"""In its own errors, and of the model: a trough so deep is hidden from the shapes of the fit."""


def mean_forest_depth(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Lyman alpha forest's effective optical depth at a redshift (Becker et al. 2013, eq. 5)."""
    return np.asarray(0.751 * ((1 + z) / 4.5) ** 2.90 - 0.132)


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """The n pixels in which something may absorb."""

    own: slice
    deviation: Floats  # (n,) of what is absorbed for a strength of one, as a fraction of the model
    above: Floats  # (n,) what the light may be more than the model, as a fraction of it
    length: float  # pixels in which the absorption's correlation falls to 1/e
    strengths: tuple[float, ...]
    together: bool  # whether all of it is of one strength

    def process(self, left: Floats, ivar: Floats, model: Floats) -> Process:
        """Return the absorption of most probable strength by what a model leaves, all (N_PIXELS,)."""
        own = self.own
        deviation = self.deviation * np.abs(model[own])
        return most_probable(left[own], ivar[own], deviation, self.length, self.strengths, self.together)


def forest(lag: float, left: Floats, ivar: Floats, level: Floats) -> Stretch | None:
    """Return the forest of Lyman alpha, as rough as it is; None where it is not seen.

    Parameters
    ----------
    lag
        Of the redshift, in grid pixels.
    left, ivar, level
        What a model leaves, its inverse variance, and the model; shape (N_PIXELS,).
    """
    stop = int(np.clip(np.ceil(pixel_of(wavelength("Lya")) + lag), 0, N_PIXELS))
    if stop < LEAST_PIXELS:
        return None
    one_plus_z = WAVELENGTH[:stop] / wavelength("Lya")
    # Lee, Suzuki and Spergel 2012 (AJ 143, 51), by the power of McDonald et al. 2006 in pixels of 69 km/s.
    variance = np.minimum(0.065 * (one_plus_z / 3.25) ** 3.8, 1.0)
    strength = _roughness(left[:stop], ivar[:stop], variance * level[:stop] ** 2)
    if strength == 0:
        return None
    above = np.expm1(np.maximum(mean_forest_depth(one_plus_z - 1), 0.0)).astype(np.float32)
    deviation = (strength * np.sqrt(variance)).astype(np.float32)
    return Stretch(slice(0, stop), deviation, above, FOREST_PIXELS, FOREST_STRENGTHS, True)


def _roughness(left: Floats, ivar: Floats, variance: NDArray[np.float64]) -> float:
    """Return how many times rougher a forest is than one of these variances, zero where noise may do it."""
    near, far = slice(None, -APART), slice(APART, None)
    seen = (ivar[near] > 0) & (ivar[far] > 0)
    noise = (1 / ivar[near][seen] + 1 / ivar[far][seen]).astype(np.float64)
    expected = (variance[near] + variance[far])[seen] * -np.expm1(-APART / FOREST_PIXELS)
    weight = expected / (noise + expected) ** 2
    known = float((weight * expected).sum())
    if not known > 0:
        return 0.0
    off = np.square((left[near] - left[far])[seen], dtype=np.float64)
    square = float((weight * (np.minimum(off, LARGEST_OFF * (noise + expected)) - noise)).sum()) / known
    error = math.sqrt(2 * float((weight**2 * noise**2).sum())) / known
    return min(math.sqrt(max(square, 0.0)), MOST_ROUGH) if square > LEAST_ROUGH_SIGMA * error else 0.0


def troughs(lag: float, ivar: Floats) -> list[Stretch]:
    """Return where outflows would absorb before each line, as far as it is observed beyond the forest."""
    first = max(math.ceil(pixel_of(wavelength("Lya")) + lag), 0)
    found = []
    for name in TROUGH_LINES:
        centre = pixel_of(wavelength(name)) + lag
        blue, red = (np.log1p(v / LIGHT_KM_S) / LN_PER_PIXEL for v in (-FASTEST_KM_S, RED_KM_S))
        start, stop = (
            int(np.clip(np.ceil(place), first, N_PIXELS)) for place in (centre + blue, centre + red)
        )
        if np.count_nonzero(ivar[start:stop]) >= LEAST_PIXELS:
            one = np.ones(stop - start, np.float32)
            found.append(Stretch(slice(start, stop), one, 0 * one, TROUGH_PIXELS, TROUGH_STRENGTHS, False))
    return found


@dataclass(slots=True)
class Gas:
    """The gas before one quasar, as far as it is known."""

    ivar: Floats  # (N_PIXELS,)
    forest: Stretch | None
    troughs: list[Stretch]
    hidden: NDArray[np.bool_]  # (N_PIXELS,) where a trough was found
    seen: list[Stretch] = field(default_factory=list)

    @classmethod
    def of(cls, lag: float, leftover: Leftover, flux: Floats) -> Gas:
        """Return where gas may be seen at a redshift of so many grid pixels."""
        best, ivar = leftover.best, leftover.ivar
        hidden = np.zeros(N_PIXELS, bool)
        return cls(ivar, forest(lag, flux - best, ivar, best), troughs(lag, ivar), hidden)

    def weight(self, best: Floats) -> Floats:
        """Return the inverse variance of noise and gas together, as shapes of the fit see them."""
        weight = np.where(self.hidden, np.float32(0), self.ivar)
        if self.forest is not None:
            own = self.forest.own
            scatter = np.square(self.forest.deviation * best[own])
            weight[own] /= 1 + np.float32(SMOOTH_FACTOR) * scatter * weight[own]
        return weight

    def find_troughs(self, flux: Floats, model: Floats) -> bool:
        """Find troughs in what a model leaves; return whether more of them is to be hidden."""
        known = np.count_nonzero(self.hidden)
        left = np.minimum(flux - model, 0)
        low = _boxes((flux - model) * self.ivar) < -LEAST_SIGMA * np.sqrt(_boxes(self.ivar))
        for stretch in self.troughs:
            if not low[stretch.own.start // BOX : stretch.own.stop // BOX].any():
                continue
            trough = stretch.process(left, self.ivar, model)
            if trough.evidence > 0:
                if stretch not in self.seen:
                    self.seen.append(stretch)
                least = np.maximum(DEEP_SIGMA * np.sqrt(trough.variance), DEEP * np.abs(model[stretch.own]))
                self.hidden[stretch.own] |= trough.mean < -least
        return bool(np.count_nonzero(self.hidden) > known)

    def absorb(self, flux: Floats, model: Floats, variance: Floats, plane: Floats) -> float:
        """Add what is absorbed to a model, to its variance and to a plane; return how many parameters it is.

        All planes have shape (N_PIXELS,).
        """
        parameters = 0.0
        for stretch in [*self.seen, *([] if self.forest is None else [self.forest])]:
            own = stretch.own
            process = stretch.process(flux - model, self.ivar, model)
            if process.evidence > 0:
                level = np.abs(model[own])
                taken = np.clip(process.mean, -level, stretch.above * level)
                plane[own] += taken
                model[own] += taken
                variance[own] += process.variance
                parameters += process.parameters
        return parameters


def _boxes(values: Floats) -> Floats:
    """Return sums over neighbouring pixels, (N_PIXELS / BOX,)."""
    return np.asarray(values.reshape(-1, BOX).sum(1))
