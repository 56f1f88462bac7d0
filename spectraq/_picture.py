"""Pictures of one analysed spectrum: a small one for a notebook's output, and one with matplotlib."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spectraq.workers.errors import SpectraqError
from spectraq.workers.files.overview import averaged, fit_at, limits

if TYPE_CHECKING:
    from spectraq._result import AnalyzedSpectrum

WIDTH, HEIGHT = 640, 140
LEAST_SHADE = 2.0
"""Points: a narrow interval is still seen."""
FLUX, FIT, FLAGGED = "#8896a5", "#c2410c", "#fde68a"
WAVELENGTH_LABEL = "vacuum wavelength (Å)"


def svg(result: AnalyzedSpectrum) -> str:
    """Return a small picture of flux, best fit and flagged intervals, as SVG text."""
    wavelength, flux = averaged(result.spectrum, WIDTH)
    if not flux.size:
        return "<i>no pixel has a flux to draw</i>"
    low, high = limits(flux)
    first, last = wavelength[0], wavelength[-1]

    def x(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray((values - first) / ((last - first) or 1.0) * WIDTH)

    def line(places: NDArray[np.float64], values: NDArray[np.float64], colour: str) -> str:
        y = (high - values.clip(low, high)) / (high - low) * HEIGHT
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x(places), y, strict=True))
        return f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1"/>'

    parts = [_shade(*x(np.array(interval).clip(first, last))) for interval in _flagged(result)]
    parts += [line(wavelength, flux, FLUX), line(*fit_at(result.model, wavelength), FIT)]
    label = html.escape(f"flux and best fit of {result.spectrum_id}", quote=True)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    return (
        f'<svg role="img" aria-label="{label}" {size}>{"".join(parts)}</svg>'
        f"<br><small>{first:.0f} to {last:.0f} Å</small>"
    )


def _shade(left: float, right: float) -> str:
    width = max(right - left, LEAST_SHADE)
    return f'<rect x="{left:.1f}" y="0" width="{width:.1f}" height="{HEIGHT}" fill="{FLAGGED}"/>'


def axes(result: AnalyzedSpectrum, ax: Any) -> Any:
    """Draw the same with matplotlib, every pixel of it, and return the axes."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise SpectraqError('plot needs matplotlib: pip install "spectraq[plot]"') from error
    spectrum, model = result.spectrum, result.model
    ax = pyplot.subplots(figsize=(10, 4))[1] if ax is None else ax
    wavelength = spectrum.vacuum_wavelength()
    ax.step(wavelength, spectrum.flux, where="mid", color=FLUX, lw=0.6, label="flux")
    ax.plot(*fit_at(model, wavelength), color=FIT, lw=1.0, label="best fit")
    for begin, end in _flagged(result):
        ax.axvspan(begin, end, color=FLAGGED, zorder=0)
    flux = averaged(spectrum, WIDTH)[1]
    if flux.size:
        ax.set_ylim(*limits(flux))
    ax.set_xlabel(WAVELENGTH_LABEL)
    ax.set_ylabel(spectrum.flux_unit or "flux")
    ax.set_title(f"{result.spectrum_id}: {result.summary}", fontsize="medium")
    ax.legend(loc="upper right", fontsize="small")
    return ax


def _flagged(result: AnalyzedSpectrum) -> list[tuple[float, float]]:
    if not result.anomaly.flagged:
        return []
    return [(reason.wavelength_min, reason.wavelength_max) for reason in result.anomaly.reasons]
