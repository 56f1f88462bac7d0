"""From the solution of a fit to what is said of each line."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np

from spectraq.models.answer import MeasuredLine
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement.fwhm import FWHM_PER_SIGMA, fwhm_km_s
from spectraq.models.measurement.ground import Base, root_of
from spectraq.models.measurement.line_fit import LineFit, at_limit
from spectraq.models.measurement.line_groups import (
    BROAD,
    BROAD_LINES,
    FORBIDDEN,
    NARROW,
    PERMITTED,
    SUMS,
    narrow_lines,
)
from spectraq.models.measurement.quantities import goodness
from spectraq.models.measurement.target import Floats, Target

SEEN_SIGMA = 3.0
BROAD_FORM = 0.05
"""Share of a broad line's flux that two Gaussians, iron and continuum beside it leave open, as mocks show."""
BORROWED_FORM = 0.15
"""The same of a line that has the width of a stronger one."""
WIDTH_FORM = 0.03
"""The same of a full width at half maximum."""
FOREST_LINES = ("Lya", "NV")
DRAWS = 100
"""Of the covariance, for the widths of sums of Gaussians."""
NOT_COVERED = "outside the spectrum, or masked"
TOO_FAINT = "too faint for a width and an offset of its own"
UNRESOLVED = "not resolved by the instrument"
IN_FOREST = "its blue side is lost in the Lyman alpha forest"
NO_CONTINUUM = "no continuum is seen there"
AT_LIMIT = "width or offset at the limit of the search"

Profiles = tuple[Floats, Floats, Floats]
Width = tuple[float | None, float | None, float | None, float | None, str | None]


