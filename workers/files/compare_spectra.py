"""Two spectra in, what changed between them out: the same networks as a worker's, without Kafka or Redis."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spectraq.models import shipped
from spectraq.models.answer import Extra
from spectraq.models.change.compare import Comparison
from spectraq.models.change.epoch import Epoch
from spectraq.models.change.pair import IncomparableError
from spectraq.models.change.record import Change
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.pipeline import Pipeline
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import SettingsError, SpectraqError
from spectraq.workers.settings import WorkerSettings


class Comparing:
    """Networks, and what pairs are compared with.

    Raises
    ------
    SettingsError
        Where the folder of weights does not say how unchanged pairs differ.
    """

    def __init__(self, pipeline: Pipeline, settings: WorkerSettings) -> None:
        folder = settings.weights or shipped.FOLDER
        self._pipeline, self._max_pixels = pipeline, settings.max_pixels
        self._noise = SurveyNoise.load(folder)
        try:
            self._comparison = Comparison.load(folder)
        except shipped.MissingWeightsError as error:
            raise SettingsError(str(error)) from error

    def change(self, earlier: Spectrum, newer: Spectrum) -> Change:
        """Return what changed.

        Raises
        ------
        SpectraqError
            Where a spectrum can't be analysed, or the two can't be compared.
        """
        epochs = [self._epoch(name, one) for name, one in (("earlier", earlier), ("newer", newer))]
        try:
            return self._comparison.compare(*epochs)
        except IncomparableError as error:
            raise SpectraqError(f"{earlier.spectrum_id} and {newer.spectrum_id}: {error}") from error

    def _epoch(self, name: str, spectrum: Spectrum) -> Epoch:
        observed = observation(spectrum, self._max_pixels)
        try:
            (answer,) = self._pipeline.analyze([observed], Extra.MODEL)
        except (ValueError, ArithmeticError, RuntimeError) as error:
            message = f"the {name} spectrum, {spectrum.spectrum_id}, can't be analysed: {error}"
            raise SpectraqError(message) from error
        return Epoch.of(observed, answer, self._noise, spectrum.mjd, spectrum.ra, spectrum.dec)


def as_json(earlier: Spectrum, newer: Spectrum, change: Change) -> dict[str, Any]:
    """Return a Change as `spectraq compare --json` prints it, with the names of both spectra."""
    return {"earlier": earlier.spectrum_id, "newer": newer.spectrum_id, **asdict(change)}
