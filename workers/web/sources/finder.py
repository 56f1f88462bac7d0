"""Find what belongs to a spectrum: pixels, best fit and measurement, wherever they are."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from spectraq.schemas import codec
from spectraq.schemas.results import Measurement, ModelSpectrum, Result
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.errors import SpectraqError
from spectraq.workers.settings import Settings
from spectraq.workers.web.night.entry import Entry, name_of
from spectraq.workers.web.night.message_store import Name, Pixels
from spectraq.workers.web.night.night import Night, decoded
from spectraq.workers.web.night.spectrum_json import Headers, model_json, spectrum_named
from spectraq.workers.web.sources.best_fits import Modelling
from spectraq.workers.web.sources.lookup import Lookup

SomeResult = TypeVar("SomeResult", bound=Result)


@dataclass
class Finder:
    """Looks in memory first, then on the topics, then asks the networks.

    Parameters
    ----------
    night
        What is in memory.
    settings
        Names of the topics.
    modelling
        Networks for fits and measurements that no topic carries; None where none shall be made.
    lookup
        The topics; None where there are none.
    """

    night: Night
    settings: Settings
    modelling: Modelling | None
    lookup: Lookup | None

    def __post_init__(self) -> None:
        """Know the schemas that registries gave numbers."""
        self._schemas = WriterSchemas(self.settings.kafka)

    def warm(self) -> None:
        """Load the networks before the first fit is asked for."""
        if self.modelling is not None:
            with suppress(SpectraqError):
                self.modelling.load()

    def spectrum(self, name: Name) -> Spectrum | None:
        """Return the spectrum of this id and these pixels, or None where its message is no longer kept."""
        with self.night.lock:
            body = self.night.spectra.body(name)
            place = self.night.spectra.place(name)
            entry = self.night.entry(name)
        if body is not None:
            return codec.decode(body, expect=Spectrum)
        spectrum = None
        if self.lookup is not None:
            read = spectrum_named(name, self._schemas)
            if place is not None:
                spectrum = self.lookup.at(place, read)
            if spectrum is None and entry is not None:
                spectrum = self.lookup.search(self.settings.topics.of_spectra, name, entry.row.at, read)
        if spectrum is not None:
            with self.night.lock:
                self.night.spectra.put(name, codec.encode(spectrum))
        return spectrum

    def model(self, name: Name) -> dict[str, Any] | None:
        """Return the best fit for the page, with "made": "topic" or "here", or None where there is none."""
        fit, made = self._published(name, ModelSpectrum, self.night.models), "topic"
        if fit is None:
            fit, made = self._made(name, Modelling.model), "here"
            if fit is not None:
                self.night.take_model(fit, codec.encode(fit), None)
        return None if fit is None else model_json(fit) | self._origin(name, fit, made)

    def measurement(self, name: Name) -> dict[str, Any] | None:
        """Return the measurement for the page, with "made" as of a best fit, or None where there is none."""
        measured, made = self._published(name, Measurement, self.night.measurements), "topic"
        if measured is None:
            measured, made = self._made(name, Modelling.measurement), "here"
            if measured is not None:
                self.night.take_measurement(measured, codec.encode(measured), None)
        return None if measured is None else measured.to_json_dict() | self._origin(name, measured, made)

    def _made(
        self, name: Name, make: Callable[[Modelling, Spectrum], SomeResult | None]
    ) -> SomeResult | None:
        spectrum = None if self.modelling is None else self.spectrum(name)
        return None if self.modelling is None or spectrum is None else make(self.modelling, spectrum)

    def _published(self, name: Name, kind: type[SomeResult], kept: Pixels) -> SomeResult | None:
        def read(body: bytes, headers: Headers, key: bytes | None) -> SomeResult | None:
            result = decoded(body, headers)
            return result if isinstance(result, kind) and name_of(result) == name else None

        with self.night.lock:
            body, place = kept.body(name), kept.place(name)
        if body is not None:
            return read(body, (), None)
        return self.lookup.at(place, read) if place is not None and self.lookup is not None else None

    def _origin(self, name: Name, result: Result, made: str) -> dict[str, Any]:
        return {"made": made, "same": _answers_with(self.night.entry(name), result)}


def _answers_with(entry: Entry | None, result: Result) -> bool:
    """Return whether the same networks made it, of the same pixels, as the results beside it."""
    if entry is None or not entry.packed:
        return True
    beside = decoded(next(iter(entry.packed.values())))
    return beside is not None and getattr(beside, "provenance", None) == result.provenance
