"""Find what belongs to a spectrum: pixels and best fit, wherever they are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from spectraq.schemas import codec
from spectraq.schemas.results import ModelSpectrum
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import SpectraqError
from spectraq.workers.settings import Settings
from spectraq.workers.web.night.entry import Entry, name_of
from spectraq.workers.web.night.message_store import Name
from spectraq.workers.web.night.night import Night, decoded
from spectraq.workers.web.night.spectrum_json import Headers, model_json, spectrum_named
from spectraq.workers.web.sources.best_fits import Modelling
from spectraq.workers.web.sources.lookup import Lookup


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
        Networks for fits that no topic carries; None where none shall be made.
    lookup
        The topics; None where there are none.
    """

    night: Night
    settings: Settings
    modelling: Modelling | None
    lookup: Lookup | None

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
            read = spectrum_named(name)
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
        fit, made = self._published(name), "topic"
        if fit is None and self.modelling is not None:
            spectrum = self.spectrum(name)
            fit, made = (None if spectrum is None else self.modelling.model(spectrum)), "here"
            if fit is not None:
                self.night.take_model(fit, codec.encode(fit), None)
        if fit is None:
            return None
        same = _answers_with(self.night.entry(name), fit)
        return model_json(fit) | {"made": made, "same": same}

    def _published(self, name: Name) -> ModelSpectrum | None:
        def read(body: bytes, headers: Headers, key: bytes | None) -> ModelSpectrum | None:
            model = decoded(body, headers)
            return model if isinstance(model, ModelSpectrum) and name_of(model) == name else None

        with self.night.lock:
            body = self.night.models.body(name)
            place = self.night.models.place(name)
        if body is not None:
            return read(body, (), None)
        return self.lookup.at(place, read) if place is not None and self.lookup is not None else None


def _answers_with(entry: Entry | None, model: ModelSpectrum) -> bool:
    """Return whether the same networks made the fit, of the same pixels, as the results beside it."""
    if entry is None or not entry.packed:
        return True
    result = decoded(next(iter(entry.packed.values())))
    return result is not None and getattr(result, "provenance", None) == model.provenance
