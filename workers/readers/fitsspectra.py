"""Spectra in FITS tables: a table an object or a row a spectrum, arms joined, with noise and quality.

ESO Phase 3, 4MOST L1, SDSS-V's mwmStar and mwmVisit, LAMOST's medium resolution, PypeIt, VIPERS, JWST's x1d,
and whatever else holds flux and wavelength by common names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from astropy.units import UnitConversionError
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import columns as names
from spectraq.workers.readers import quality, sky
from spectraq.workers.readers.array_rows import ByRow
from spectraq.workers.readers.axis import SpectralAxis
from spectraq.workers.readers.fitsparts import Part, chosen, joined, parts
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once, unique_ids
from spectraq.workers.readers.headeraxis import LOWEST_WITHOUT_UNIT
from spectraq.workers.readers.identity import Identity
from spectraq.workers.readers.keywords import text
from spectraq.workers.readers.longtable import split
from spectraq.workers.readers.raw import Raw, finished, ivar_of
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import unit_of

_NOISY = ("err", "sig", "noise", "var", "std", "unc")
"""What the name of a column of noise holds, whatever else."""


def recognises(source: Source) -> bool:
    """Whether a table has columns of flux and of wavelength."""
    return source.kind == "fits" and bool(parts(source))


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open the tables of a FITS file.

    Raises
    ------
    ReadError
        Where there is none with flux and wavelength.
    """
    found = parts(source)
    if not found:
        raise ReadError("no table with columns of flux and wavelength")
    say = once(note)
    return FitsSpectra(source, chosen(found, say), assumed, say)


FORMAT = Format(
    "fits", "FITS tables of spectra: ESO Phase 3, 4MOST, SDSS-V, PypeIt and alike", recognises, rows
)


def _of_flux(flux: str) -> tuple[tuple[tuple[str, ...], int], ...]:
    """What the noise of a column of flux is called after it, and the power that makes ivar of it."""
    words = {
        1: ("ivar", "invvar"),
        -2: ("err", "error", "sig", "sigma", "std", "unc", "e"),
        -1: ("var", "variance"),
    }
    return tuple(
        (
            tuple(name for w in said for name in (f"{flux}_{w}", f"{w}_{flux}", f"{flux}{w}", f"{w}{flux}")),
            power,
        )
        for power, said in words.items()
    )


class FitsSpectra:
    """The spectra of a file's tables."""

    def __init__(self, source: Source, kept: list[Part], assumed: Assumed, note: Note) -> None:
        self._source, self._note = source, note
        whole = [piece for part in kept for piece in split(part)]
        self._groups = [
            [PartRows(source, part, assumed, note) for part in group]
            for group in (joined(whole) if len(whole) == len(kept) else [[piece] for piece in whole])
        ]
        for group in self._groups:
            if len({len(arm) for arm in group}) > 1:
                raise ReadError(
                    f"the arms {', '.join(arm.name for arm in group)} have different numbers of rows"
                )
        self._places = [(group, row) for group in self._groups for row in range(len(group[0]))]
        self._ids = self._named()

    def __len__(self) -> int:
        return len(self._places)

    def spectrum(self, row: int) -> Spectrum:
        """Read one, its arms joined."""
        group, place = self._places[row]
        arms = [arm.raw(place) for arm in group]
        raw = arms[0]
        if len(arms) > 1:
            with_noise = all(arm.ivar is not None for arm in arms)
            raw.wavelength = np.concatenate([arm.wavelength for arm in arms])
            raw.flux = np.concatenate([arm.flux for arm in arms])
            raw.ivar = (
                np.concatenate([arm.ivar for arm in arms if arm.ivar is not None]) if with_noise else None
            )
            if len({str(arm.unit) for arm in arms}) > 1:
                raise ReadError("the arms have different units of flux; give them one")
        raw.fields["spectrum_id"] = self._ids[row]
        return finished(raw, self._source, row, self._note)

    def _named(self) -> list[str]:
        """Identities, told apart by the table's name where there are several."""
        several = len(self._groups) > 1
        given, further = [], []
        for group, row in self._places:
            own = group[0].fields(row)["spectrum_id"]
            by_file = own == self._source.stem or own.startswith(f"{self._source.stem}-")
            given.append(f"{self._source.stem}-{group[0].name}" if several and by_file else own)
            further.append(group[0].name)
        return unique_ids(given, further if several else None)


