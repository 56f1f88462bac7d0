"""SDSS, BOSS and eBOSS: one `spec` file a spectrum (full or lite), and tables with one spectrum a row.

Data model: https://data.sdss.org/datamodel/files/SPECTRO_REDUX/RUN2D/spectra/PLATE4/spec.html

Two traps of these files. COEFF0 in a spec file's primary header is the plate's: where the ends of a spectrum
were cut off, its own pixels start elsewhere, so `loglam` is what counts. RA and DEC there are where the
telescope pointed; the fibre is at PLUG_RA and PLUG_DEC.

`ivar` is zero in every pixel that must not be used; the documentation of the mask bits says to go by that.
The bits of `and_mask` that are left (bright sky, a bad pixel near by) warn of pixels that still carry what
their ivar says, and some are set for whole fibres, so they are not taken over.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, keywords
from spectraq.workers.readers.arms import Grid, log_grid
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, unique_ids
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import FLUX_UNIT

STEP = 1e-4
"""log10(wavelength) from pixel to pixel, in all of SDSS's co-added spectra."""

FIRST_BOSS_PLATE = 3510
"""Plates from here on were observed with the BOSS spectrographs, those before with SDSS's first ones."""

SDSS_FIBERS, BOSS_FIBERS = 320, 500
"""Fibres of a spectrograph: those numbered higher go to the second."""

_OWN = {"and_mask", "or_mask", "wdisp"}
"""Columns of SDSS's own tables, any of which tells them from other people's."""
MOST_COLUMNS, FEWEST_ROWS = 30, 50
"""A table of pixels has at most so many columns, and at least so many rows."""
_EXPOSURE = re.compile(r"[BR][12]?-\d+|MJD_EXP_")


