"""What is measured beside lines: names, units and meanings, by class."""

from __future__ import annotations

import math

from spectraq.models.answer import Quantity

NOISE_RCHI2 = "noise_rchi2"
_FIT = {NOISE_RCHI2: ("", "chi2 a degree of freedom of the fit, by the noise alone")}
QUANTITIES: dict[str, dict[str, tuple[str, str]]] = {
    "GALAXY": {
        **_FIT,
        "d4000n": ("", "break at a wavelength of 4000, narrow definition"),
        "hdelta_a": ("Angstrom", "Lick index of H delta, wide definition"),
        "mgb": ("Angstrom", "Lick index of Mg b"),
        "fe": ("Angstrom", "mean of the Lick indices Fe5270 and Fe5335"),
        "velocity_dispersion": ("km/s", "velocity dispersion of the stars"),
        "ebv_balmer": ("mag", "reddening E(B-V) of the gas by H alpha over H beta"),
        "p_star_forming": ("", "probability that stars ionise the gas"),
        "p_composite": ("", "probability of both stars and an active nucleus"),
        "p_seyfert": ("", "probability of a Seyfert nucleus"),
        "p_liner": ("", "probability of a LINER"),
    },
    "QSO": {
        **_FIT,
        "alpha_lambda": ("", "slope of the continuum, d ln flux / d ln wavelength"),
        "log_l1350": ("log10(erg/s)", "wavelength times luminosity per wavelength, at 1350"),
        "log_l3000": ("log10(erg/s)", "the same at 3000"),
        "log_l5100": ("log10(erg/s)", "the same at 5100"),
        "fwhm_halpha": ("km/s", "full width at half maximum of broad H alpha"),
        "fwhm_hbeta": ("km/s", "the same of H beta"),
        "fwhm_mgii": ("km/s", "the same of Mg II"),
        "fwhm_civ": ("km/s", "the same of C IV"),
        "log_mass_hbeta": ("log10(solMass)", "black-hole mass by H beta and the light at 5100"),
        "log_mass_civ": ("log10(solMass)", "the same by C IV and the light at 1350"),
        "log_mass_mgii": ("log10(solMass)", "the same by Mg II and the light at 3000"),
        "log_mass_halpha": ("log10(solMass)", "the same by H alpha alone"),
        "balnicity": ("km/s", "BALnicity index of C IV"),
        "absorption_index": ("km/s", "absorption index of C IV"),
        "log_n_dla": ("log10(cm-2)", "neutral hydrogen of the strongest damped Lyman alpha system"),
        "z_dla": ("", "redshift of the strongest damped Lyman alpha system"),
    },
    "STAR": {
        **_FIT,
        "radial_velocity": ("km/s", "velocity along the line of sight, as the redshift says it"),
        "teff": ("K", "effective temperature"),
        "log_g": ("log10(cm/s2)", "surface gravity"),
        "fe_h": ("dex", "metallicity"),
        "v_sin_i": ("km/s", "rotation at the equator along the line of sight, v sin i"),
    },
}
"""By class and name: unit and meaning."""


def goodness(chi2: float, freedom: int) -> dict[str, Quantity]:
    """Return chi2 a degree of freedom, one at least; its error is that of a fit that misses nothing."""
    freedom = max(freedom, 1)
    return {NOISE_RCHI2: Quantity(chi2 / freedom, math.sqrt(2 / freedom), "")}
