"""Populations times a smooth response, fitted to means of two pixels: amplitudes, response and blur together.

Both factors are linear, their product is not: Levenberg and Marquardt's steps change all at once. Stars'
features are three pixels wide or more, so that means of two lose next to nothing and cost half.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.measurement.ground import inverted
from spectraq.models.measurement.populations import N_PAIRS, Paired
from spectraq.models.measurement.target import Floats, Target

RESPONSE_SIZE = 1.0
"""Prior standard deviation of the response's first terms, of the level; of term j it is this times 2 / j."""
CONVERGED = 0.05
"""Steps end where the next is expected to gain less chi2."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """The n pairs that are fitted, both their pixels used: flux, ivar, and the response's polynomials."""

    kept: NDArray[np.int64]  # which pairs of the grid
    flux: Floats
    ivar: Floats
    response: Floats  # (terms, n)

    @classmethod
    def of(
        cls, target: Target, masked: NDArray[np.bool_], reached: NDArray[np.bool_], response: Floats
    ) -> Pairs:
        """Return the pairs of a target of which no pixel is masked, and which the populations reach."""
        weight = np.where(masked, 0.0, target.ivar).reshape(N_PAIRS, 2)
        kept = np.flatnonzero((weight > 0).all(1) & reached)
        weight = weight[kept]
        ivar = weight.sum(1)
        flux = (weight * target.flux.reshape(N_PAIRS, 2)[kept]).sum(1) / ivar
        return cls(kept, flux, ivar, 0.5 * (response[:, 2 * kept] + response[:, 2 * kept + 1]))


@dataclass(frozen=True, slots=True)
class PairedFit:
    """Mean and shapes as they are blurred, (1 + K, n), their amplitudes, and the response's."""

    templates: Floats
    square: float
    """Variance of the blur in grid pixels."""
    amplitude: Floats  # (1 + K,) the mean's is one
    polynomial: Floats  # (terms,)
    precision: Floats  # (terms,) of the prior
    chi2: float = np.inf
    """With the priors'."""
    square_error: float = np.nan


class PairedProblem:
    """Populations at a redshift, and the pairs that they are fitted to."""

    def __init__(self, pairs: Pairs, blurring: Paired, absorbing: tuple[int, int]) -> None:
        """Hold what does not change.

        Parameters
        ----------
        blurring
            Populations where they have absorption lines.
        absorbing
            First and last pair of the grid where the blur is fitted, with these; elsewhere it stays as it
            began.
        """
        self.pairs, self._blurring = pairs, blurring
        first, end = np.searchsorted(pairs.kept, absorbing)
        self.absorbing = slice(int(first), int(end))
        self._root = np.sqrt(pairs.ivar)

    def start(self, templates: Floats, square: float) -> PairedFit:
        """Return a fit of the response to the mean of templates (1 + K, N_PAIRS) of some blur."""
        templates = templates[:, self.pairs.kept]
        used = self._root > 0
        level = max(float(np.median(self.pairs.flux[used])) if used.any() else 1.0, 1e-3)
        terms = np.arange(len(self.pairs.response))
        precision = 1 / (level * RESPONSE_SIZE * np.minimum(1.0, 2.0 / np.maximum(terms, 1))) ** 2
        precision[0] = 1e-12 / level**2
        data = self.pairs.flux * self._root
        polynomial = _ridge(self.pairs.response * (templates[0] * self._root), data, precision)
        amplitude = np.zeros(len(templates))
        amplitude[0] = 1.0
        return self._judged(PairedFit(templates, square, amplitude, polynomial, precision))

    def level(self, fit: PairedFit) -> Floats:
        """Return the continuum, (n,)."""
        return np.asarray((fit.amplitude @ fit.templates) * (fit.polynomial @ self.pairs.response))

    def pull(self, fit: PairedFit) -> Floats:
        """Return what is left over its noise, (n,)."""
        return np.asarray((self.pairs.flux - self.level(fit)) * self._root)

    def without(self, pairs: NDArray[np.bool_]) -> None:
        """Leave some pairs out."""
        self._root = np.where(pairs, 0.0, self._root)

    def fitted(self, fit: PairedFit, limits: tuple[float, float] | None, steps: int) -> PairedFit:
        """Return what some steps reach; with limits of the variance of the blur, that is free, too."""
        fit, damping = self._judged(fit), 1e-4
        hessian, gradient = self._slopes(fit, limits is not None)
        for _ in range(steps):
            step = np.linalg.solve(hessian + np.diag(damping * hessian.diagonal()), gradient)
            if float(step @ gradient) < CONVERGED:
                break
            trial = self._moved(fit, np.asarray(step), limits)
            if trial.chi2 < fit.chi2:
                fit, damping = trial, damping / 10
                hessian, gradient = self._slopes(fit, limits is not None)
            else:
                damping = max(10 * damping, 0.1)
        error = np.sqrt(inverted(hessian)[-1, -1]) if limits is not None else np.nan
        return replace(fit, square_error=float(error))

    def freedom(self) -> int:
        """Return how many pairs tell of the blur."""
        return int((self._root[self.absorbing] > 0).sum())

    def _judged(self, fit: PairedFit) -> PairedFit:
        pull = self.pull(fit)
        prior = fit.precision @ fit.polynomial**2 + fit.amplitude[1:] @ fit.amplitude[1:]
        return replace(fit, chi2=float(pull @ pull + prior))

    def _slopes(self, fit: PairedFit, blurring: bool) -> tuple[Floats, Floats]:
        """Return chi2 / 2 by response, shapes and, if it is free, the blur: Hessian and downhill gradient."""
        n, k = len(fit.polynomial), len(fit.templates) - 1
        stars = (fit.amplitude @ fit.templates) * self._root
        factor = (fit.polynomial @ self.pairs.response) * self._root
        rows = np.empty((n + k + 1 + blurring, self._root.size))
        np.multiply(self.pairs.response, stars, out=rows[:n])
        np.multiply(fit.templates[1:], factor, out=rows[n : n + k])
        if blurring:
            within, slope = self.absorbing, self._blurring.by_square(fit.amplitude, fit.square)
            rows[-2] = 0.0
            rows[-2, within] = slope[self.pairs.kept[within]] * factor[within]
        rows[-1] = self.pull(fit)
        gram = rows @ rows.T
        hessian, gradient = gram[:-1, :-1], gram[:-1, -1].copy()
        precision = np.concatenate([fit.precision, np.ones(k)])
        hessian.flat[: (n + k) * (len(hessian) + 1) : len(hessian) + 1] += precision
        gradient[: n + k] -= precision * np.concatenate([fit.polynomial, fit.amplitude[1:]])
        return hessian, gradient

    def _moved(self, fit: PairedFit, step: Floats, limits: tuple[float, float] | None) -> PairedFit:
        n, k = len(fit.polynomial), len(fit.templates) - 1
        polynomial, amplitude = fit.polynomial + step[:n], fit.amplitude.copy()
        amplitude[1:] += step[n : n + k]
        fit = replace(fit, polynomial=polynomial, amplitude=amplitude)
        if limits is not None:
            square = min(max(fit.square + float(step[-1]), limits[0]), limits[1])
            templates = fit.templates.copy()
            within = self.absorbing
            templates[:, within] = self._blurring.blurred(square)[0][:, self.pairs.kept[within]]
            fit = replace(fit, square=square, templates=templates)
        return self._judged(fit)


def _ridge(design: Floats, data: Floats, precision: Floats) -> Floats:
    gram = design @ design.T
    gram.flat[:: len(gram) + 1] += precision
    return np.asarray(inverted(gram) @ (design @ data))
