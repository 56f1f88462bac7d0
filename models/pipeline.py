"""The one door: observations in, answers out, whatever the batch, on the CPU or on CUDA."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import torch

from spectraq.models import shipped
from spectraq.models.anomaly.judge import Judge
from spectraq.models.anomaly.reach import sampling
from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.answers.model_spectra import model_spectra
from spectraq.models.answers.redshift_errors import RedshiftErrors
from spectraq.models.answers.rows import answers
from spectraq.models.batch import BatchAnalysis, BatchAnalyst
from spectraq.models.final_fit import details
from spectraq.models.final_fit.details import Details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.measurement import fitting_functions, populations
from spectraq.models.measurement.batch import measured
from spectraq.models.measurement.fitting_functions import FittingFunctions
from spectraq.models.measurement.populations import Populations
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.observation import MIN_GOOD_PIXELS, Observation, too_little_seen
from spectraq.models.processes import cpus
from spectraq.models.processes.pool import Networks, Partners
from spectraq.models.redshift import eigenspectra

ROWS_A_BLOCK = {"cpu": 16, "cuda": 256}
"""Rows worked on together: on a CPU what stays in a core's cache, on a GPU what fills it."""
BLOCKS_A_RUN = {"cpu": 8, "cuda": 2}
"""Blocks that go through all steps before the next ones do: with more, tensors no longer stay in memory that
is at hand, or take gigabytes of a GPU's; with fewer, each class has few rows."""
SPECTRA_ALONE = 128
"""Spectra of shared batches before other processes are started: fewer are done sooner than those are."""


