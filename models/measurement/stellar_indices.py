"""Strengths of a star's lines, bands and breaks, at one resolution whatever the survey.

An index is minus the logarithm of a band's mean flux over the continuum, a straight line through the means of
two side bands. Each mean is a sum of pixels with weights that hold the blur to the common resolution, so the
spectrum itself is never blurred, and noise is followed through exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.axis import pixel_of
from spectraq.models.measurement.indices import LICK
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.target import Target

Floats = NDArray[np.float64]
Band = tuple[float, float]
BANDS: dict[str, tuple[Band, Band, Band]] = {
    # Ca II H and K together: Serven, Worthey and Briley 2005 (ApJ 627, 754); K alone: Beers et al. 1999.
    "CaHK": ((3806.5, 3833.8), (3899.5, 4003.5), (4020.7, 4052.4)),
    "CaK": ((3903, 3923), (3927.7, 3939.7), (4000, 4020)),
    "CaH": ((3940, 3960), (3962, 3976), (4000, 4020)),
    "H8": ((3855, 3870), (3884, 3894), (3906, 3920)),
    "Fe4046": ((4020, 4040), (4042, 4050), (4082, 4090)),
    "Fe4064": ((4020, 4040), (4060, 4068), (4082, 4090)),
    "Fe4072": ((4020, 4040), (4069, 4074), (4082, 4090)),
    "Sr4077": ((4020, 4040), (4075, 4081), (4082, 4090)),
    # Balmer lines at two widths: Worthey and Ottaviani 1997 (ApJS 111, 377).
    "HdeltaA": ((4041.6, 4081.5), (4083.5, 4122.25), (4128.5, 4161)),
    "HdeltaF": ((4057.25, 4088.5), (4091, 4112.25), (4114.75, 4137.25)),
    "Hdelta6": ((4057.25, 4088.5), (4098.7, 4104.7), (4114.75, 4137.25)),
    "Fe4143": ((4128.5, 4140), (4140, 4148), (4150, 4165)),
    # What has no other source: Trager et al. 1998 (ApJS 116, 1).
    "CN2": ((4083.875, 4096.375), (4142.125, 4177.125), (4244.125, 4284.125)),
    "Sr4215": ((4180, 4196), (4211, 4219), (4237, 4249)),
    "Ca4227": ((4211, 4219.75), (4222.25, 4234.75), (4241, 4251)),
    "Fe4271": ((4237, 4249), (4266, 4276), (4276, 4283)),
    "G4300": ((4266.375, 4282.625), (4281.375, 4316.375), (4318.875, 4335.125)),
    "HgammaA": ((4283.5, 4319.75), (4319.75, 4363.5), (4367.25, 4419.75)),
    "HgammaF": ((4283.5, 4319.75), (4331.25, 4352.25), (4354.75, 4384.75)),
    "Hgamma6": ((4318.9, 4330), (4337.5, 4343.5), (4354.75, 4368)),
    "Fe4383": ((4359.125, 4370.375), (4369.125, 4420.375), (4442.875, 4455.375)),
    "Fe4384": ((4359.125, 4370.375), (4379, 4389), (4442.875, 4455.375)),
    "Ti4395": ((4359.125, 4370.375), (4391, 4401), (4442.875, 4455.375)),
    "Fe4415": ((4359.125, 4370.375), (4411, 4420), (4442.875, 4455.375)),
    "Ca4455": ((4445.875, 4454.625), (4452.125, 4474.625), (4477.125, 4492.125)),
    "Mg4481": ((4473, 4478), (4478, 4485), (4504.25, 4514.25)),
    "Fe4531": ((4504.25, 4514.25), (4514.25, 4559.25), (4560.5, 4579.25)),
    "Ba4554": ((4536, 4547), (4550, 4558), (4560.5, 4579.25)),
    "Fe4668": ((4611.5, 4630.25), (4634, 4720.25), (4742.75, 4756.5)),
    "MgH4780": ((4742.75, 4756.5), (4757, 4790), (4792, 4812)),
    "Hbeta": ((4827.875, 4847.875), (4847.875, 4876.625), (4876.625, 4891.625)),
    "HbetaA": ((4815, 4845), (4851.32, 4871.32), (4880, 4930)),
    "HbetaW": ((4790, 4815), (4835, 4890), (4900, 4917)),
    "Fe4920": ((4895.1, 4914), (4914, 4928), (4940, 4950)),
    "Fe4957": ((4940, 4950), (4950, 4964), (4964, 4976)),
    "Fe5015": ((4946.5, 4977.75), (4977.75, 5054), (5054, 5065.25)),
    "Mg1": ((4895.125, 4957.625), (5069.125, 5134.125), (5301.125, 5366.125)),
    "Mg2": ((4895.125, 4957.625), (5154.125, 5196.625), (5301.125, 5366.125)),
    "Mgb": LICK["mgb"],
    "Mg5173": ((5152, 5162), (5165, 5175), (5191.375, 5200)),
    "Mg5184": ((5152, 5162), (5180, 5188), (5191.375, 5200)),
    "Fe5270": LICK["fe5270"],
    "Fe5335": LICK["fe5335"],
    "Fe5406": ((5376.25, 5387.5), (5387.5, 5415), (5415, 5425)),
    "Fe5709": ((5672.875, 5696.625), (5696.625, 5720.375), (5722.875, 5736.625)),
    "Fe5782": ((5765.375, 5775.375), (5776.625, 5796.625), (5797.875, 5811.625)),
    "TiO2": ((6066.625, 6141.625), (6189.625, 6272.125), (6372.625, 6415.125)),
    "Ca6162": ((6142, 6152), (6155, 6172), (6172, 6187)),
    "CaH6358": ((6330, 6342), (6346, 6366), (6366, 6378)),
    "Fe6495": ((6470, 6488), (6490, 6502), (6502, 6514)),
    # Nelan et al. 2005 (ApJ 632, 137), and at two more widths.
    "Halpha": ((6515, 6540), (6554, 6575), (6575, 6585)),
    "Halpha6": ((6515, 6540), (6559.8, 6565.8), (6575, 6600)),
    "HalphaW": ((6490, 6515), (6540, 6585), (6600, 6630)),
}
"""Blue side, band and red side in air angstrom. Those of one element and a wavelength that no source has are
set on the line, with sides where stars of all kinds have least. Sodium's D lines are left out: interstellar
gas and the night sky have them, too."""
COMMON_SPREAD = 1.3
"""Standard deviation of an unresolved line in all indices, grid pixels: R = 1420, the poorest of surveys."""
PIXEL_VARIANCE = 1 / 12
LEAST_SHARE = 0.9
"""Of the weight of a band that must be seen."""
PHASES = 8
"""Fractions of a pixel for which weights are made: 4 km/s."""
BLOCK = 8
"""Pixels over which the noise is taken to be even."""


def vacuum(air: Floats) -> Floats:
    """Return vacuum wavelengths of wavelengths in air, angstrom (Ciddor 1996, as VALD inverts him)."""
    s = (1e4 / air) ** 2
    refraction = 8.336624212083e-5 + 0.02408926869968 / (130.1065924522 - s)
    return np.asarray(air * (1 + refraction + 1.599740894897e-4 / (38.92568793293 - s)))


ANGSTROM: Floats = vacuum(np.array(list(BANDS.values()), np.float64))
"""Edges of the bands in vacuum, (K, 3, 2)."""
MIDDLE = ANGSTROM.mean(2)
RED_SHARE = (MIDDLE[:, 1] - MIDDLE[:, 0]) / (MIDDLE[:, 2] - MIDDLE[:, 0])


@dataclass(frozen=True, slots=True)
class Indices:
    """Indices of one star.

    Attributes
    ----------
    value
        Shape (K,), in the order of BANDS; NaN where a band is not seen, or no continuum.
    covariance
        By the noise of the pixels, (K, K); of no meaning where a value is NaN.
    """

    value: Floats
    covariance: Floats


def stellar_indices(target: Target) -> Indices:
    """Return the indices of a star at its redshift."""
    return _of_survey((target.survey or "").lower()).measure(target.flux, target.ivar, target.lag)


@lru_cache(maxsize=32)
def _of_survey(survey: str) -> BandWeights:
    return BandWeights(spread_at(survey, MIDDLE))


@dataclass(frozen=True)
class BandWeights:
    """Weights of pixels for bands at the common resolution, of spectra of one instrument.

    Attributes
    ----------
    spread
        The instrument's standard deviation at each band in grid pixels, (K, 3).
    """

    spread: Floats
    _at: dict[int, tuple[NDArray[np.int64], Floats]] = field(default_factory=dict, repr=False)
    _shared: list[SharedPixels] = field(default_factory=list, repr=False)

    def at(self, phase: int) -> tuple[NDArray[np.int64], Floats]:
        """Return first pixels, (K, 3), and weights from there on, (K, 3, W), of a lag of phase / PHASES."""
        if phase not in self._at:
            edge = pixel_of(ANGSTROM) + phase / PHASES
            blur = np.sqrt(np.maximum(COMMON_SPREAD**2 - self.spread**2, 0) + PIXEL_VARIANCE)
            reach = int(np.ceil((edge[..., 1] - edge[..., 0]).max() + 8 * COMMON_SPREAD)) + 2
            first = np.floor(edge[..., 0] - 4 * COMMON_SPREAD).astype(np.int64)
            pixel = first[..., None] + np.arange(reach)
            below, above = ((pixel - edge[..., k, None]) / blur[..., None] for k in (0, 1))
            weight = _normal(below) - _normal(above)
            self._at[phase] = first, weight / weight.sum(2, keepdims=True)
        return self._at[phase]

    def measure(self, flux: Floats, ivar: Floats, lag: float, offset: int = 0) -> Indices:
        """Return the indices of a spectrum.

        Parameters
        ----------
        flux, ivar
            On the common grid or whole pixels of its continuation, (n,); ivar is zero where not used.
        lag
            Of the redshift, in pixels.
        offset
            Grid pixel of element 0.
        """
        whole = int(np.floor(lag * PHASES + 0.5)) // PHASES
        first, weight = self.at(round((lag - whole) * PHASES) % PHASES)
        pixel = first[..., None] + np.arange(weight.shape[2]) + (whole - offset)
        inside = (pixel >= 0) & (pixel < flux.size)
        pixel = np.where(inside, pixel, 0)
        weight = weight * (inside & (ivar[pixel] > 0))
        share = weight.sum(2)
        mean = (weight * flux[pixel]).sum(2) / np.maximum(share, 1e-9)
        line = mean[:, 1]
        continuum = mean[:, 0] * (1 - RED_SHARE) + mean[:, 2] * RED_SHARE
        seen = (share > LEAST_SHARE).all(1) & (line > 0) & (continuum > 0) & (mean > 0).all(1)
        line, continuum = (np.where(seen, values, 1.0) for values in (line, continuum))
        covariance = self._covariance(ivar, whole - offset, line, continuum)
        return Indices(np.where(seen, np.log(continuum / line), np.nan), covariance)

    def _covariance(self, ivar: Floats, shift: int, line: Floats, continuum: Floats) -> Floats:
        """Return the covariance of the indices: of lines and of continua, each over its flux."""
        if not self._shared:
            self._shared.append(SharedPixels.of(*self.at(0)))
        among = self._shared[0].covariance(ivar, shift)
        gradient = np.concatenate([-1 / line, 1 / continuum])
        among *= gradient * gradient[:, None]
        k = line.size
        return np.asarray(among[:k, :k] + among[:k, k:] + among[k:, :k] + among[k:, k:])


@dataclass(frozen=True)
class SharedPixels:
    """Sums over blocks of pixels of the products of two functionals' weights, where there are any.

    Functionals are the K bands and the K continua.

    Attributes
    ----------
    pair
        Row times 2 K plus column, (m,).
    block
        From `first` on, (m,).
    product
        Shape (m,).
    first
        Grid pixel where block 0 begins, at lag zero.
    """

    pair: NDArray[np.int64]
    block: NDArray[np.int64]
    product: Floats
    first: int
    n_blocks: int

    @classmethod
    def of(cls, first: NDArray[np.int64], weight: Floats) -> SharedPixels:
        """Take the weights of `BandWeights.at`."""
        functional, start = dense(first, weight)
        n = functional.shape[1] // BLOCK
        blocks = functional[:, : n * BLOCK].reshape(len(functional), n, BLOCK)
        product = np.einsum("inp,jnp->ijn", blocks, blocks)
        row, column, block = np.nonzero(np.abs(product) > 1e-9)
        pair = row * len(functional) + column
        return cls(pair, block, product[row, column, block], start, n)

    def covariance(self, ivar: Floats, shift: int) -> Floats:
        """Return the covariance of the functionals, (2 K, 2 K)."""
        edges = self.first + shift + BLOCK * np.arange(self.n_blocks + 1)
        good = ivar > 0
        sums = [
            np.concatenate([[0.0], np.cumsum(values)])[edges.clip(0, ivar.size)]
            for values in (1 / np.where(good, ivar, np.inf), good)
        ]
        total, count = np.diff(sums[0]), np.diff(sums[1])
        variance = np.where(count > 0, total / np.maximum(count, 1), 0.0)
        k = 2 * len(BANDS)
        weights = self.product * variance[self.block]
        return np.asarray(np.bincount(self.pair, weights, k * k), np.float64).reshape(k, k)


def dense(first: NDArray[np.int64], weight: Floats) -> tuple[Floats, int]:
    """Return weights of bands and continua over all pixels that they need, (2 K, L), and the first pixel."""
    start = int(first.min())
    size = -(-(int(first.max()) - start + weight.shape[2]) // BLOCK) * BLOCK
    band = np.zeros((*first.shape, size))
    np.put_along_axis(band, (first - start)[..., None] + np.arange(weight.shape[2]), weight, 2)
    share = RED_SHARE[:, None]
    return np.concatenate([band[:, 1], band[:, 0] * (1 - share) + band[:, 2] * share]), start


def _normal(x: Floats) -> Floats:
    return np.asarray(0.5 * torch.erfc(torch.from_numpy(-x / np.sqrt(2))).numpy())
