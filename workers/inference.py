"""The networks as a worker needs them: one bad spectrum must not take its batch down with it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import structlog

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.observation import Observation, UnusableSpectrum
from spectraq.models.ranking import NO_VERDICTS, VerdictWeights
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.errors import AnalysisError, SettingsError
from spectraq.workers.settings import WorkerSettings

if TYPE_CHECKING:
    import spectraq.models.pipeline
    from spectraq.models.anomaly.reference import Reference

log = structlog.get_logger(__name__)

WITNESS = Observation(
    wavelength=np.geomspace(3800.0, 9200.0, 2000),
    flux=np.random.default_rng(0).normal(10.0, 1.0, 2000).astype(np.float32),
    ivar=np.ones(2000, dtype=np.float32),
)
"""A flat spectrum of S/N 10 that no working network fails on."""


class Pipeline(Protocol):
    """What a worker asks of `spectraq.models.pipeline.Pipeline`."""

    @property
    def digest(self) -> str:
        """Digest of all weights and constants."""

    @property
    def version(self) -> str:
        """Version of the ensemble."""

    def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Answer each observation, in order."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer to one observation; `reason` is the code of its dead letter."""

    message: str
    reason: str = DeadLetterReason.ANALYSIS_FAILED


class SafeInference:
    """Asks the networks in pieces that fit into memory, and finds the spectrum that breaks them.

    Parameters
    ----------
    pipeline
        The networks.
    batch_spectra
        Spectra to try at once; halved for good whenever that many do not fit.
    on_split
        Called whenever a piece failed and is split.
    """

    def __init__(
        self, pipeline: Pipeline, batch_spectra: int, on_split: Callable[[], None] = lambda: None
    ) -> None:
        self.pipeline = pipeline
        self.limit = batch_spectra
        self._on_split = on_split

    def answers(
        self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA
    ) -> list[Answer | Failure]:
        """Answer each observation, in order, or say why not.

        Raises
        ------
        AnalysisError
            Where the networks fail on a spectrum that is beyond doubt, too.
        """
        answers: list[Answer | Failure] = []
        while len(answers) < len(observations):
            piece = observations[len(answers) : len(answers) + self.limit]
            answers += self._piece(piece, extra)
        return answers

    def _piece(self, observations: Sequence[Observation], extra: Extra) -> list[Answer | Failure]:
        try:
            answers = self.pipeline.analyze(observations, extra)
        except UnusableSpectrum as error:
            return self._apart(observations, extra, error)
        except Exception as error:
            return self._halves(observations, extra, error)
        if len(answers) != len(observations):
            raise RuntimeError(f"{len(observations)} spectra went in and {len(answers)} answers came out")
        return [_checked(answer) for answer in answers]

    def _apart(
        self, observations: Sequence[Observation], extra: Extra, error: UnusableSpectrum
    ) -> list[Answer | Failure]:
        """Find the spectrum of which the grid shows that it can't be analysed; nothing has failed."""
        if len(observations) == 1:
            return [Failure(str(error), error.reason)]
        middle = len(observations) // 2
        return self._piece(observations[:middle], extra) + self._piece(observations[middle:], extra)

    def _halves(
        self, observations: Sequence[Observation], extra: Extra, error: Exception
    ) -> list[Answer | Failure]:
        """Split what failed until the spectrum that is to blame is alone."""
        n = len(observations)
        if out_of_memory(error):
            _free_memory()
            self.limit = max(min(self.limit, n // 2), 1)
        if n == 1:
            self._blame(error)
            return [Failure(f"{type(error).__name__}: {error}"[:500])]
        self._on_split()
        log.warning("batch_split", spectra=n, error=type(error).__name__, limit=self.limit)
        middle = n // 2
        return self._piece(observations[:middle], extra) + self._piece(observations[middle:], extra)

    def _blame(self, error: Exception) -> None:
        """Make sure that it is the spectrum: a lost GPU would send a whole night to the dead letters."""
        try:
            self.pipeline.analyze([WITNESS])
        except Exception as again:
            raise AnalysisError(
                f"the networks fail on every spectrum ({type(error).__name__}: {error}); restart this worker,"
                " and look at the device it runs on"
            ) from again


def load_networks(settings: WorkerSettings, further: str | None = None) -> spectraq.models.pipeline.Pipeline:
    """Return the networks that the settings of a worker name, on the device and cores that they name.

    `further` is what the processes of other cores are asked for, as `Pipeline.load` takes it.

    Raises
    ------
    SettingsError
        Where the weights can't be loaded, a member is unknown, or the device is not there.
    """
    from spectraq.models.pipeline import Pipeline

    try:
        return Pipeline.load(
            settings.weights,
            device=device(settings.device),
            threads=settings.threads,
            members=settings.members or None,
            further=further,
        )
    except ValueError as error:
        raise SettingsError(f"the networks can't be loaded: {error}") from error


def load_normal(settings: WorkerSettings) -> Reference:
    """Return the normal spectra that the answers of the same networks are judged by.

    Raises
    ------
    SettingsError
        Where they can't be loaded.
    """
    from spectraq.models import shipped
    from spectraq.models.anomaly.reference import Reference

    try:
        return Reference.load(settings.weights or shipped.FOLDER)
    except ValueError as error:
        raise SettingsError(f"the reference of normal spectra can't be loaded: {error}") from error


def load_ranking(settings: WorkerSettings) -> VerdictWeights:
    """Return what verdicts of people say of flags; nothing where no file is named.

    Raises
    ------
    SettingsError
        Where the file is not what `spectraq train --from-verdicts` writes.
    """
    if settings.ranking is None:
        return NO_VERDICTS
    try:
        return VerdictWeights.load(settings.ranking)
    except ValueError as error:
        raise SettingsError(f"worker.ranking: {error}") from error


def out_of_memory(error: Exception) -> bool:
    """Return whether no memory was left: CUDA has a class for it, the CPU only a message."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def device(wanted: str) -> str:
    """Choose where the networks run: "auto" is a GPU where there is one.

    Raises
    ------
    ValueError
        Where "cuda" is wanted and there is none.
    """
    import torch

    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device is visible; use auto or cpu, or look at `nvidia-smi`")
    return wanted


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # else the pieces that are cached are too small for anything


def _checked(answer: Answer) -> Answer | Failure:
    numbers = {"z": answer.z, "zerr": answer.zerr, "chi2": answer.chi2, "anomaly score": answer.anomaly_score}
    wrong = [name for name, value in numbers.items() if not math.isfinite(value)]
    wrong += ["class probabilities"] * (not all(map(math.isfinite, answer.class_probability.values())))
    return Failure(f"the networks gave no finite {', '.join(wrong)}") if wrong else answer
