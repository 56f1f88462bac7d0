"""What of nature the page's scripts need, as a module of JavaScript made from the tables of the networks."""

from __future__ import annotations

import json

from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.lines import ABSORPTION, AIRGLOW, BANDS, EMISSION, LINES, TELLURIC

PATH = "/static/constants.js"


def constants_module() -> str:
    """Return the module: the speed of light, labelled lines at rest, and what the night sky adds.

    Wavelengths are in vacuum angstrom; those of the sky are observed ones.
    """
    exported = {
        "LIGHT_KM_S": LIGHT_KM_S,
        "EMISSION": [(line.label, line.wavelength) for line in LINES if line.label and line.kind == EMISSION],
        "ABSORPTION": [
            (line.label, line.wavelength) for line in LINES if line.label and line.kind == ABSORPTION
        ],
        "AIRGLOW": [(band.low, band.high) for band in BANDS if band.kind == AIRGLOW],
        "TELLURIC": [(band.label, band.low, band.high) for band in BANDS if band.kind == TELLURIC],
    }
    return "".join(
        f"export const {name} = {json.dumps(value, ensure_ascii=False)};\n"
        for name, value in exported.items()
    )
