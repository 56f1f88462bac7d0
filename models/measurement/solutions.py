"""Continuum and lines of one spectrum, solved together by the way of its class."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from spectraq.models.measurement.galaxy_lines import galaxy_lines
from spectraq.models.measurement.ground import Base
from spectraq.models.measurement.line_fit import LineFit
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.quasar_continuum import FOREST_ANGSTROM, QuasarContinuum, quasar_continuum
from spectraq.models.measurement.quasar_lines import quasar_lines
from spectraq.models.measurement.stellar_continuum import StellarContinuum, stellar_continuum
from spectraq.models.measurement.target import Target

LEAST_PIXELS = 200


@dataclass(frozen=True, slots=True)
class GalaxySolution:
    """Lines on stellar populations.

    Attributes
    ----------
    target
        Of the pixels that the populations reach.
    """

    target: Target
    continuum: StellarContinuum
    fit: LineFit

    @property
    def base(self) -> Base:
        """Return what the lines stand on."""
        return self.continuum.base


@dataclass(frozen=True, slots=True)
class QuasarSolution:
    """Lines on a power law with iron, Balmer continuum and the light of a host.

    Attributes
    ----------
    whole
        Of the pixels beyond the Lyman alpha forest.
    target
        Of those that are not absorbed.
    """

    whole: Target
    target: Target
    continuum: QuasarContinuum
    fit: LineFit

    @property
    def base(self) -> Base:
        """Return what the lines stand on."""
        return self.continuum.base


def galaxy_solution(target: Target, populations: Populations, snr: float) -> GalaxySolution | None:
    """Return continuum and lines of a galaxy; None where too few pixels, or no line, are within reach.

    Parameters
    ----------
    snr
        As of `stellar_continuum`.
    """
    if target.used.sum() < LEAST_PIXELS:
        return None
    continuum = stellar_continuum(target, populations, snr)
    target = replace(target, ivar=np.where(continuum.reached, target.ivar, 0.0))
    fit = galaxy_lines(target, continuum.base) if target.used.sum() >= LEAST_PIXELS else None
    return None if fit is None else GalaxySolution(target, continuum, fit)


def quasar_solution(target: Target, populations: Populations) -> QuasarSolution | None:
    """Return continuum and lines of a quasar; None where too few pixels, or no line, are within reach."""
    whole = replace(target, ivar=np.where(target.rest > FOREST_ANGSTROM, target.ivar, 0.0))
    if whole.used.sum() < LEAST_PIXELS:
        return None
    continuum = quasar_continuum(whole, populations)
    solution = quasar_lines(whole, continuum.base)
    if solution is None:
        return None
    fit, absorbed = solution
    seen = replace(whole, ivar=np.where(absorbed, 0.0, whole.ivar))
    return QuasarSolution(whole, seen, continuum, fit)
