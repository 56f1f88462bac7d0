"""Two spectra of one object on one grid, at one resolution, with a smooth response between them left free."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spectraq.models.change.epoch import Epoch, Floats
from spectraq.models.change.response import Calibration
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH
from spectraq.models.measurement.instrument import spread_at

MIN_OVERLAP = 400
"""Pixels that both must have: a response and a change are not told apart in fewer."""
MODEL_ERROR = 0.01
"""Fraction of the flux by which two spectra of one object differ in any pixel, whatever their noise."""
LEAST_LEVEL = 0.1
LEAST_BLUR = 0.25
"""Pixels of standard deviation below which two line spreads are the same."""
SAME_OFFSET = 0.02
"""Pixels."""
LIGHT_SPREAD = 1.0
"""Standard deviation of the light that may be added, of the median flux: as much as there is."""
ROUNDS = 4
LARGEST_STEP = 0.7
"""Of the response's coefficients in one round: it is the logarithm that is linear."""
SPIKE_SIGMA = 6.0
SPIKE_NEIGHBOUR = 2.5
"""A pixel so far off whose neighbours are not is a cosmic ray in one of the two."""


class IncomparableError(ValueError):
    """Two spectra that can't be compared: the message says what to do."""


@dataclass(frozen=True, slots=True)
class Side:
    """One spectrum of a pair, in units of its median model over the overlap."""

    flux: Floats
    ivar: Floats
    model: Floats
    scale: float


@dataclass(frozen=True)
class Pair:
    """What two spectra leave when one is taken for the other times a smooth response.

    Attributes
    ----------
    left
        Newer less response times earlier, shape (N_PIXELS,), in units of the newer's median.
    weight
        Inverse variance of `left`, zero where either has no pixel, or a spike.
    shapes
        The free shapes (K, N_PIXELS): polynomials times the reference, and the added light where one is free.
    coefficients
        Most probable, shape (K,).
    """

    earlier: Side
    newer: Side
    response: Floats
    reference: Floats
    left: Floats
    weight: Floats
    shapes: Floats
    coefficients: Floats
    prior: Floats  # (K,) inverse variances
    light: float = 0.0  # the added light of `paired`, in its units, where one is free

    @cached_property
    def inverse(self) -> Floats:
        """Covariance of the response's coefficients, (K, K)."""
        normal = (self.shapes * self.weight) @ self.shapes.T
        return np.asarray(np.linalg.inv(normal + np.diag(self.prior)))

    @cached_property
    def score(self) -> Floats:
        """What is left over its variance, (N_PIXELS,)."""
        return self.left * self.weight

    @property
    def added(self) -> Floats:
        """The light that is added to the newer, (N_PIXELS,)."""
        return np.asarray(self.light * self.shapes[-1] if self.light else np.zeros(N_PIXELS))

    @property
    def used(self) -> NDArray[np.bool_]:
        """Pixels that both have, (N_PIXELS,)."""
        return self.weight > 0

    def products(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return products of shapes with what is left (n,) and with each other (n, n), the response free.

        Parameters
        ----------
        rows
            Shapes of a change, (n, N_PIXELS), in units of the newer's median.
        """
        weighted = rows * self.weight
        shared = weighted @ self.shapes.T
        return rows @ self.score, weighted @ rows.T - shared @ self.inverse @ shared.T

    def amplitudes(self, rows: Floats) -> tuple[Floats, Floats]:
        """Return the size of each shape alone, and its standard deviation, (n,) each; inf where unseen."""
        weighted = rows * self.weight
        shared = weighted @ self.shapes.T
        square = (weighted * rows).sum(1) - ((shared @ self.inverse) * shared).sum(1)
        seen = square > 1e-6
        safe = np.where(seen, square, 1.0)
        return np.where(seen, (rows @ self.score) / safe, 0.0), np.where(seen, 1 / np.sqrt(safe), np.inf)


def paired(earlier: Epoch, newer: Epoch, calibration: Calibration, light: Floats | None = None) -> Pair:
    """Return what two spectra leave.

    Parameters
    ----------
    calibration
        How much their flux calibrations may differ.
    light
        A shape that may be added to the newer spectrum, (N_PIXELS,): a continuum that varies, beside which
        lines are compared.

    Raises
    ------
    IncomparableError
        Where they share too few wavelengths.
    """
    first, second = _aligned(earlier, newer)
    used = (first.ivar > 0) & (second.ivar > 0)
    if used.sum() < MIN_OVERLAP:
        raise IncomparableError(
            f"the two spectra share {int(used.sum())} usable pixels of the common grid; at least "
            f"{MIN_OVERLAP} are needed: compare spectra whose wavelengths overlap"
        )
    first, second = _at_one_resolution(first, second)
    a, b = _side(first, used), _side(second, used)
    return _with_response(a, b, used, calibration, light)


def _side(epoch: Epoch, used: NDArray[np.bool_]) -> Side:
    scale = max(
        float(np.median(np.abs(epoch.model[used]))), float(np.median(np.abs(epoch.flux[used]))) * 1e-3
    )
    scale = scale or 1.0
    return Side(epoch.flux / scale, epoch.ivar * scale**2, epoch.model / scale, scale * epoch.unit)


def _aligned(earlier: Epoch, newer: Epoch) -> tuple[Epoch, Epoch]:
    """Move the newer spectrum onto the earlier one's pixels where these lie apart by a fraction of one."""
    apart = newer.offset - earlier.offset
    if abs(apart) < SAME_OFFSET:
        return earlier, newer
    # Pixel i of the newer lies at i + apart of the earlier: what falls there comes from its two neighbours.
    step, part = (1, apart) if apart > 0 else (-1, -apart)
    ivar = (1 - part) * newer.ivar + part * np.roll(newer.ivar, step)
    light = (1 - part) * newer.ivar * newer.flux + part * np.roll(newer.ivar * newer.flux, step)
    model = (1 - part) * newer.model + part * np.roll(newer.model, step)
    both = (newer.ivar > 0) & (np.roll(newer.ivar, step) > 0)
    moved = replace(
        newer,
        flux=np.where(both, light / np.where(ivar > 0, ivar, 1.0), 0.0),
        ivar=np.where(both, ivar, 0.0),
        model=model,
        offset=earlier.offset,
    )
    return earlier, moved


def _at_one_resolution(first: Epoch, second: Epoch) -> tuple[Epoch, Epoch]:
    """Convolve the finer with what its line spread lacks, wavelength by wavelength."""
    apart = spread_at(second.survey, WAVELENGTH) ** 2 - spread_at(first.survey, WAVELENGTH) ** 2
    if np.abs(apart).max() < LEAST_BLUR**2:
        return first, second
    return _blurred(first, apart), _blurred(second, -apart)


def _blurred(epoch: Epoch, square: Floats) -> Epoch:
    """Return a spectrum with lines wider by these variances, in square pixels, where positive.

    The noise of neighbours is then shared; its variance a pixel is kept as it was, so that sums over several
    pixels have the right one.
    """
    square = square.clip(0)
    if square.max() < LEAST_BLUR**2:
        return epoch
    reach = int(np.ceil(3 * np.sqrt(square.max()))) + 1
    steps = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * steps[:, None] ** 2 / np.maximum(square, LEAST_BLUR**2 / 4))
    kernel /= kernel.sum(0)
    good = epoch.ivar > 0
    light, weight, model = np.zeros(N_PIXELS), np.zeros(N_PIXELS), np.zeros(N_PIXELS)
    for step, share in zip(steps, kernel, strict=True):
        light += share * np.roll(np.where(good, epoch.flux, 0.0), step)
        weight += share * np.roll(good, step)
        model += share * np.roll(epoch.model, step)
    flux = np.where(good, light / np.maximum(weight, 1e-6), 0.0)
    return replace(epoch, flux=flux, model=np.where(epoch.model != 0, model, 0.0))