class MeasuredLines:
    """A solution, scaled to honest errors.

    Parameters
    ----------
    fit
        The solution.
    base
        What it stands on.
    target
        What was fitted; `flux` and `level` are in its `flux`'s unit, `records` in the observation's own.
    """

    def __init__(self, fit: LineFit, base: Base, target: Target) -> None:
        self.fit, self.base, self.target = fit, base, target
        freedom = max(int(target.used.sum()) - len(fit.covariance), 1)
        self.goodness = goodness(fit.chi2, freedom)
        # Where the fit misses more than the noise, its errors are larger by as much.
        self.inflation = max(fit.chi2 / freedom, 1.0)
        self.covariance = fit.covariance * self.inflation
        self.continuum = base.level + fit.amplitude @ base.shapes
        self._drawn: dict[str, Profiles | None] = {}
        self._widths: dict[str, tuple[float, float] | None] = {}
        self._group_widths: dict[int, Width] = {}
        self._fluxes: list[float] = fit.flux.tolist()
        self._variances: list[float] = self.covariance.diagonal().tolist()
        self._levels: dict[float, tuple[float, float]] = {}
        self._rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for i, (g, name) in enumerate(fit.lines):
            self._rows.setdefault((name, fit.groups[g].component), []).append((i, g))
        self.limits = [at_limit(fit, g) for g in range(len(fit.groups))]

    def rows(self, name: str, component: str) -> list[tuple[int, int]]:
        """Return the rows and groups of a line's Gaussians."""
        return self._rows.get((name, component), [])

    def flux(self, names: Sequence[str], component: str = NARROW) -> tuple[Floats, Floats] | None:
        """Return the fluxes of some lines and their covariance; None where one was not fitted."""
        rows = [self.rows(name, component) for name in names]
        if not all(rows):
            return None
        index = [i for own in rows for i, _ in own]
        flux, covariance = self.fit.flux[index], self.covariance[np.ix_(index, index)]
        if len(index) > len(names):
            owner = [k for k, own in enumerate(rows) for _ in own]
            pick = np.eye(len(names))[:, owner]
            flux, covariance = pick @ flux, pick @ covariance @ pick.T
        return flux, covariance

    def broad_flux(self, name: str) -> tuple[float, float]:
        """Return the flux of a broad line that was fitted, and its error with that of its profile's form."""
        known = self.flux((name,), BROAD)
        assert known is not None
        flux, error = float(known[0][0]), math.sqrt(float(known[1][0, 0]))
        form = BROAD_FORM if name in BROAD_LINES else BORROWED_FORM
        return flux, math.hypot(error, form * flux)

    def level(self, rest: float) -> tuple[float, float]:
        """Return the continuum at the rest wavelength of a line and its standard deviation."""
        if not self._levels:
            self._levels = self._all_levels()
        return self._levels[rest]

    def _all_levels(self) -> dict[float, tuple[float, float]]:
        """Return the same of all lines, by rest wavelength."""
        rest = np.array(_wavelengths())
        pixel = np.rint(pixel_of(rest) + self.target.lag).clip(0, N_PIXELS - 1).astype(np.int64)
        shapes, m = self.base.shapes[:, pixel], len(self.fit.flux)
        own = self.covariance[m : m + len(shapes), m : m + len(shapes)]
        error = np.sqrt(np.maximum((shapes * (own @ shapes)).sum(0), 0.0))
        known = zip(self.continuum[pixel].tolist(), error.tolist(), strict=True)
        return dict(zip(_wavelengths(), known, strict=True))

    def fwhm(self, name: str) -> tuple[float, float] | None:
        """Return the full width at half maximum of a broad line and its error, km/s; no instrument's."""
        if name not in self._widths:
            drawn = self._profiles(name)
            self._widths[name] = None if drawn is None else _width_of(drawn)
        return self._widths[name]

    def _profiles(self, name: str) -> Profiles | None:
        """Return fluxes, squares and shifts of a broad line's n Gaussians: the fit, then draws; (D, n)."""
        if name not in self._drawn:
            self._drawn[name] = self._draw(name)
        return self._drawn[name]

    def _draw(self, name: str) -> Profiles | None:
        own = self.rows(name, BROAD)
        columns = [self.fit.columns_of(g) for _, g in own]
        if not own or any(c is None for c in columns) or any(self.limits[g] for _, g in own):
            return None
        index = [i for i, _ in own] + [c.start for c in columns if c] + [c.start + 1 for c in columns if c]
        groups = [g for _, g in own]
        kinematics = self.fit.kinematics
        best = np.concatenate([
            self.fit.flux[[i for i, _ in own]], kinematics.square[groups], kinematics.shift[groups]
        ])  # fmt: skip
        covariance = self.covariance[np.ix_(index, index)]
        n = len(own)
        draws = best + _normal(3 * n) @ root_of(covariance)
        every = np.vstack([best, draws])
        return every[:, :n], every[:, n : 2 * n], every[:, 2 * n :]

    def records(self) -> tuple[MeasuredLine, ...]:
        """Return what is said of each line of the class."""
        spectype = self.target.spectype
        forbidden, permitted = narrow_lines(spectype)
        narrow = [self._narrow(name, (name,)) for name in forbidden + permitted]
        narrow += [self._narrow(name, parts) for name, parts in SUMS.items()]
        broad = list(self._broad(spectype))
        lines = map(_with_reason, narrow + broad)
        return tuple(sorted(lines, key=lambda line: (line.wavelength, line.component)))

    def _narrow(self, name: str, parts: Sequence[str]) -> MeasuredLine:
        own = [self.rows(part, NARROW) for part in parts]
        if not all(own):
            return MeasuredLine(name, NARROW, wavelength(name), reason=NOT_COVERED)
        total, error = self._sum([i for rows in own for i, _ in rows])
        sigma, sigma_error, offset, offset_error, reason = self._width(own[0][0][1])
        if total < SEEN_SIGMA * error:
            sigma = sigma_error = offset = offset_error = None
            reason = "not seen"
        return MeasuredLine(
            name, NARROW, wavelength(name), *self._strength(name, total, error), sigma, sigma_error, offset,
            offset_error, reason
        )  # fmt: skip

    def _sum(self, rows: list[int]) -> tuple[float, float]:
        """Return the summed flux of some Gaussians, and its error."""
        if len(rows) == 1:
            return self._fluxes[rows[0]], math.sqrt(self._variances[rows[0]])
        variance = float(self.covariance[np.ix_(rows, rows)].sum())
        return sum(self._fluxes[i] for i in rows), math.sqrt(variance)

    def _strength(
        self, name: str, flux: float, error: float
    ) -> tuple[float, float, float | None, float | None, float | None]:
        """Return flux, its error, the upper limit, the equivalent width and its error."""
        level, level_error = self.level(wavelength(name))
        unit = self.target.unit
        limit = SEEN_SIGMA * error * unit if flux < SEEN_SIGMA * error else None
        if level <= SEEN_SIGMA * level_error:
            return flux * unit, error * unit, limit, None, None
        scale = 1 / level / (1 + self.target.z)
        ew_error = scale * math.hypot(error, flux * level_error / level)
        return flux * unit, error * unit, limit, flux * scale, ew_error

    def _width(self, group: int) -> Width:
        """Return a group's sigma and offset with their errors, and why something of it is null."""
        if group not in self._group_widths:
            self._group_widths[group] = self._width_of(group)
        return self._group_widths[group]

    def _width_of(self, group: int) -> Width:
        columns = self.fit.columns_of(group)
        if columns is None:
            return None, None, None, None, TOO_FAINT
        if self.limits[group]:
            return None, None, None, None, AT_LIMIT
        kinematics = self.fit.kinematics
        variance = self.covariance.diagonal()[columns]
        offset = float(kinematics.shift[group]) * KM_S_PER_PIXEL
        offset_error = math.sqrt(float(variance[1])) * KM_S_PER_PIXEL
        square, error = float(kinematics.square[group]), math.sqrt(float(variance[0]))
        if square <= 2 * error:
            return None, None, offset, offset_error, UNRESOLVED
        sigma = math.sqrt(square)
        return (
            sigma * KM_S_PER_PIXEL, error / (2 * sigma) * KM_S_PER_PIXEL, offset, offset_error, None
        )  # fmt: skip

    def _broad(self, spectype: str) -> Iterator[MeasuredLine]:
        """Yield the broad lines; of galaxies only those that are there."""
        for names in BROAD_LINES.values():
            for name in names:
                rows = self.rows(name, BROAD)
                if rows:
                    yield self._one_broad(name, rows)
                elif spectype == "QSO":
                    yield MeasuredLine(name, BROAD, wavelength(name), reason=NOT_COVERED)

    def _one_broad(self, name: str, rows: Sequence[tuple[int, int]]) -> MeasuredLine:
        if name in FOREST_LINES:
            return MeasuredLine(name, BROAD, wavelength(name), reason=IN_FOREST)
        if any(self.limits[g] for _, g in rows):
            return MeasuredLine(name, BROAD, wavelength(name), reason=AT_LIMIT)
        total, error = self.broad_flux(name)
        strength = self._strength(name, total, error)
        if total < SEEN_SIGMA * error:
            return MeasuredLine(name, BROAD, wavelength(name), *strength, reason="not seen")
        width, drawn = self.fwhm(name), self._profiles(name)
        if width is None or drawn is None:
            return MeasuredLine(name, BROAD, wavelength(name), *strength, reason=TOO_FAINT)
        shifts = (drawn[0] * drawn[2]).sum(1) / drawn[0].sum(1) * KM_S_PER_PIXEL
        spread = 1.4826 * float(np.median(np.abs(shifts - shifts[0])))
        sigma, sigma_error = (value / FWHM_PER_SIGMA for value in width)
        return MeasuredLine(
            name, BROAD, wavelength(name), *strength, sigma, sigma_error, float(shifts[0]), spread
        )  # fmt: skip


@cache
def _normal(n: int) -> Floats:
    """Return independent draws, (DRAWS, n)."""
    return np.random.default_rng(0).standard_normal((DRAWS, n))


@cache
def _wavelengths() -> tuple[float, ...]:
    """Return the rest wavelengths of all lines that any class has."""
    broad = (name for names in BROAD_LINES.values() for name in names)
    return tuple(wavelength(name) for name in dict.fromkeys((*FORBIDDEN, *PERMITTED, *SUMS, *broad)))


def _with_reason(line: MeasuredLine) -> MeasuredLine:
    """Return a line that says so where it has a flux, but no equivalent width."""
    if line.flux is None or line.ew is not None:
        return line
    reasons = (line.reason, NO_CONTINUUM)
    return replace(line, reason="; ".join(reason for reason in reasons if reason))


def _width_of(drawn: Profiles) -> tuple[float, float] | None:
    """Return the full width at half maximum of the first of some profiles, and its error from the others."""
    widths = fwhm_km_s(*drawn)
    if not math.isfinite(widths[0]):
        return None
    error = 1.4826 * float(np.median(np.abs(widths[np.isfinite(widths)] - widths[0])))
    return float(widths[0]), math.hypot(error, WIDTH_FORM * float(widths[0]))
