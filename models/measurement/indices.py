"""Strengths of stellar breaks and absorption lines, straight from the flux without emission lines.

At the spectrum's own resolution: not blurred to Lick's, nor corrected for the stars' motions.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from spectraq.models.answer import Quantity
from spectraq.models.grid.axis import LN_PER_PIXEL, N_PIXELS, WAVELENGTH
from spectraq.models.measurement.target import Floats, Target, observed

AIR_TO_VACUUM = 1.00028
"""Bands are defined in air; between 3850 and 5400 angstrom the ratio is this to three millionths."""
BREAK = ((3850.0, 3950.0), (4000.0, 4100.0))
"""Balogh et al. 1999, ApJ 527, 54."""
LICK = {
    "hdelta_a": ((4041.600, 4081.500), (4083.500, 4122.250), (4128.500, 4161.000)),
    "mgb": ((5117.700, 5142.700), (5160.125, 5192.625), (5191.375, 5206.375)),
    "fe5270": ((5233.150, 5248.150), (5245.650, 5285.650), (5285.650, 5318.150)),
    "fe5335": ((5304.625, 5317.375), (5312.125, 5352.125), (5353.375, 5363.375)),
}
"""Blue side, band, red side: Worthey and Ottaviani 1997 (ApJS 111, 377), Trager et al. 1998 (ApJS 116, 1)."""
LEAST_SHARE, BLOCK_PIXELS = 0.1, 128
"""A pixel with less of the weight that is usual around it, as beside a masked one, is filled like a gap: a
mean without weights would be all its noise."""
NOT_COVERED = "its bands are outside the spectrum, or masked"
NO_CONTINUUM = "no continuum is seen at its bands"


@dataclass(frozen=True, slots=True)
class Stars:
    """Light of a galaxy's stars: flux without emission lines, gaps filled with the fit, and its variance."""

    target: Target
    flux: Floats  # (N_PIXELS,)
    variance: Floats  # (N_PIXELS,) zero where filled

    @classmethod
    def of(cls, target: Target, emission: Floats, continuum: Floats, scale: float) -> Stars:
        """Take emission off; `scale` is what variances are multiplied by."""
        used = target.ivar > LEAST_SHARE * _usual(target.ivar)
        variance = np.where(used, scale / np.where(used, target.ivar, 1.0), 0.0)
        return cls(target, np.where(used, target.flux - emission, continuum), variance)


def _usual(ivar: Floats) -> Floats:
    """Return the median ivar of the used pixels around each, infinite where there are none, (N_PIXELS,)."""
    blocks = np.pad(ivar, (0, -ivar.size % BLOCK_PIXELS)).reshape(-1, BLOCK_PIXELS)
    ordered = np.sort(blocks, axis=1)
    n = (blocks > 0).sum(1)
    middle = ordered[np.arange(len(n)), BLOCK_PIXELS - 1 - n // 2]
    return np.repeat(np.where(n > 0, middle, np.inf), BLOCK_PIXELS)[: ivar.size]


def indices(stars: Stars) -> dict[str, Quantity]:
    """Return D4000n, H delta A, Mgb and <Fe>."""
    found = {"d4000n": _break(stars), **{name: _lick(stars, *bands) for name, bands in LICK.items()}}
    first, second = found.pop("fe5270"), found.pop("fe5335")
    if first.value is None or second.value is None or first.error is None or second.error is None:
        found["fe"] = Quantity(None, None, "Angstrom", first.reason or second.reason)
    else:
        error = 0.5 * float(np.hypot(first.error, second.error))
        found["fe"] = Quantity(0.5 * (first.value + second.value), error, "Angstrom")
    return found


@dataclass(frozen=True, slots=True)
class _Bands:
    """Shares of some bands in the pixels from the first band to the last."""

    within: slice
    rest: Floats  # (n,) wavelength at rest
    shares: list[Floats]  # (n,) angstrom at rest of each pixel that lie in each band

    @classmethod
    def of(cls, target: Target, *bands: tuple[float, float]) -> _Bands | None:
        """Return bands in air; None where not enough of one was observed."""
        edges = [tuple(target.place(edge * AIR_TO_VACUUM) for edge in band) for band in bands]
        if not all(observed(target, *band) for band in edges):
            return None
        first = max(math.floor(min(low for low, _ in edges)) - 1, 0)
        within = slice(first, min(math.ceil(max(high for _, high in edges)) + 2, N_PIXELS))
        pixel = np.arange(within.start, within.stop)
        rest = WAVELENGTH[within] * math.exp(-target.lag * LN_PER_PIXEL)
        angstrom = rest * LN_PER_PIXEL
        shares = [
            (np.minimum(pixel + 0.5, last) - np.maximum(pixel - 0.5, low)).clip(0.0) * angstrom
            for low, last in edges
        ]
        return cls(within, rest, shares)


def _break(stars: Stars) -> Quantity:
    bands = _Bands.of(stars.target, *BREAK)
    if bands is None:
        return Quantity(None, None, "", NOT_COVERED)
    flux, variance = stars.flux[bands.within], stars.variance[bands.within]
    # A mean of flux per frequency: per angstrom times wavelength squared.
    weights = [share / share.sum() * bands.rest**2 for share in bands.shares]
    low, high = (float(weight @ flux) for weight in weights)
    errors = [float(weight**2 @ variance) ** 0.5 for weight in weights]
    if low < 3 * errors[0] or high <= 0:
        return Quantity(None, None, "", NO_CONTINUUM)
    value = high / low
    return Quantity(value, value * math.hypot(errors[0] / low, errors[1] / high), "")


def _lick(
    stars: Stars, blue: tuple[float, float], band: tuple[float, float], red: tuple[float, float]
) -> Quantity:
    """Return the equivalent width of a band under the line between its sides (Trager et al., eq. 2)."""
    bands = _Bands.of(stars.target, blue, red, band)
    if bands is None:
        return Quantity(None, None, "Angstrom", NOT_COVERED)
    flux, variance = stars.flux[bands.within], stars.variance[bands.within]
    weights = [share / share.sum() for share in bands.shares[:2]]
    middles = [0.5 * sum(part) * AIR_TO_VACUUM for part in (blue, red)]
    low, high = (float(weight @ flux) for weight in weights)
    errors = [float(weight**2 @ variance) ** 0.5 for weight in weights]
    if low < 3 * errors[0] or high < 3 * errors[1]:
        return Quantity(None, None, "Angstrom", NO_CONTINUUM)
    share = bands.shares[2]
    t = (bands.rest - middles[0]) / (middles[1] - middles[0])
    level = np.where(share > 0, low + t * (high - low), 1.0)
    value = float(share @ (1 - flux / level))
    # The index is a function of the band's pixels and of both sides: their gradients, pixel by pixel.
    by_level = share * flux / level**2
    gradient = -share / level
    gradient += weights[0] * float(by_level @ (1 - t)) + weights[1] * float(by_level @ t)
    return Quantity(value, float(gradient**2 @ variance) ** 0.5, "Angstrom")
