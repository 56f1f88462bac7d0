"""Put what is strange into mocks on purpose: lines, steps, sky, second objects, supernovae.

A mock that can't have what was drawn for it, as a star a supernova, is left out. Sizes are drawn on
logarithmic scales, from what is hardly seen to what nobody misses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.kinds import NOTHING, NOTHING_PLANTED, SEEN, TABLE
from spectraq.models.grid.axis import N_PIXELS, REBIN, lag_of
from spectraq.models.grid.model_error import JUDGED, with_error
from spectraq.models.training.mocks import Mocks

SHARES = {NOTHING: NOTHING_PLANTED, **{kind.name: kind.planted for kind in TABLE if kind.detected}}
"""How often each is put in."""
COMPANIONS = {"second_star": "STAR", "second_galaxy": "GALAXY", "second_quasar": "QSO"}
LINE_SIGMA, LINE_WIDTH = (5.0, 25.0), (1.2, 5.0)
STEP, STEP_PIXELS = (0.08, 0.6), (1300, 3400)
STEP_WIDTHS = (0.1, 0.1, 5.0, 15.0)
"""Grid pixels over which a step rises: often none."""
SKY_SIGMA, SKY_PERCENTILE = (3.0, 14.0), 99.5
COMPANION_LIGHT, SUPERNOVA_LIGHT = (0.12, 1.3), (0.15, 1.5)
LEAST_LAG = 0.01
LEAST_OVERLAP, LEAST_SUPERNOVA_PIXELS = 0.8, 1200
TRIES = 6
COSMIC_RAYS, COSMIC_SIGMA = 0.3, (3.0, 30.0)

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Spoiled:
    """Mocks with something put in; n rows."""

    flux: Floats  # (n, N_PIXELS)
    kind: NDArray[np.int64]  # (n,) index into SEEN
    kept: NDArray[np.bool_]  # (n,) false where the mock could not have what was drawn


class Strangers:
    """Draws what to put into mocks.

    Parameters
    ----------
    sky
        Relative strength of sky lines on the grid, (N_PIXELS,).
    supernovae
        Rest-frame spectra on coarse pixels from `first` on, NaN where not observed, (m, L).
    first
        Coarse pixel of their first element at redshift zero.
    """

    def __init__(self, sky: Floats, supernovae: Floats, first: int, seed: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._sky = sky / np.percentile(sky, SKY_PERCENTILE)
        self._supernovae, self._first = supernovae, first

    def spoil(self, mocks: Mocks, cosmic_rays: bool) -> Spoiled:
        """Put something into every mock, into a third of them nothing.

        Parameters
        ----------
        cosmic_rays
            Also add cosmic rays, which are nothing strange, to mocks that have none.
        """
        flux, ivar = mocks.flux.numpy().astype(np.float64), mocks.ivar.numpy()
        kind = self._rng.choice(len(SEEN), len(mocks), p=[SHARES[name] for name in SEEN])
        kept = np.ones(len(mocks), bool)
        for i in range(len(mocks)):
            if cosmic_rays and self._rng.random() < COSMIC_RAYS:
                self._cosmic_rays(flux[i], ivar[i])
            changed = self._changed(SEEN[kind[i]], mocks, i, flux[i], ivar[i])
            if changed is None:
                kept[i] = False
            else:
                flux[i] = changed
        return Spoiled(flux, kind, kept)

    def _changed(self, kind: str, mocks: Mocks, i: int, flux: Floats, ivar: Floats) -> Floats | None:
        if kind == NOTHING:
            return flux
        if kind in COMPANIONS:
            return self._companion(COMPANIONS[kind], mocks, i, flux, ivar)
        if kind == "supernova":
            return self._supernova(mocks, i, flux, ivar)
        sign = 1 if kind == "unmodelled_emission" else -1
        simple: dict[str, Callable[[], Floats]] = {
            "arm_step": lambda: self._step(flux),
            "sky_residual": lambda: self._residual_sky(flux, ivar),
        }
        return simple.get(kind, lambda: self._line(flux, ivar, sign))()

    def _between(self, limits: tuple[float, float]) -> float:
        """Draw between limits, on a logarithmic scale."""
        return float(np.exp(self._rng.uniform(*np.log(limits))))

    def _cosmic_rays(self, flux: Floats, ivar: Floats) -> None:
        for pixel in self._rng.integers(0, N_PIXELS, self._rng.integers(1, 4)):
            if ivar[pixel] > 0:
                flux[pixel] += self._rng.uniform(*COSMIC_SIGMA) / np.sqrt(ivar[pixel])

    def _line(self, flux: Floats, ivar: Floats, sign: int) -> Floats:
        """Add or take away a line of a given significance anywhere."""
        used = ivar > 0
        centre, width = self._rng.choice(np.flatnonzero(used)[10:-10]), self._between(LINE_WIDTH)
        profile = np.exp(-0.5 * ((np.arange(N_PIXELS) - centre) / width) ** 2)
        weight = with_error(ivar, np.full_like(ivar, JUDGED * _median(flux, used)))
        height = self._between(LINE_SIGMA) / np.sqrt((profile**2 * weight).sum())
        return np.asarray(flux + sign * height * profile * used)

    def _step(self, flux: Floats) -> Floats:
        """Make all that is redward of a pixel brighter or fainter."""
        height = max(self._between(STEP) * self._rng.choice([-1, 1]), -0.5)
        edge, width = self._rng.integers(*STEP_PIXELS), self._rng.choice(STEP_WIDTHS)
        distance = np.clip((np.arange(N_PIXELS) - edge) / width, -50, 50)
        return np.asarray(flux * (1 + height / (1 + np.exp(-distance))))

    def _residual_sky(self, flux: Floats, ivar: Floats) -> Floats:
        """Leave the night sky's lines in, or take them away twice."""
        used = ivar > 0
        sigma = np.median(1 / np.sqrt(ivar[used]))
        height = self._between(SKY_SIGMA) * self._rng.choice([-1, 1]) * self._rng.uniform(0.7, 1.3)
        return np.asarray(flux + height * sigma * self._sky * used)

    def _companion(self, spectype: str, mocks: Mocks, i: int, flux: Floats, ivar: Floats) -> Floats | None:
        """Add the light of another mock, without its noise."""
        j = int(self._rng.choice(np.flatnonzero(mocks.spectype == spectype)))
        light, used = mocks.truth[j].numpy().astype(np.float64), ivar > 0
        both = used & (light != 0)
        twin = spectype == mocks.spectype[i] and abs(mocks.z[i] - mocks.z[j]) < LEAST_LAG
        if twin or both.sum() < LEAST_OVERLAP * used.sum():
            return None
        share = self._between(COMPANION_LIGHT) * _median(flux, both) / max(_median(light, both), 1e-9)
        return np.asarray(flux + share * np.where(both, light, 0))

    def _supernova(self, mocks: Mocks, i: int, flux: Floats, ivar: Floats) -> Floats | None:
        """Add a supernova, or a mixture of two, at a galaxy's redshift."""
        if mocks.spectype[i] != "GALAXY":
            return None
        used, rng = ivar > 0, self._rng
        for _ in range(TRIES):
            pair = self._supernovae[rng.integers(0, len(self._supernovae), 2)]
            first, second = (self._observed(spectrum, mocks.z[i] + rng.normal(0, 0.006)) for spectrum in pair)
            overlap = used & (first > 0) & (second > 0)
            if overlap.sum() < LEAST_SUPERNOVA_PIXELS:
                continue
            part = rng.choice([0, 0, rng.uniform()])
            light = (1 - part) * first / _median(first, overlap) + part * second / _median(second, overlap)
            tilt = np.exp(rng.normal(0, 0.25) * np.linspace(-0.5, 0.55, N_PIXELS))
            return np.asarray(
                flux + self._between(SUPERNOVA_LIGHT) * _median(flux, used) * light * tilt * used
            )
        return None

    def _observed(self, spectrum: Floats, z: float) -> Floats:
        """Shift a rest-frame spectrum, zero where it was not observed; (N_PIXELS,)."""
        coarse = (np.arange(N_PIXELS) - (REBIN - 1) / 2 - lag_of(float(z))) / REBIN - self._first
        index = np.arange(len(spectrum))
        shifted = np.interp(coarse, index, spectrum, left=np.nan, right=np.nan)
        return np.asarray(np.nan_to_num(shifted))


def _median(flux: Floats, where: NDArray[np.bool_]) -> float:
    return float(np.median(np.abs(flux[where])))
