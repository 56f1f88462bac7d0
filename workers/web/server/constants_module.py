"""What of nature the page's scripts need, as a module of JavaScript made from the tables of the networks."""

from __future__ import annotations

import json

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.lines import ABSORPTION, AIRGLOW, BANDS, EMISSION, LINES, TELLURIC
from spectraq.workers.web.server.written_names import QUANTITY_NAMES, line_names

PATH = "/static/constants.js"


def constants_module() -> str:
    """Return the module: the speed of light, labelled lines at rest, what the night sky adds, and names.

    Wavelengths are in vacuum angstrom; those of the sky are observed ones.
    """
    exported = {
        "LIGHT_KM_S": LIGHT_KM_S,
        "EMISSION": _labelled(EMISSION),
        "ABSORPTION": _labelled(ABSORPTION),
        "AIRGLOW": [(band.low, band.high) for band in BANDS if band.kind == AIRGLOW],
        "TELLURIC": [(band.label, band.low, band.high) for band in BANDS if band.kind == TELLURIC],
        "LINE_NAMES": line_names(),
        "QUANTITY_NAMES": QUANTITY_NAMES,
    }
    return "".join(
        f"export const {name} = {json.dumps(value, ensure_ascii=False)};\n"
        for name, value in exported.items()
    )


def _labelled(kind: str) -> list[tuple[str, float, str]]:
    """Return label, wavelength and name of the labelled lines of a kind."""
    return [(line.label, line.wavelength, line.name) for line in LINES if line.label and line.kind == kind]
