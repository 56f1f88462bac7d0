"""Fill the night from files: read, analysed and kept, one batch after the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator

import structlog

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError, SpectraqError
from spectraq.workers.files.analyze_files import Answered, Unanswered, analyze
from spectraq.workers.inference import SafeInference
from spectraq.workers.settings import WorkerSettings
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.sources.best_fits import Modelling

log = structlog.get_logger(__name__)

BATCH = 16
"""Smaller than a worker's, so that the first results are seen soon."""


class Reading(threading.Thread):
    """Analyses spectra of files until they end or `stop` is set.

    Parameters
    ----------
    items
        What `spectraq.workers.readers.read` yields.
    night
        What is filled.
    modelling
        The networks.
    settings
        Of a worker: the largest spectrum taken.
    """

    def __init__(
        self,
        items: Iterable[Spectrum | ReadError],
        night: Night,
        modelling: Modelling,
        settings: WorkerSettings,
    ) -> None:
        super().__init__(name="reading", daemon=True)
        self.stop = threading.Event()
        self._items, self._night, self._modelling, self._settings = items, night, modelling, settings

    def run(self) -> None:
        """Read and analyse all of them."""
        self._night.trouble = "loading the networks"
        try:
            analysis = SafeInference(self._modelling.load(), BATCH)
            self._night.trouble = "analysing the files"
            items = noted(self._until_stopped(), self._night)
            for outcome in analyze(items, analysis, BATCH, self._settings.max_pixels):
                take(outcome, self._night)
            self._night.trouble = ""
        except SpectraqError as error:
            self._night.trouble = str(error)

    def _until_stopped(self) -> Iterator[Spectrum | ReadError]:
        for item in self._items:
            if self.stop.is_set():
                return
            yield item


def noted(items: Iterable[Spectrum | ReadError], night: Night) -> Iterator[Spectrum | ReadError]:
    """Keep the pixels of each spectrum on its way to the networks."""
    for item in items:
        if isinstance(item, Spectrum):
            night.arrived(time.time())
            night.take_spectrum(item, codec.encode(item), None)
        yield item


def take(outcome: Answered | Unanswered, night: Night) -> None:
    """Keep the results of one spectrum, or count that it has none."""
    if isinstance(outcome, Unanswered):
        night.count_letter("unreadable")
        log.warning("unanswered", what=str(outcome))
        return
    for result in (outcome.results.classification, outcome.results.redshift, outcome.results.anomaly):
        night.take(result, codec.encode(result), time.time())
