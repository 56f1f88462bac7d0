"""How the page writes what is measured: lines and quantities, by the names that results have."""

from __future__ import annotations

from spectraq.models.lines import LINES, wavelength
from spectraq.models.measurement.line_groups import SUMS

UNLABELLED = {
    "AlIII": "Al III",
    "NeV_3347": "[Ne V]",
    "OII_3727": "[O II]",
    "OII_3730": "[O II]",
    "MgII_2796": "Mg II",
    "MgII_2804": "Mg II",
    "HeII_1640": "He II",
    "H8": "H8",
    "Hepsilon": "Hε",
    "NI": "[N I]",
    "HeI_6680": "He I",
    "HeI_7067": "He I",
    "OII_7321": "[O II]",
    "OII_7332": "[O II]",
    "OI_8449": "O I",
}
"""Lines that are measured, and that plots of a whole spectrum leave out."""

QUANTITY_NAMES = {
    "d4000n": "D4000n",
    "hdelta_a": "Lick HδA",
    "mgb": "Lick Mg b",
    "fe": "Lick ⟨Fe⟩",
    "velocity_dispersion": "velocity dispersion of the stars",
    "ebv_balmer": "E(B−V) by Hα/Hβ",
    "p_star_forming": "star-forming",
    "p_composite": "composite",
    "p_seyfert": "Seyfert",
    "p_liner": "LINER",
    "alpha_lambda": "slope of the continuum",
    "log_l1350": "λL at 1350 Å",
    "log_l3000": "λL at 3000 Å",
    "log_l5100": "λL at 5100 Å",
    "fwhm_halpha": "FWHM of Hα",
    "fwhm_hbeta": "FWHM of Hβ",
    "fwhm_mgii": "FWHM of Mg II",
    "fwhm_civ": "FWHM of C IV",
    "log_mass_hbeta": "black-hole mass by Hβ",
    "log_mass_civ": "black-hole mass by C IV",
    "log_mass_mgii": "black-hole mass by Mg II",
    "log_mass_halpha": "black-hole mass by Hα",
    "balnicity": "balnicity index",
    "absorption_index": "absorption index",
    "log_n_dla": "log N of damped Lyα",
    "z_dla": "z of damped Lyα",
    "radial_velocity": "radial velocity",
    "teff": "effective temperature",
    "log_g": "log g",
    "fe_h": "[Fe/H]",
    "v_sin_i": "v sin i",
}


def line_names() -> dict[str, tuple[str, str]]:
    """Return how each line is written, and its wavelength at rest: of a sum those of its parts."""
    labels = {line.name: UNLABELLED.get(line.name, line.label) for line in LINES}
    return {name: (label, _wavelengths(name)) for name, label in labels.items() if label}


def _wavelengths(name: str) -> str:
    return " + ".join(f"{wavelength(part):.0f}" for part in SUMS.get(name, (name,)))
