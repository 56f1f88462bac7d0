"""A spectrum drawn with characters, for terminals."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from spectraq.schemas.text import escaped

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectraq.schemas.results import ModelSpectrum
    from spectraq.schemas.spectrum import Spectrum

HEIGHT = 22
WIDEST = 160
TITLE = 0.04
"""Names of lines stand this share of the height below the top."""
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

    from spectraq.workers.files.overview import averaged, limits

    columns = min(width or shutil.get_terminal_size().columns, WIDEST)
    wavelength, flux = averaged(spectrum, POINTS_A_COLUMN * columns)
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plot_size(columns, HEIGHT)
    plotext.xlabel("wavelength (Å, vacuum)")
    plotext.ylabel(escaped(spectrum.flux_unit).replace("Angstrom", "Å") or "flux")
    if flux.size == 0:
        return "no pixel has a flux to draw"
    low, high = limits(flux)
    plotext.ylim(low, high)
    plotext.plot(wavelength.tolist(), flux.tolist(), marker="braille")
    if model is not None:
        _draw_model(model, wavelength, high - TITLE * (high - low))
    text: str = plotext.uncolorize(plotext.build())
    return "\n".join(line.rstrip() for line in text.splitlines())


def _draw_model(model: ModelSpectrum, wavelength: NDArray[np.float64], top: float) -> None:
    import plotext

    from spectraq.workers.files.overview import fit_at

    inside, fit = fit_at(model, wavelength)
    plotext.plot(inside.tolist(), fit.tolist(), marker="dot")
    plotext.title(f"dots: best fit, z = {model.z:.5f}")
    observed = {name: rest * (1 + model.z) for name, rest in REST_LINES.get(model.spectype, {}).items()}
    for name, place in observed.items():
        if inside.size and inside[0] < place < inside[-1]:
            plotext.vline(place)
            plotext.text(name, x=place, y=top, alignment="center")