def recognises(source: Source) -> bool:
    """Whether there is a table with a pixel a row, or one with plates and a spectrum a row."""
    return _spectrum_table(source) is not None or _many_table(source) is not None


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a spec file or a table of spectra."""
    spectrum_table = _spectrum_table(source)
    if spectrum_table is not None:
        return SpecFile(source, spectrum_table)
    many = _many_table(source)
    if many is not None:
        return SpecTable(source, many)
    raise ReadError("no table with the columns flux and loglam, or flux, plate, mjd and fiberid")


FORMAT = Format("sdss", "SDSS, BOSS and eBOSS spec files, and tables of such spectra", recognises, rows)


class SpecFile:
    """One spectrum, one table row a pixel."""

    def __init__(self, source: Source, table: Any) -> None:
        self._source = source
        self._table = table

    def __len__(self) -> int:
        return 1

    def spectrum(self, row: int) -> Spectrum:
        """Read it."""
        columns = fitstable.columns(self._table)
        header = self._source.hdus[0].header
        data = self._table.data
        ivar = pixels(data[columns["ivar"]]) if "ivar" in columns else None
        plate, mjd, fiber = self._identity(header)
        return Spectrum(
            spectrum_id=_name(plate, mjd, fiber) if fiber is not None else self._field() or self._source.stem,
            **_placed(np.asarray(data[columns["loglam"]], np.float64), pixels(data[columns["flux"]]), ivar),
            medium="air" if keywords.denied(keywords.value(header, "VACUUM")) else "vacuum",
            flux_unit=FLUX_UNIT,
            survey=_survey(plate),
            **group(plate, mjd, fiber),
            ra=keywords.number(self._of(header, "PLUG_RA", "plug_ra", "fiber_ra"), keywords.RIGHT_ASCENSION),
            dec=keywords.number(self._of(header, "PLUG_DEC", "plug_dec", "fiber_dec"), keywords.DECLINATION),
            mjd=mjd if mjd is not None else keywords.number(self._catalogue("mjd"), keywords.DAYS),
            source_file=self._source.name,
            source_row=row,
        )

    def _of(self, header: Any, keyword: str, *columns: str) -> Any:
        """What the header says, else the row that was copied from spAll."""
        said = keywords.value(header, keyword)
        return said if said is not None else self._catalogue(*columns)

    def _catalogue(self, *names: str) -> Any:
        """The first of these columns in the row that was copied from spAll."""
        for hdu in fitstable.tables(self._source):
            columns = fitstable.columns(hdu)
            if hdu is not self._table and "mjd" in columns and len(hdu.data):
                return next((hdu.data[columns[name]][0] for name in names if name in columns), None)
        return None

    def _field(self) -> str | None:
        """SDSS-V's name of a spectrum, FIELD-MJD-CATALOGID; None where it is none of SDSS-V's."""
        parts = [keywords.whole(self._catalogue(name)) for name in ("field", "mjd")]
        target = keywords.text(self._catalogue("catalogid"))
        return None if target is None or None in parts else f"{parts[0]}-{parts[1]}-{target}"

    def _identity(self, header: Any) -> tuple[int | None, float | None, int | None]:
        """Plate, MJD and fibre: of the primary header, else of the row that was copied from spAll."""
        plate, fiber = (keywords.whole(keywords.value(header, key)) for key in ("PLATEID", "FIBERID"))
        mjd = keywords.number(keywords.value(header, "MJD"), keywords.DAYS)
        if plate is not None and fiber is not None:
            return plate, mjd, fiber
        for hdu in fitstable.tables(self._source):
            columns = fitstable.columns(hdu)
            if {"plate", "mjd", "fiberid"} <= columns.keys() and len(hdu.data):
                first = {name: hdu.data[columns[name]][0] for name in ("plate", "mjd", "fiberid")}
                day = keywords.number(first["mjd"], keywords.DAYS)
                return keywords.whole(first["plate"]), day, keywords.whole(first["fiberid"])
        return None, mjd, None


class SpecTable:
    """Many spectra, one a table row, with flux (and loglam, unless COEFF0 and COEFF1 say it) as vectors."""

    def __init__(self, source: Source, table: Any) -> None:
        self._source = source
        self._table = table
        self._columns = fitstable.columns(table)
        plates, days, fibers = (table.data[self._columns[name]] for name in ("plate", "mjd", "fiberid"))
        self._plate = [keywords.whole(plate) for plate in plates]
        self._mjd = [keywords.number(day, keywords.DAYS) for day in days]
        fiber = [keywords.whole(number) for number in fibers]
        self._fiber = fiber
        self._ids = unique_ids([_name(*key) for key in zip(self._plate, self._mjd, fiber, strict=True)])

    def __len__(self) -> int:
        return len(self._ids)

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        flux = pixels(self._vector("flux", row))
        ivar = pixels(self._vector("ivar", row)) if "ivar" in self._columns else None
        return Spectrum(
            spectrum_id=self._ids[row],
            **self._where(row, flux, ivar),
            flux_unit=FLUX_UNIT,
            survey=_survey(self._plate[row]),
            **group(self._plate[row], self._mjd[row], self._fiber[row]),
            ra=self._number(row, keywords.RIGHT_ASCENSION, "plug_ra", "ra"),
            dec=self._number(row, keywords.DECLINATION, "plug_dec", "dec"),
            mjd=self._mjd[row],
            source_file=self._source.name,
            source_row=row,
        )

    def _where(self, row: int, flux: Any, ivar: Any) -> dict[str, Any]:
        if "loglam" in self._columns:
            return _placed(np.asarray(self._vector("loglam", row), np.float64), flux, ivar)
        start, step = (keywords.needed(self._table.header, key) for key in ("COEFF0", "COEFF1"))
        return {"loglam0": start, "dloglam": step, "flux": flux, "ivar": ivar}

    def _vector(self, name: str, row: int) -> Any:
        return self._table.data[self._columns[name]][row]

    def _number(self, row: int, limits: tuple[float, float], *names: str) -> float | None:
        for name in names:
            if name in self._columns:
                return keywords.number(self._table.data[self._columns[name]][row], limits)
        return None


def _placed(loglam: Any, flux: Any, ivar: Any) -> dict[str, Any]:
    """Return pixels and their wavelengths as fields of a Spectrum: SDSS's grid, else pixel by pixel."""
    start = log_grid(loglam, STEP)
    if start is not None:
        return {"loglam0": start, "dloglam": STEP, "flux": flux, "ivar": ivar}
    grid = Grid(10.0**loglam)
    flux, ivar = grid.combine(flux, ivar)
    return {"wavelength": grid.wavelength, "flux": flux, "ivar": ivar}


