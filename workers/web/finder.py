"""Find what belongs to a spectrum id: pixels and best fit, wherever they are."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schemas import codec
from schemas.results import ModelSpectrum
from schemas.spectrum import Spectrum
from workers.errors import SpectraqError
from workers.settings import Settings
from workers.web.entry import Entry
from workers.web.lookup import Lookup
from workers.web.modelling import Modelling
from workers.web.night import Night, decoded
from workers.web.onespectrum import decoded_spectrum, model_json


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

    def spectrum(self, spectrum_id: str) -> Spectrum | None:
        """Return the spectrum, or None where its message is no longer kept."""
        with self.night.lock:
            body = self.night.spectra.body(spectrum_id)
            place = self.night.spectra.place(spectrum_id)
            entry = self.night.entry(spectrum_id)
        if body is None and self.lookup is not None:
            if place is not None:
                body = self.lookup.at(place)
            elif entry is not None:
                body = self.lookup.by_key(self.settings.topics.spectra, spectrum_id, entry.row.at)
            if body is not None:
                with self.night.lock:
                    self.night.spectra.put(spectrum_id, body)
        return None if body is None else decoded_spectrum(body)

    def model(self, spectrum_id: str) -> dict[str, Any] | None:
        """Return the best fit for the page, with "made": "topic" or "here", or None where there is none."""
        found, made = self._published(spectrum_id), "topic"
        if found is None and self.modelling is not None:
            spectrum = self.spectrum(spectrum_id)
            found, made = (None if spectrum is None else self.modelling.model(spectrum)), "here"
            if found is not None:
                self.night.take_model(spectrum_id, codec.encode(found), None)
        if found is None:
            return None
        same = _answers_with(self.night.entry(spectrum_id), found)
        return model_json(found) | {"made": made, "same": same}

    def _published(self, spectrum_id: str) -> ModelSpectrum | None:
        with self.night.lock:
            body = self.night.models.body(spectrum_id)
            place = self.night.models.place(spectrum_id)
        if body is None and place is not None and self.lookup is not None:
            body = self.lookup.at(place)
        found = None if body is None else decoded(body)
        return found if isinstance(found, ModelSpectrum) else None


def _answers_with(entry: Entry | None, model: ModelSpectrum) -> bool:
    """Whether the fit was made of the same pixels by the same networks as the results shown beside it."""
    if entry is None or not entry.packed:
        return True
    result = decoded(next(iter(entry.packed.values())))
    return result is not None and getattr(result, "provenance", None) == model.provenance