class PartRows:
    """The spectra of one table."""

    def __init__(self, source: Source, part: Part, assumed: Assumed, note: Note) -> None:
        self.name = part.name
        self._columns = part.columns
        self._note = note
        self._arrays = ByRow(part.columns)
        self._told = assumed.wavelength_unit is not None
        self._check_unit(assumed)
        self._axis = SpectralAxis(self._arrays, assumed, note)
        self._identity = Identity(source, self._arrays)
        self._noise = self._noise_column()

    def __len__(self) -> int:
        return self._arrays.length

    def fields(self, row: int) -> dict[str, Any]:
        """Identity and position of a row; what the columns do not say, the header does."""
        fields = self._identity.fields(row)
        if len(self) == 1:
            header = sky.position(self._columns.meta) | {"target_id": sky.named(self._columns.meta)}
            fields |= {key: said for key, said in header.items() if fields[key] is None}
        return fields

    def raw(self, row: int) -> Raw:
        """Read one."""
        flux = self._arrays.pixels(self._arrays.flux, row)
        if not flux.size:
            raise ReadError("the spectrum has no pixels")
        wavelength, grid = self._axis.of(row, flux.size)
        self._check_start(grid.wavelength)
        unit = self._flux_unit()
        ivar = None
        if self._noise is not None:
            name, power = self._noise
            ivar = ivar_of(
                self._arrays.pixels(name, row, flux.size) * self._noise_scale(name, power, unit), power
            )
        self._drop_bad(row, flux, ivar)
        return Raw(wavelength.copy(), flux, ivar, unit, self._axis.medium, self.fields(row))

    def _flux_unit(self) -> Any:
        written = self._columns.units.get(self._arrays.flux)
        unit = written or next(
            (
                self._columns.meta[key]
                for key in ("flux_unit", "fluxunit", "bunit")
                if self._columns.meta.get(key)
            ),
            None,
        )
        if unit is None and self._arrays.flux in names.FLUX_PER_FREQUENCY:
            raise ReadError(f"the column {self._arrays.flux} has no unit; give it one in the file, like Jy")
        return unit

    def _check_unit(self, assumed: Assumed) -> None:
        name = self._columns.wavelength
        written = text(self._columns.units.get(name or ""))
        known = name in names.LOGLAM or unit_of(written) is not None or assumed.wavelength_unit
        if written and not known:
            raise ReadError(
                f"wavelengths have the unit {written}, which is not understood; give --wavelength-unit"
            )

    def _check_start(self, ascending: NDArray[np.float64]) -> None:
        said = self._columns.wavelength_unit() is not None or self._columns.wavelength in (
            None,
            *names.LOGLAM,
        )
        if not said and not self._told and ascending[0] < LOWEST_WITHOUT_UNIT:
            raise ReadError(
                f"wavelengths run from {ascending[0]:g} to {ascending[-1]:g} and have no unit: those can't be"
                " angstrom; give --wavelength-unit"
            )

    def _noise_column(self) -> tuple[str, int] | None:
        for choices, power in (*_of_flux(self._arrays.flux), *names.NOISE):
            name = self._columns.first(choices)
            if name is not None:
                return name, power
        others = [name for name in self._columns.arrays if any(word in name for word in _NOISY)]
        unused = f" (not used, of unknown meaning: {', '.join(others[:4])})" if others else ""
        self._note(f"no column of noise is known by its name: it is estimated from the flux{unused}")
        return None

    def _noise_scale(self, name: str, power: int, flux_unit: Any) -> float:
        """What noise is multiplied with to be in the unit that goes with flux's."""
        written = self._columns.units.get(name)
        unit, flux = unit_of(written), unit_of(flux_unit)
        if unit is None or flux is None:
            if text(written) and text(written) != text(flux_unit):
                self._note(f"{name} has the unit {written}, beside flux in {flux_unit}: taken as of flux's")
            return 1.0
        wanted = {1: flux**-2, -2: flux, -1: flux**2}[power]
        try:
            return float(unit.to(wanted))
        except UnitConversionError as error:
            if power != -2 and unit.is_equivalent(flux):
                self._note(
                    f"{name} is given in the unit of flux: taken as of its power {-2 if power == 1 else 2}"
                )
                return float(unit.to(flux)) ** (-2 if power == 1 else 2)
            raise ReadError(
                f"{name} has the unit {written}, which does not go with flux in {flux_unit}"
            ) from error

    def _drop_bad(self, row: int, flux: NDArray[np.float64], ivar: NDArray[np.float64] | None) -> None:
        """Take bad pixels out of use, and say them by what is left: weight, or without noise flux."""
        name = quality.column(self._columns.arrays)
        if name is None or (self._arrays.is_shared(name) and self._arrays.many):
            return
        unmeasured = ~np.isfinite(flux) | ((flux == 0) if ivar is None else (ivar == 0))
        values = self._arrays.values(name, row)
        if np.size(values) != flux.size:
            return
        bad = quality.bad(name, values, unmeasured, self._columns.meta, self._note)
        if ivar is None:
            flux[bad] = np.nan
        else:
            ivar[bad] = 0.0
