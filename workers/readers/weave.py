"""WEAVE's L1 files: a fibre a row, one arm a file (BLUE or RED), `_NOSS` before the sky was taken off.

Data model: Jin et al. 2024, MNRAS 530, 2688. Counts times the sensitivity function are flux.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.readers import fibres, fitstable, headeraxis
from spectraq.workers.readers.format import Assumed, Format, Note, Rows, once
from spectraq.workers.readers.raw import Raw, finished, ivar_of
from spectraq.workers.readers.source import Source

_FLUX = re.compile(r"([A-Z0-9]+)_DATA")


def recognises(source: Source) -> bool:
    """Whether there is a table of fibres, and an arm with flux and ivar."""
    return bool(_arms(source))


def rows(source: Source, assumed: Assumed, note: Note) -> Rows:
    """Open an L1 file."""
    if not _arms(source):
        raise ReadError("a WEAVE L1 file has the HDUs BLUE_DATA, BLUE_IVAR (or RED_...) and FIBTABLE")
    return Weave(source, assumed, once(note))


FORMAT = Format("weave", "WEAVE L1 files", recognises, rows)


class Weave:
    """The fibres on objects, their arms joined."""

    def __init__(self, source: Source, assumed: Assumed, note: Note) -> None:
        self._source, self._assumed, self._note = source, assumed, note
        self._arms = _arms(source)
        everyone = fibres.fibres(fibres.table(source))
        lines = source.hdus[f"{self._arms[0]}_DATA"].shape[0]
        self._on = [fibre for fibre in everyone if fibre.on_object and 0 <= fibre.row < lines]
        if not self._on:
            raise ReadError("no fibre of the file is on an object: all are sky or unused")
        if len(self._on) < len(everyone):
            left = len(everyone) - len(self._on)
            note(f"{left} of {len(everyone)} fibres are on no object (sky, unused): left out")
        self._ids = fibres.unique(source.stem, self._on)
        header = fitstable.header(source.hdus[0]) | self._header(self._arms[0])
        self._medium = headeraxis.chosen_medium(headeraxis.medium(header), assumed, note)

    def __len__(self) -> int:
        return len(self._on)

    def spectrum(self, row: int) -> Spectrum:
        """Read one fibre."""
        fibre = self._on[row]
        wavelength, flux, ivar = (
            np.concatenate(arrays)
            for arrays in zip(*(self._arm(arm, fibre.row) for arm in self._arms), strict=True)
        )
        fields = {"spectrum_id": self._ids[row], "target_id": fibre.name, "ra": fibre.ra, "dec": fibre.dec}
        unit = None if self._calibrated else self._header(self._arms[0]).get("bunit")
        raw = Raw(wavelength, flux, ivar, unit, self._medium, fields | {"survey": "weave"})
        return finished(raw, self._source, row, self._note)

    @property
    def _calibrated(self) -> bool:
        return all(f"{arm}_SENSFUNC" in self._source.hdus for arm in self._arms)

    def _arm(self, arm: str, row: int) -> tuple[Any, Any, Any]:
        flux, ivar = (
            np.array(self._source.hdus[f"{arm}_{part}"].section[row], np.float64) for part in ("DATA", "IVAR")
        )
        wavelength = headeraxis.wavelengths(self._header(arm), flux.size, self._assumed, self._note)
        ivar = ivar_of(ivar, 1)
        if self._calibrated:
            curve = np.array(self._source.hdus[f"{arm}_SENSFUNC"].section[row], np.float64)
            good = np.isfinite(curve) & (curve > 0)
            flux, ivar = flux * curve, np.where(good, ivar / np.where(good, curve, 1.0) ** 2, 0.0)
        return wavelength, flux, ivar

    def _header(self, arm: str) -> dict[str, Any]:
        return fitstable.header(self._source.hdus[f"{arm}_DATA"])


def _arms(source: Source) -> list[str]:
    if source.hdus is None or fibres.table(source) is None:
        return []
    names = [match[1] for hdu in source.hdus if (match := _FLUX.fullmatch(hdu.name.upper()))]
    return [
        name
        for name in names
        if f"{name}_IVAR" in source.hdus and len(source.hdus[f"{name}_DATA"].shape) == 2
    ]
