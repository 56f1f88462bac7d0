"""The one door: observations in, answers out, whatever the batch, on the CPU or on CUDA."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models import shipped
from models.answer import Answer
from models.observation import Observation


class Pipeline:
    """All the networks and fits that turn spectra into answers.

    Attributes
    ----------
    digest
        SHA-256 (hex) of all weights and constants: two pipelines with the same digest give the same answers.
    version
        The package's version.
    members
        The names of the networks of the ensemble.
    """

    digest: str
    version: str
    members: tuple[str, ...]

    @classmethod
    def load(cls, weights: Path | None = None, device: str = "cpu", threads: int = 0) -> Pipeline:
        """Read the weights and make a pipeline ready to analyse.

        Parameters
        ----------
        weights
            Folder of safetensors files and cards; None for those that come with the package.
        device
            "cpu", "cuda" or "cuda:N".
        threads
            How many CPU threads to use; 0 for as many as there are cores.

        Raises
        ------
        models.shipped.MissingWeightsError
            Where the folder lacks a network or the eigenspectra.
        """
        shipped.required(weights or shipped.FOLDER, "classifier*.safetensors")
        raise NotImplementedError

    def analyze(self, observations: Sequence[Observation], with_model: bool = False) -> list[Answer]:
        """Return one answer for each observation, in the order given.

        An answer does not depend on which other observations come with it.

        Parameters
        ----------
        observations
            Of any lengths and samplings.
        with_model
            Also return the best fit and the chi2(z) curves (`Answer.model`).

        Raises
        ------
        models.observation.UnusableSpectrum
            For the first observation that can't be analysed.
        """
        raise NotImplementedError
