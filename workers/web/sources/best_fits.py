"""Best fit and measurement of one spectrum, made by the workers' networks where no topic has them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from spectraq.models.answer import Extra
from spectraq.schemas.results import Measurement, ModelSpectrum
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.contract.convert import Results, messages, observation
from spectraq.workers.errors import SpectraqError
from spectraq.workers.inference import load_networks
from spectraq.workers.settings import WorkerSettings

if TYPE_CHECKING:
    from spectraq.models.pipeline import Pipeline

log = structlog.get_logger(__name__)


class Modelling:
    """Networks that are loaded when first needed and asked by one thread at a time.

    Parameters
    ----------
    settings
        Which weights, on which device.
    networks
        Where they are loaded already.
    """

    def __init__(self, settings: WorkerSettings, networks: Pipeline | None = None) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._pipeline = networks

    def load(self) -> Pipeline:
        """Return the networks.

        Raises
        ------
        SettingsError
            Where the weights can't be loaded.
        """
        with self._lock:
            return self._loaded()

    def _loaded(self) -> Pipeline:
        if self._pipeline is None:
            self._pipeline = load_networks(self._settings)
        return self._pipeline

    @property
    def digest(self) -> str:
        """Digest of the ensemble that fits here; empty before it was needed."""
        return self._pipeline.digest if self._pipeline else ""

    def results(self, spectrum: Spectrum, extra: Extra) -> Results:
        """Answer one spectrum, with what is asked for beside the usual.

        Raises
        ------
        SpectraqError
            Where no answer could be honest, or the networks fail.
        """
        observed = observation(spectrum, self._settings.max_pixels)
        with self._lock:
            pipeline = self._loaded()
            try:
                (answer,) = pipeline.analyze([observed], extra)
            except (ValueError, ArithmeticError, RuntimeError) as error:
                raise SpectraqError(f"the networks can't fit it: {error}") from error
        return messages(spectrum, answer, pipeline)

    def model(self, spectrum: Spectrum) -> ModelSpectrum | None:
        """Return the best fit of one spectrum."""
        return self.results(spectrum, Extra.MODEL).model

    def measurement(self, spectrum: Spectrum) -> Measurement | None:
        """Return what is measured of one spectrum."""
        return self.results(spectrum, Extra.MEASUREMENT).measurement