def _with_response(
    a: Side, b: Side, used: NDArray[np.bool_], calibration: Calibration, light: Floats | None
) -> Pair:
    polynomials, prior = calibration.polynomials(used), calibration.inverse_variances
    added = np.zeros((0, N_PIXELS))
    if light is not None:
        added = (light / np.median(np.abs(light[used])))[None]
        prior = np.append(prior, 1 / LIGHT_SPREAD**2)
    terms = len(polynomials)
    coefficients, mask = np.zeros(len(prior)), used
    trust_a, trust_b = (float(np.median(side.ivar[used])) for side in (a, b))
    for _ in range(ROUNDS):
        response = np.exp(coefficients[:terms] @ polynomials)
        more = coefficients[terms:] @ added
        reference = (trust_a * a.model + trust_b * (b.model - more) / response) / (trust_a + trust_b)
        level = np.abs(reference * response + more).clip(LEAST_LEVEL)
        noise = 1 / np.where(mask, b.ivar, 1.0) + response**2 / np.where(mask, a.ivar, 1.0)
        weight = np.where(mask, 1 / (noise + (MODEL_ERROR * level) ** 2), 0.0)
        left = np.where(mask, b.flux - response * a.flux - more, 0.0)
        mask = mask & ~_spikes(left * np.sqrt(weight))
        weight = np.where(mask, weight, 0.0)
        shapes = np.concatenate([polynomials * (reference * response), added])
        normal = (shapes * weight) @ shapes.T + np.diag(prior)
        step = np.linalg.solve(normal, (shapes * weight) @ left - prior * coefficients)
        coefficients = coefficients + step * min(1.0, LARGEST_STEP / max(float(np.abs(step).max()), 1e-9))
    response = np.exp(coefficients[:terms] @ polynomials)
    more = coefficients[terms:] @ added
    left = np.where(mask, b.flux - response * a.flux - more, 0.0)
    return Pair(
        a,
        b,
        response,
        reference,
        left,
        weight,
        shapes,
        coefficients,
        prior,
        float(coefficients[terms:].sum()),
    )


def _spikes(ratio: Floats) -> NDArray[np.bool_]:
    size = np.abs(ratio)
    around = np.maximum(np.roll(size, 1), np.roll(size, -1))
    return np.asarray((size > SPIKE_SIGMA) & (around < SPIKE_NEIGHBOUR))