class Pipeline:
    """All the networks and fits that turn spectra into answers.

    Attributes
    ----------
    digest
        SHA-256 (hex) of all weights and of the numbers' code: the same digest gives the same answers.
    version
        The package's version.
    members
        The names of the networks of the ensemble.
    """

    def __init__(
        self,
        analyst: BatchAnalyst,
        judge: Judge,
        errors: RedshiftErrors,
        fine: Mapping[str, Details],
        stars: Populations,
        functions: FittingFunctions | None,
        digest: str,
        threads: int,
        partners: Partners,
    ) -> None:
        self.digest = digest
        self.version = importlib.metadata.version("spectraq")
        self.members = analyst.ensemble.members
        self._analyst = analyst
        self._judge = judge
        self._errors = errors
        self._details = fine
        self._populations = stars
        self._functions = functions
        self._threads = threads
        # One single-threaded worker a core beats one many-threaded worker, and its sums never change order.
        self._workers = ThreadPoolExecutor(
            threads, "spectraq", initializer=torch.set_num_threads, initargs=(1,)
        )
        self._partners = partners
        self._shared = 0

    @classmethod
    def load(
        cls,
        weights: Path | None = None,
        device: str = "cpu",
        threads: int = 0,
        members: Sequence[str] | None = None,
        further: str | None = None,
    ) -> Pipeline:
        """Read the weights and make a pipeline ready to analyse.

        Parameters
        ----------
        weights
            Folder of safetensors files and cards; None for those that come with the package.
        device
            "cpu", "cuda" or "cuda:N".
        threads
            How many cores to use; 0 for all there are. Each but the first has a process of its own once
            `SPECTRA_ALONE` spectra have come, where a batch is shared.
        members
            Names of the networks to ask, to see what each is worth; None for the whole ensemble.
        further
            What the processes of other cores do beside analysing, as "module:function": a function of their
            pipeline and of a request, which gives what JSON can write (`further`).

        Raises
        ------
        spectraq.models.shipped.MissingWeightsError
            Where the folder lacks a network, the eigenspectra or the reference of normal spectra.
        spectraq.models.shipped.DamagedWeightsError
            Where a weight file is not the one of its card.
        spectraq.models.networks.ensemble.UnknownMemberError
            Where there is no network of a name.
        ValueError
            Where the device is not there.
        """
        folder = weights or shipped.FOLDER
        place = torch.device(device)
        if place.type == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device {device!r}: this machine has no usable CUDA device; use device 'cpu'")
        shipped.verify(folder)
        ensemble = Ensemble.load(folder, place, members)
        bases = eigenspectra.load(folder)
        analyst = BatchAnalyst(
            ensemble, bases, place, ROWS_A_BLOCK[place.type], SurveyNoise.load(folder, place)
        )
        one_stream = place.type == "cuda"
        threads = 1 if one_stream else threads or cpus.available()
        judge, errors = Judge.load(folder, bases, place), RedshiftErrors.load(folder)
        digest = shipped.digest(folder, members)
        networks = Networks(weights, list(members) if members else None, digest, further)
        fine, stars = details.load(folder), populations.load(folder)
        functions, partners = fitting_functions.load(folder), Partners(networks, threads - 1)
        return cls(analyst, judge, errors, fine, stars, functions, digest, threads, partners)

    def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Return one answer for each observation, in the order given.

        An answer does not depend on which other observations come with it.

        Parameters
        ----------
        observations
            Of any lengths and samplings.
        extra
            `Extra.MODEL`: the best fit and the chi2(z) curves, too (`Answer.model`).
            `Extra.MEASUREMENT`: what is measured on the spectrum (`Answer.measurement`).

        Raises
        ------
        spectraq.models.observation.UnusableSpectrum
            For the first observation that can't be analysed.
        """
        for observation in observations:
            observation.check()
        most = BLOCKS_A_RUN[self._analyst.device.type]
        parts = _shares(observations, self._threads, self._analyst.block, most)
        self._shared += len(observations) if len(parts) > 1 else 0
        work = partial(self._analyze_anywhere, extra=extra)
        return [answer for part in self._workers.map(work, parts) for answer in part]

    def analyze_here(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Return what `analyze` does, by the calling thread alone: for work that is shared in another way."""
        for observation in observations:
            observation.check()
        torch.set_num_threads(1)
        size = self._analyst.block * BLOCKS_A_RUN[self._analyst.device.type]
        parts = (observations[start : start + size] for start in range(0, len(observations), size))
        return [answer for part in parts for answer in self._analyze(part, extra)]

    def further(self, request: Any, spectra: int) -> Any:
        """Return what another process makes of a request; None where none is free, or it fails there.

        Parameters
        ----------
        request
            What the function takes that `load` was given; JSON can write it.
        spectra
            How many the request is for: few are done sooner here than a process is started.
        """
        self._shared += spectra
        return self._partners.further(request) if self._shared > SPECTRA_ALONE else None

    @property
    def cores(self) -> int:
        """How many cores are used."""
        return self._threads

    def start_partners(self, timeout_s: float = 60.0) -> int:
        """Start the processes of other cores now, and return how many are ready; not beside `analyze`."""
        return self._partners.start(timeout_s)

    def close(self) -> None:
        """End the processes that share the work; they end with this one, too, however it ends."""
        self._partners.close()

    def analysis(self, gridded: Gridded, everything: bool = False) -> BatchAnalysis:
        """Return all that is known of a gridded batch, as tensors: for measuring the method itself.

        Parameters
        ----------
        everything
            As of `BatchAnalyst.analyze`.
        """
        with torch.inference_mode():
            return self._analyst.analyze(gridded, everything)

    def _analyze_anywhere(self, observations: Sequence[Observation], extra: Extra) -> list[Answer]:
        """Analyse here, or in another process where one is free."""
        answered = self._partners.answers(observations, extra) if self._shared > SPECTRA_ALONE else None
        return answered or self._analyze(observations, extra)

    def _analyze(self, observations: Sequence[Observation], extra: Extra) -> list[Answer]:
        gridded = grid_batch(observations, self._analyst.device)
        _check_on_grid(gridded)
        with torch.inference_mode():
            analysis = self._analyst.analyze(gridded, everything=Extra.MODEL in extra)
            samplings = [sampling(observation.wavelength) for observation in observations]
            verdicts = self._judge.judge(analysis, self._analyst.block, samplings)
            encoder = self._analyst.ensemble.encoder
            surveys = [observation.survey for observation in observations]
            fitted = None
            if Extra.MODEL in extra:
                final, lags = final_fit(analysis, self._details), self._analyst.lags
                fitted = model_spectra(analysis, final, lags, encoder, surveys, self._populations)
            done = answers(analysis, surveys, verdicts, self._judge.reference, self._errors, fitted)
            if Extra.MEASUREMENT in extra:
                return measured(analysis, observations, done, self._populations, self._functions)
            return done


def _shares(
    observations: Sequence[Observation], workers: int, block: int, most: int
) -> list[Sequence[Observation]]:
    """Cut into runs of at most so many whole blocks, as many for each worker."""
    blocks = -(-len(observations) // block)
    rounds = -(-blocks // (workers * most))
    size = max(-(-blocks // max(workers * rounds, 1)), 1) * block
    return [observations[start : start + size] for start in range(0, len(observations), size)]


def _check_on_grid(gridded: Gridded) -> None:
    """Raise for a spectrum that has too little of the wavelengths that are analysed."""
    good = (gridded.ivar > 0).sum(1)
    if int(good.min()) < MIN_GOOD_PIXELS:
        raise too_little_seen(int(good.min()))
