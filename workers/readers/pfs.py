"""Subaru's PFS: `pfsObject`, `pfsSingle` and `pfsCoadd` files, one object each.

Data model: https://github.com/Subaru-PFS/datamodel, "datamodel.txt". Flux is in nJy, wavelengths in nm in
vacuum (an image WAVELENGTH, else the axis of FLUX's header); the first row of COVAR is the variance.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fitstable, headeraxis, keywords
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.raw import Raw, finished, ivar_of
from spectraq.workers.readers.source import Source
from spectraq.workers.readers.units import angstrom, unit_of

_NEEDED = ("FLUX", "MASK", "COVAR", "TARGET")
_HARMLESS = ("DETECTED", "DETECTED_NEGATIVE", "INTRP", "SUSPECT", "REFLINE", "CROSSTALK", "IPC", "OVERLAP")
"""Bits of the mask (MP_... in its header) that say nothing against a pixel."""


def recognises(source: Source) -> bool:
    """Whether there are the images and the table of one object's spectrum."""
    return source.hdus is not None and all(name in source.hdus for name in _NEEDED)


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open the spectrum of one object."""
    if not recognises(source):
        raise ReadError(f"a file of PFS has the HDUs {', '.join(_NEEDED)}")
    return PfsObject(source, assumed, once(note))


FORMAT = Format("pfs", "Subaru PFS spectra of one object", recognises, rows)


class PfsObject:
    """One spectrum, in images of one row."""

    def __init__(self, source: Source, assumed: Assumed, note: Note) -> None:
        self._source, self._assumed, self._note = source, assumed, note

    def __len__(self) -> int:
        return 1

    def spectrum(self, row: int) -> Spectrum:
        """Read it."""
        hdus = self._source.hdus
        flux = np.array(hdus["FLUX"].data, np.float64).ravel()
        variance = np.atleast_2d(np.array(hdus["COVAR"].data, np.float64))[0]
        if variance.size != flux.size or hdus["MASK"].data.size != flux.size:
            raise ReadError(
                f"flux has {flux.size} pixels, COVAR {variance.size}, MASK {hdus['MASK'].data.size}"
            )
        ivar = ivar_of(variance, -1)
        ivar[(np.asarray(hdus["MASK"].data).ravel() & ~_harmless(hdus["MASK"].header)) != 0] = 0.0
        unit = keywords.value(hdus["FLUX"].header, "BUNIT") or "nJy"
        raw = Raw(self._wavelength(flux.size), flux, ivar, unit, "vacuum", self._fields())
        return finished(raw, self._source, row, self._note)

    def _wavelength(self, n: int) -> NDArray[np.float64]:
        if "WAVELENGTH" in self._source.hdus:
            values = np.array(self._source.hdus["WAVELENGTH"].data, np.float64).ravel()
            return angstrom(values, unit_of("nm"))
        header = {"cunit1": "nm"} | fitstable.header(self._source.hdus["FLUX"])
        return headeraxis.wavelengths(header, n, self._assumed, self._note)

    def _fields(self) -> dict[str, Any]:
        """Identity and position, of the table TARGET or its header."""
        target = self._source.hdus["TARGET"]
        said = fitstable.header(target)
        for column, own in fitstable.columns(target).items() if hasattr(target, "columns") else ():
            if len(target.data):
                said[column] = target.data[own][0]
        return {
            "spectrum_id": self._source.stem,
            "target_id": keywords.text(said.get("objid")),
            "survey": "pfs",
            "ra": keywords.number(said.get("ra"), keywords.RIGHT_ASCENSION),
            "dec": keywords.number(said.get("dec"), keywords.DECLINATION),
        }


def _harmless(header: Any) -> int:
    """The bits of a mask that its header gives to `_HARMLESS`, as one number."""
    places = (keywords.whole(keywords.value(header, f"MP_{name}")) for name in _HARMLESS)
    return sum(1 << place for place in places if place is not None and 0 <= place < 63)
