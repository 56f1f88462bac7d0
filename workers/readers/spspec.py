"""SDSS I and II: `spSpec` files, one image of five rows, up to Data Release 7.

Data model: https://classic.sdss.org/dr7/dm/flatFiles/spSpec.html

Rows: flux, flux without continuum, error, mask, sky. Pixel i, counted from 0, lies at 10**(COEFF0 + COEFF1 i)
angstrom in vacuum. An error of zero is a pixel that must not be used. BUNIT lacks the square of cm.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, keywords, sky
from spectraq.workers.readers.fitstable import pixels
from spectraq.workers.readers.format import Assumed, Format, Note, Rows
from spectraq.workers.readers.raw import drop_blanks, ivar_of
from spectraq.workers.readers.sdss import group
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import FLUX_UNIT

_FLUX, _ERROR = 0, 2
ROWS = 5
LOGLAM = (3.0, 4.6)
"""Where a spectrum of SDSS may begin, as log10 of the wavelength."""
FIRST_BOSS_PLATE = 3510


def recognises(source: Source) -> bool:
    """Whether the primary image is a spSpec's, of SDSS's telescope."""
    if source.hdus is None:
        return False
    header = source.hdus[0].header
    shape: tuple[int, ...] = source.hdus[0].shape or ()
    if len(shape) != 2 or shape[0] != ROWS:
        return False
    plate = keywords.whole(keywords.value(header, "PLATEID"))
    fiber = keywords.whole(keywords.value(header, "FIBERID"))
    placed = None not in _grid(fitstable.header(source.hdus[0]))
    theirs = (plate is not None and fiber is not None) or "SDSS" in str(keywords.value(header, "TELESCOP"))
    fibres = any(hdu.name.upper() == "PLUGMAP" for hdu in source.hdus)
    return theirs and placed and not fibres


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open a spSpec file."""
    if not recognises(source):
        raise ReadError("a spSpec file has an image of five rows, PLATEID, FIBERID, COEFF0 and COEFF1")
    return SpSpec(source)


FORMAT = Format("spspec", "SDSS I and II spSpec files", recognises, rows)


def _grid(header: dict[str, Any]) -> tuple[float | None, float | None]:
    """log10 of pixel 0's wavelength and the step: COEFF0 and COEFF1, else the same again as FITS' axis."""
    given = (keywords.number(header.get("coeff0")), keywords.number(header.get("coeff1")))
    axis = (keywords.number(header.get("crval1")), keywords.number(header.get("cd1_1")))
    start, step = (own if own is not None else other for own, other in zip(given, axis, strict=True))
    return (start, step) if start is not None and LOGLAM[0] < start < LOGLAM[1] else (None, step)


class SpSpec:
    """One spectrum, in the rows of the primary image."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return 1

    def spectrum(self, row: int) -> Spectrum:
        """Read it."""
        image, header = self._source.hdus[0].section, fitstable.header(self._source.hdus[0])
        start, step = _grid(header)
        flux, error = (np.array(image[line], np.float64) for line in (_FLUX, _ERROR))
        ivar = ivar_of(error, -2)
        drop_blanks(flux, ivar)
        plate, fiber = keywords.whole(header.get("plateid")), keywords.whole(header.get("fiberid"))
        day: Any = keywords.number(header.get("mjd"), keywords.DAYS)
        return Spectrum(
            spectrum_id=self._source.stem
            if plate is None or fiber is None
            else f"{plate:04d}-{int(day or 0)}-{fiber:04d}",
            flux=pixels(flux),
            ivar=pixels(ivar),
            loglam0=start,
            dloglam=step,
            medium="air" if keywords.denied(header.get("vacuum")) else "vacuum",
            flux_unit=FLUX_UNIT,
            survey="boss" if plate is not None and plate >= FIRST_BOSS_PLATE else "sdss",
            **group(plate, day, fiber),
            source_file=self._source.name,
            source_row=row,
            **sky.position(header),
        )