def _spectrum_table(source: Source) -> Any:
    """Return the table with a pixel a row: of several the coadd, before its exposures; None for none."""
    if "sdss" not in source.memo:
        source.memo["sdss"] = _look_for_spectrum_table(source)
    return source.memo["sdss"]


def _look_for_spectrum_table(source: Source) -> Any:
    table = next((hdu for hdu in fitstable.tables(source) if _is_by_pixel(source, hdu)), None)
    if table is None:
        return None
    names = set(fitstable.columns(table))
    if not (names & _OWN or "PLATEID" in source.hdus[0].header):
        return None  # somebody's own table, with noise and quality by names of its own
    others = [hdu for hdu in fitstable.tables(source) if hdu is not table and _is_long(source, hdu)]
    coadds = [hdu for hdu in others if _has(hdu, "and_mask") and _has(hdu, "loglam")]
    if not coadds and ("and_mask" in names or table.name.upper() == "COADD"):
        return table
    several = any(_is_by_pixel(source, hdu) and not _EXPOSURE.match(hdu.name.upper()) for hdu in others)
    return None if coadds or several else table


def _is_by_pixel(source: Source, hdu: Any) -> bool:
    if not _is_long(source, hdu):
        return False
    shapes = fitstable.shapes(hdu)
    return shapes.get("flux") == () and shapes.get("loglam") == ()


def _is_long(source: Source, hdu: Any) -> bool:
    """Whether a table may have a pixel a row, by its size alone."""
    rows, columns = (source.hdus.whole_number(hdu, key) or 0 for key in ("NAXIS2", "TFIELDS"))
    return rows >= FEWEST_ROWS and columns <= MOST_COLUMNS


def _column_count(hdu: Any) -> int:
    return keywords.whole(keywords.value(hdu.header, "TFIELDS")) or 0


def _has(hdu: Any, name: str) -> bool:
    """Whether a table has this column, by its header alone."""
    there = (keywords.value(hdu.header, f"TTYPE{number + 1}") for number in range(_column_count(hdu)))
    return any(str(said).strip().lower() == name for said in there)


def _many_table(source: Source) -> Any:
    """Find the table with a spectrum a row."""
    for hdu in fitstable.tables(source):
        shapes = fitstable.shapes(hdu)
        placed = len(shapes.get("loglam", ())) == 1 or {"COEFF0", "COEFF1"} <= set(hdu.header)
        if {"plate", "mjd", "fiberid"} <= shapes.keys() and len(shapes.get("flux", ())) == 1 and placed:
            return hdu
    return None


def _name(plate: int | None, mjd: float | None, fiber: int | None) -> str:
    return f"{plate or 0:04d}-{int(mjd or 0)}-{fiber or 0:04d}"


def group(plate: int | None, mjd: float | None, fiber: int | None) -> dict[str, str]:
    """Return plate and fibre as fields of a Spectrum; each half of a plate has a spectrograph of its own."""
    if plate is None or mjd is None or fiber is None:
        return {}
    a_spectrograph = SDSS_FIBERS if plate < FIRST_BOSS_PLATE else BOSS_FIBERS
    spectrograph = 1 + (fiber > a_spectrograph)
    return {"plate": f"{plate:04d}-{int(mjd)}-{spectrograph}", "fiber": f"{fiber:04d}"}


def _survey(plate: int | None) -> str:
    return "boss" if plate is None or plate >= FIRST_BOSS_PLATE else "sdss"
