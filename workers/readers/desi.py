"""DESI: `coadd` files (one spectrum a target), `spectra` files (one a target and exposure), `cframe`s.

Data model: https://desidatamodel.readthedocs.io, "coadd-SURVEY-PROGRAM-PIXNUM.fits".

The arms (B, R, Z) overlap, on one common grid of 0.8 angstrom in vacuum; where they do, flux is the mean
weighted with ivar and ivar is the sum. A pixel with any mask bit set has no weight, as Redrock has it.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, keywords
from spectraq.workers.readers.arms import Grid
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, unique_ids
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import FLUX_UNIT, flux_factor, unit_of

FIBERMAPS = ("FIBERMAP", "COADD_FIBERMAP")
FIBERS_A_PETAL = 500
_WAVELENGTH = re.compile(r"((?:[A-Z0-9]+_)?)WAVELENGTH")


def recognises(source: Source) -> bool:
    """Whether there is a fibermap and at least one arm."""
    return source.hdus is not None and _fibermap(source) is not None and bool(_arms(source))


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a coadd or spectra file."""
    if source.hdus is None or _fibermap(source) is None or not _arms(source):
        raise ReadError("a DESI file has the HDUs FIBERMAP, B_WAVELENGTH, B_FLUX, B_IVAR and so on")
    return Coadd(source)


FORMAT = Format("desi", "DESI coadd and spectra files, the arms joined", recognises, rows)


class Coadd:
    """One spectrum a row of the fibermap, its arms joined."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._arms = _arms(source)
        self._fibermap = _fibermap(source).data
        self._columns = fitstable.columns(_fibermap(source))
        self._check()
        self._grid = Grid(np.concatenate([self._wavelength(arm) for arm in self._arms]))
        self._unit = _unit(source.hdus[f"{self._arms[0]}FLUX"])
        rows = range(len(self._fibermap))
        self._targets = [self._target(row) for row in rows]
        names = [self._targets[row] or f"{source.stem}-{row}" for row in rows]
        exposures = self._fibermap[self._columns["expid"]].tolist() if "expid" in self._columns else None
        self._ids = unique_ids(names, exposures)

    def __len__(self) -> int:
        return len(self._ids)

    def spectrum(self, row: int) -> Spectrum:
        """Read one fibre."""
        flux, ivar = self._grid.combine(
            np.concatenate([pixels(self._source.hdus[f"{arm}FLUX"].section[row]) for arm in self._arms]),
            np.concatenate([self._ivar(arm, row) for arm in self._arms]),
        )
        return Spectrum(
            spectrum_id=self._ids[row],
            flux=flux,
            ivar=ivar,
            wavelength=self._grid.wavelength,
            flux_unit=self._unit,
            survey="desi",
            target_id=self._targets[row],
            **self._group(row),
            ra=self._number(row, keywords.RIGHT_ASCENSION, "target_ra"),
            dec=self._number(row, keywords.DECLINATION, "target_dec"),
            mjd=self._number(row, keywords.DAYS, "mean_mjd", "mjd"),
            source_file=self._source.name,
            source_row=row,
        )

    def _group(self, row: int) -> dict[str, str]:
        """Return exposure, tile and fibre as fields of a Spectrum; each petal has its own spectrograph."""
        said = {
            name: keywords.whole(self._fibermap[self._columns[name]][row])
            for name in ("tileid", "expid", "night", "petal_loc", "fiber")
            if name in self._columns
        }
        tile, exposure, night, petal, fiber = (
            said.get(name) for name in ("tileid", "expid", "night", "petal_loc", "fiber")
        )
        if petal is None and fiber is not None:
            petal = fiber // FIBERS_A_PETAL
        group = {}
        if fiber is not None:
            group["fiber"] = f"{fiber:04d}"
        if petal is not None and exposure is not None and exposure >= 0:
            group["exposure"] = f"{exposure:08d}-{petal}"
        if petal is not None and tile is not None and tile >= 0:
            group["plate"] = f"{tile}-{petal}" if night is None else f"{tile}-{night}-{petal}"
        return group

    def _target(self, row: int) -> str | None:
        name = self._columns.get("targetid")
        return None if name is None else keywords.text(self._fibermap[name][row])

    def _check(self) -> None:
        n = len(self._fibermap)
        for arm in self._arms:
            for part in ("FLUX", "IVAR", "MASK"):
                name = f"{arm}{part}"
                if name not in self._source.hdus:
                    if part == "MASK":
                        continue
                    raise ReadError(f"the HDU {name} is missing")
                shape = self._source.hdus[name].shape
                if shape != (n, self._source.hdus[f"{arm}WAVELENGTH"].shape[0]):
                    raise ReadError(f"{name} has the shape {shape}, and the fibermap has {n} rows")

    def _wavelength(self, arm: str) -> NDArray[np.float64]:
        return np.array(self._source.hdus[f"{arm}WAVELENGTH"].data, dtype=np.float64)

    def _ivar(self, arm: str, row: int) -> NDArray[np.float32]:
        ivar = pixels(self._source.hdus[f"{arm}IVAR"].section[row])
        if f"{arm}MASK" in self._source.hdus:
            ivar[np.asarray(self._source.hdus[f"{arm}MASK"].section[row]) != 0] = 0
        return ivar

    def _number(self, row: int, limits: tuple[float, float], *names: str) -> float | None:
        for name in names:
            if name in self._columns:
                return keywords.number(self._fibermap[self._columns[name]][row], limits)
        return None


def _arms(source: Source) -> list[str]:
    names = [_WAVELENGTH.fullmatch(name) for name in source.hdus.named]
    return [match[1] for match in names if match and f"{match[1]}FLUX" in source.hdus]


def _fibermap(source: Source) -> Any:
    """The table of fibres; None where there is none."""
    return next((source.hdus[name] for name in FIBERMAPS if name in source.hdus), None)


def _unit(flux: Any) -> str:
    """Calibrated flux, unless the image says that it is counts, as frames before calibration do."""
    unit = unit_of(keywords.value(flux.header, "BUNIT"))
    return FLUX_UNIT if unit is None else flux_factor(unit, np.ones(1))[1] or FLUX_UNIT
