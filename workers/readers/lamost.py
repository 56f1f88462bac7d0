"""LAMOST's low-resolution spectra: the layout of the first releases and the one in use since DR8.

Data model: https://www.lamost.org, "Data production description" of each release. Old: the primary HDU is
an image whose rows are flux, ivar and masks, on the grid of COEFF0 and COEFF1 (from some release on the third
row is wavelength, before it is something else, so the header is what counts). New: a table (COADD) with one
row of vectors. Flux is relative, wavelengths are in vacuum, ivar is zero where a pixel must not be used.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, keywords
from spectraq.workers.readers.arms import Grid, log_grid
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Assumed, Format, Note, Rows
from spectraq.workers.readers.source import Source

STEP = 1e-4
"""log10(wavelength) from pixel to pixel."""

_FLUX, _IVAR = 0, 1
_MJD_ZERO = datetime(1858, 11, 17)  # UTC, as DATE-OBS is without saying so


def recognises(source: Source) -> bool:
    """Whether it is LAMOST's by its header, in either layout."""
    return _is_lamost(source) and (_is_old(source) or _table(source) is not None)


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a spectrum of either layout."""
    table = _table(source)
    if table is not None:
        return NewLayout(source, table)
    if _is_old(source):
        return OldLayout(source)
    raise ReadError("neither a primary image of flux and ivar, nor a table with flux and wavelength")


FORMAT = Format("lamost", "LAMOST low-resolution spectra, old and new layout", recognises, rows)


class OldLayout:
    """One spectrum, in the rows of the primary image."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return 1

    def spectrum(self, row: int) -> Spectrum:
        """Read it."""
        image, header = self._source.hdus[0].section, self._source.hdus[0].header
        return Spectrum(
            flux=pixels(image[_FLUX]),
            ivar=pixels(image[_IVAR]),
            loglam0=keywords.needed(header, "COEFF0"),
            dloglam=keywords.needed(header, "COEFF1"),
            **_identity(self._source, row),
        )


class NewLayout:
    """One spectrum a table row, its arrays as vectors."""

    def __init__(self, source: Source, table: Any) -> None:
        self._source = source
        self._table = table

    def __len__(self) -> int:
        return len(self._table.data)

    def spectrum(self, row: int) -> Spectrum:
        """Read one."""
        columns = fitstable.columns(self._table)
        if "ivar" not in columns:
            raise ReadError(f"the table has no column IVAR among {', '.join(columns)}")
        wavelength, flux, ivar = (
            self._table.data[columns[name]][row] for name in ("wavelength", "flux", "ivar")
        )
        return Spectrum(
            **_placed(np.array(wavelength, np.float64).ravel(), pixels(flux), pixels(ivar)),
            **_identity(self._source, row),
        )


def _placed(wavelength: Any, flux: Any, ivar: Any) -> dict[str, Any]:
    """Return pixels and their wavelengths as fields of a Spectrum: LAMOST's grid, else pixel by pixel."""
    with np.errstate(divide="ignore", invalid="ignore"):
        start = log_grid(np.log10(wavelength), STEP)
    if start is not None:
        return {"loglam0": start, "dloglam": STEP, "flux": flux, "ivar": ivar}
    grid = Grid(wavelength)
    flux, ivar = grid.combine(flux, ivar)
    return {"wavelength": grid.wavelength, "flux": flux, "ivar": ivar}


def _identity(source: Source, row: int) -> dict[str, Any]:
    header = source.hdus[0].header
    return {
        "spectrum_id": _name(header) or source.stem,
        "medium": "air" if keywords.denied(keywords.value(header, "VACUUM")) else "vacuum",
        "survey": "lamost",
        "target_id": keywords.text(keywords.value(header, "DESIG")),
        "ra": keywords.number(keywords.value(header, "RA"), keywords.RIGHT_ASCENSION),
        "dec": keywords.number(keywords.value(header, "DEC"), keywords.DECLINATION),
        "mjd": _mjd(header),
        **_group(header),
        "source_file": source.name,
        "source_row": row,
    }


def _name(header: Any) -> str | None:
    """The observation's number, else (DR1) the name under which its file was released."""
    observation = keywords.value(header, "OBSID")
    if observation and keywords.text(observation):
        return keywords.text(observation)
    day, plan = (keywords.text(keywords.value(header, key)) for key in ("LMJD", "PLANID"))
    # Some files of the first releases have these numbers as text.
    spectrograph, fiber = (keywords.whole(keywords.value(header, key)) for key in ("SPID", "FIBERID"))
    if day is None or plan is None or spectrograph is None or fiber is None:
        return None
    return keywords.text(f"spec-{day}-{plan}_sp{spectrograph:02d}-{fiber:03d}")


def _group(header: Any) -> dict[str, str]:
    """Return plate and fibre as fields of a Spectrum: of the night's plan, one spectrograph."""
    day, plan = (keywords.text(keywords.value(header, key)) for key in ("LMJD", "PLANID"))
    spectrograph, fiber = (keywords.whole(keywords.value(header, key)) for key in ("SPID", "FIBERID"))
    if spectrograph is None:
        return {}
    group = {} if day is None or plan is None else {"plate": f"{day}-{plan}-sp{spectrograph:02d}"[:200]}
    return group if fiber is None else group | {"fiber": f"sp{spectrograph:02d}-{fiber:03d}"}


def _mjd(header: Any) -> float | None:
    """The middle of the exposures; the header's MJD is a whole number, and of the wrong night in DR1."""
    try:
        return (datetime.fromisoformat(keywords.value(header, "DATE-OBS")) - _MJD_ZERO) / timedelta(days=1)
    except (ValueError, TypeError):  # a time zone is a TypeError, too
        return keywords.number(keywords.value(header, "MJD"), keywords.DAYS)


def _is_lamost(source: Source) -> bool:
    if source.hdus is None:
        return False
    header = source.hdus[0].header
    return any("LAMOST" in str(keywords.value(header, key)) for key in ("TELESCOP", "ORIGIN", "DESIG"))


def _is_old(source: Source) -> bool:
    if source.hdus is None:
        return False
    shape: tuple[int, ...] = source.hdus[0].shape or ()
    return len(shape) == 2 and shape[0] > _IVAR


def _table(source: Source) -> Any:
    """The table of vectors; none where there are several, as arms and exposures of medium resolution are."""
    tables = []
    for hdu in fitstable.tables(source):
        shapes = fitstable.shapes(hdu)
        if len(shapes.get("flux", ())) == 1 and len(shapes.get("wavelength", ())) == 1:
            tables.append(hdu)
    return tables[0] if len(tables) == 1 else None
