"""What plain files call things: flux, wavelength, noise and identity by their common names."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from spectraq.workers.readers import headeraxis
from spectraq.workers.readers.units import is_spectral, unit_of

FLUX = (
    "flux",
    "flam",
    "f_lambda",
    "flambda",
    "flux_density",
    "fluxes",
    "flux_lambda",
    "flx",
    "spectrum",
    "spec",
    "intensity",
    "fnu",
    "f_nu",
    *(
        "opt_flam",
        "opt_counts",
        "box_flam",
        "flux_reduced",
        "flux_cal",
        "flux_calibrated",
        "signal",
        "fluxval",
        "counts",
    ),
)
FLUX_PER_FREQUENCY = ("fnu", "f_nu")
LOGLAM = (
    "loglam",
    "log_lam",
    "loglambda",
    "log_lambda",
    "log10lam",
    "logwave",
    "log_wave",
    "log10_wavelength",
)
LN = ("ln_lambda", "lnlambda", "ln_lam", "lnlam", "ln_wave", "lnwave", "ln_wavelength", "ln_wl")
WAVELENGTH = (
    "wavelength", "wave", "lambda", "lam", "wavelengths", "wl", "wavelength_vac", "wave_vac", "lambda_vac",
    "waveobs", "obs_wavelength", "wavelength_obs", "observed_wavelength", "lambda_obs", "lamb", "wvl",
    "wavelength_vacuum", "vacuum_wavelength", "wavelength_air", "wave_air", "lambda_air", "air_wavelength",
    "spectral_axis",
    "waves", "wlen", "spectral", "wave_obs", "opt_wave", "box_wave",
)  # fmt: skip
OTHER_AXES = ("frequency", "freq", "wavenumber", "energy")
IVAR = (
    "ivar",
    "invvar",
    "inverse_variance",
    "flux_ivar",
    "ivar_flux",
    "inv_var",
    "opt_flam_ivar",
    "opt_counts_ivar",
)
ERROR = (
    "error", "err", "flux_error", "flux_err", "fluxerr", "e_flux", "eflux", "err_flux", "error_flux", "sigma",
    "sig", "flux_sig", "sigflux", "sd", "stddev", "rms", "flux_rms", "1sigma", "err_flam", "e_f", "flux_er",
    "flux_sigma", "uncertainty", "flux_uncertainty", "std", "flux_std", "noise", "errors", "flux_unc", "unc",
    "stdev", "sig", "sigma_flux", "flux_stdev", "fluxerror", "ferr", "eflam", "flam_err", "err_flam", "df",
    "dflux", "opt_flam_sig", "err_reduced", "flux_reduced_err", "uncert", "ferror", "noise_flux",
)  # fmt: skip
VARIANCE = ("variance", "var", "flux_var", "flux_variance", "fluxvariance", "fluxvar")
NOISE = ((IVAR, 1), (ERROR, -2), (VARIANCE, -1))
"""Names of noise, in the order of preference, and the power of its values that is inverse variance."""
IDENTITY = (
    "spectrum_id",
    "targetid",
    "target_id",
    "obsid",
    "specobjid",
    "objid",
    "object_id",
    "id",
    "name",
    "sdss_id",
    "catalogid",
    "diaobjectid",
    "objectid",
)
TARGET = ("targetid", "target_id", "sdss_id", "diaobjectid", "objectid")
RA = ("ra", "target_ra", "plug_ra", "raj2000", "ra_deg")
DEC = ("dec", "target_dec", "plug_dec", "dej2000", "dec_deg", "decl")
MJD_TAI = ("midpointmjdtai",)
"""International Atomic Time, as LSST's alerts have it; all others are UTC."""
MJD = ("mjd", "mean_mjd", "mjd_obs", "mjd-obs")
SURVEY = ("survey",)

_WAVELENGTH_UNIT_KEYS = ("wavelength_unit", "wave_unit", "waveunit", "cunit1")
_FLUX_UNIT_KEYS = ("flux_unit", "fluxunit", "bunit")

_NAME_AND_UNIT = re.compile(
    r"\s*([^\[\](){}]+?)\s*[\[({]\s*([^\[\](){}]*(?:\([^()]*\)[^\[\](){}]*)*)\s*[\])}]\s*"
)


@dataclass(frozen=True, slots=True)
class Columns:
    """The named arrays of a file, whatever its format.

    Parameters
    ----------
    arrays
        By lower-case name; nothing is read before it is indexed.
    units
        By the same names, as the file writes them.
    meta
        Header or metadata, by lower-case key.
    """

    arrays: Mapping[str, Any]
    units: Mapping[str, Any] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)

    def first(self, names: tuple[str, ...]) -> str | None:
        """Return the first of these names that is there."""
        return next((name for name in names if name in self.arrays), None)

    @property
    def wavelength(self) -> str | None:
        """The column that says where the pixels lie, by wavelength or by one of its logarithms."""
        return self.first((*WAVELENGTH, *LOGLAM, *LN)) or self._other_axis()

    def _other_axis(self) -> str | None:
        """A frequency or an energy: only where its unit says which it is."""
        there = (name for name in OTHER_AXES if name in self.arrays)
        return next((name for name in there if is_spectral(unit_of(self.units.get(name)))), None)

    def says_where(self) -> bool:
        """Whether anything says where the pixels lie: a column, or a grid in the header."""
        return self.wavelength is not None or {"coeff0", "coeff1"} <= set(self.meta)

    def medium(self) -> str | None:
        """What the file says the wavelengths are measured in: "vacuum", "air", or None."""
        name = self.wavelength or ""
        for word, medium in (("vac", "vacuum"), ("air", "air")):
            if word in name:
                return medium
        return headeraxis.medium(self.meta)

    def wavelength_unit(self) -> Any:
        """The unit of the wavelengths, or None where the file does not say it."""
        written = (self.units.get(self.wavelength or ""), *(self.meta.get(k) for k in _WAVELENGTH_UNIT_KEYS))
        return next((unit for unit in map(unit_of, written) if unit is not None), None)

    def flux_unit(self) -> Any:
        """The unit of flux as the file writes it, or None where it does not say it."""
        written = (self.units.get(self.first(FLUX) or ""), *(self.meta.get(key) for key in _FLUX_UNIT_KEYS))
        return next((unit for unit in written if unit is not None and str(unit).strip()), None)


class Lazy(Mapping[str, Any]):
    """Arrays by name, each read only when it is asked for, and not to know whether it is there."""

    def __init__(self, read: Mapping[str, Callable[[], Any]]) -> None:
        self._read = read

    def __getitem__(self, name: str) -> Any:
        return self._read[name]()

    def __contains__(self, name: object) -> bool:
        return name in self._read

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


def name_and_unit(header: str) -> tuple[str, str | None]:
    """Split a column's title like "wavelength [nm]" or "flux (erg/s/cm2/A)" into name and unit."""
    match = _NAME_AND_UNIT.fullmatch(header)
    return (match[1].strip().lower(), match[2].strip()) if match else (header.strip().lower(), None)
