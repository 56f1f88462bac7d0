"""A model's continuum, its narrow and its broad lines and its iron, told apart as lines are measured.

The final fit can't tell them apart by its own parts: its eigenspectra have lines of their own. So lines and
continuum are fitted to the model, which has no noise, as to a spectrum. What a line has of the model is what
lies above the continuum there, up to twice its Gaussians: these give a place and a width, the model the form.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectraq.models.measurement.line_groups import BROAD, NARROW
from spectraq.models.measurement.line_profiles import light_of, parts_of
from spectraq.models.measurement.line_records import MeasuredLines
from spectraq.models.measurement.populations import Populations
from spectraq.models.measurement.solutions import (
    GalaxySolution,
    QuasarSolution,
    galaxy_solution,
    quasar_solution,
)
from spectraq.models.measurement.target import Target

Floats = NDArray[np.float64]
NO_DISPERSION = 0.0
"""Median S/N at which stars have the usual velocity dispersion, which is a third of the work."""
LEAST_SIGMA = 1.0
"""A line counts whose flux is so many of its errors: a model has no noise, and hardly a line by chance."""


@dataclass(frozen=True, slots=True)
class Components:
    """What the model of a spectrum is the sum of, (N_PIXELS,) each in its unit; None where it has none."""

    continuum: Floats | None = None  # all that the others are not
    narrow: Floats | None = None
    broad: Floats | None = None
    iron: Floats | None = None


def components(model: Target, populations: Populations) -> Components:
    """Return the components of a model; nothing where its lines can't be told from its continuum.

    Parameters
    ----------
    model
        In place of a spectrum's flux, with the spectrum's ivar.
    populations
        Stellar populations without lines.
    """
    if model.spectype == "STAR":
        return Components(continuum=model.flux)
    try:
        # What overflows becomes no finite number, and that is asked for below.
        with np.errstate(all="ignore"):
            apart = _apart(model, populations)
    except np.linalg.LinAlgError:
        return Components()
    known = (apart.continuum, apart.narrow, apart.broad, apart.iron)
    return apart if all(part is None or np.isfinite(part).all() for part in known) else Components()


def _apart(model: Target, populations: Populations) -> Components:
    solution: GalaxySolution | QuasarSolution | None
    if model.spectype == "GALAXY":
        solution = galaxy_solution(model, populations, NO_DISPERSION)
    else:
        solution = quasar_solution(model, populations)
    if solution is None:
        return Components()
    lines = MeasuredLines(solution.fit, solution.base, solution.target)
    narrow, broad = (_gaussians(lines, component) for component in (NARROW, BROAD))
    iron = _iron(solution)
    both = narrow + broad
    above = np.clip(model.flux - lines.continuum, 0.0, 2 * both)
    share = np.divide(above, both, out=np.zeros_like(both), where=both > 0)
    narrow, broad = narrow * share, broad * share
    has_broad = iron is not None or bool(broad.any())
    continuum = model.flux - narrow - broad - (0.0 if iron is None else iron)
    return Components(continuum, narrow, broad if has_broad else None, iron)


def _gaussians(lines: MeasuredLines, component: str) -> Floats:
    """Return the sum of all lines of a component that count, (N_PIXELS,)."""
    fit = lines.fit
    flux = np.zeros_like(fit.flux)
    for name in {name for _, name in fit.lines}:
        known = lines.flux((name,), component)
        if known is not None and known[0][0] > LEAST_SIGMA * np.sqrt(known[1][0, 0]):
            rows = [row for row, _ in lines.rows(name, component)]
            flux[rows] = np.maximum(fit.flux[rows], 0.0)
    parts = parts_of(lines.target, fit.groups)
    moved = zip(parts, fit.kinematics.square, fit.kinematics.shift, strict=True)
    windows = [own.window(float(square), float(shift)) for own, square, shift in moved]
    return light_of(flux, parts, windows)


def _iron(solution: GalaxySolution | QuasarSolution) -> Floats | None:
    """Return the iron of a quasar where it is emission, (N_PIXELS,); None of a galaxy."""
    if not isinstance(solution, QuasarSolution):
        return None
    first = solution.continuum.n_power_law
    iron = slice(first, first + solution.continuum.n_iron)
    return np.maximum(solution.fit.amplitude[iron] @ solution.base.shapes[iron], 0.0)
