"""A spectrum drawn with characters, for terminals."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from schemas.results import ModelSpectrum
    from schemas.spectrum import Spectrum

HEIGHT = 22
WIDEST = 160
POINTS_A_COLUMN = 2
"""Braille characters have two columns of dots."""
REST_LINES = {
    "GALAXY": {"[O II]": 3728.6, "Ca K": 3934.8, "Hβ": 4862.7, "[O III]": 5008.2, "Hα": 6564.6},
    "QSO": {"Lyα": 1215.7, "C IV": 1549.5, "C III]": 1908.7, "Mg II": 2799.1, "Hβ": 4862.7, "Hα": 6564.6},
    "STAR": {"Ca K": 3934.8, "Hβ": 4862.7, "Mg b": 5176.0, "Na D": 5894.6, "Hα": 6564.6},
}
"""Vacuum wavelengths (angstrom) of the lines that people look for first, by class."""


def drawing(spectrum: Spectrum, model: ModelSpectrum | None = None, width: int | None = None) -> str:
    """Draw a spectrum, with its best fit and the lines of its class where that is known.

    Parameters
    ----------
    spectrum
        Its good pixels, or where there are none all that have a flux, are averaged to two points a column.
    model
        The best fit.
    width
        In columns; None for the width of the terminal.

    Returns
    -------
    str
        Lines of text, without colours.
    """
    import plotext

    columns = min(width or shutil.get_terminal_size().columns, WIDEST)
    wavelength, flux = _averaged(spectrum, POINTS_A_COLUMN * columns)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plot_size(columns, HEIGHT)
    plotext.xlabel("vacuum wavelength (angstrom)")
    plotext.ylabel(spectrum.flux_unit or "flux")
    if flux.size == 0:
        return "no pixel has a flux to draw"
    low, high = np.percentile(flux, [0.5, 99.8])
    span = (high - low) or 1.0
    plotext.ylim(low - 0.1 * span, high + 0.15 * span)
    plotext.plot(wavelength.tolist(), flux.tolist(), marker="braille")
    if model is not None:
        _draw_model(model, wavelength, high + 0.1 * span)
    text: str = plotext.uncolorize(plotext.build())
    return "\n".join(line.rstrip() for line in text.splitlines())


def _draw_model(model: ModelSpectrum, wavelength: NDArray[np.float64], top: float) -> None:
    import plotext

    grid = 10 ** (model.loglam0 + model.dloglam * np.arange(model.flux.size))
    inside = wavelength[(wavelength >= grid[0]) & (wavelength <= grid[-1])]
    fit = np.interp(inside, grid, model.flux)
    plotext.plot(inside.tolist(), fit.tolist(), marker="dot")
    plotext.title(f"dots: best fit, z = {model.z:.5f}")
    seen = {name: rest * (1 + model.z) for name, rest in REST_LINES.get(model.spectype, {}).items()}
    for name, place in seen.items():
        if inside.size and inside[0] < place < inside[-1]:
            plotext.vline(place)
            plotext.text(name, x=place, y=top, alignment="center")


def _averaged(spectrum: Spectrum, points: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average the good pixels of each of so many stretches of equal width; empty ones are left out."""
    wavelength, flux = spectrum.vacuum_wavelength(), spectrum.flux.astype(np.float64)
    finite = np.isfinite(flux) & np.isfinite(wavelength)
    good = finite.copy()
    if spectrum.ivar is not None:
        good &= spectrum.ivar > 0
    if spectrum.mask is not None:
        good &= spectrum.mask == 0
    good = good if good.any() else finite
    if not good.any():
        return np.empty(0), np.empty(0)
    wavelength, flux = wavelength[good], flux[good]
    edges = np.linspace(wavelength[0], wavelength[-1], points + 1)
    place = np.clip(np.digitize(wavelength, edges) - 1, 0, points - 1)
    count = np.bincount(place, minlength=points)
    total = np.bincount(place, flux, minlength=points)
    middle = (edges[:-1] + edges[1:]) / 2
    return middle[count > 0], total[count > 0] / count[count > 0]
