"""Objects of known truth that are observed as often as a test wants."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from spectraq.models import shipped
from spectraq.models.answer import Extra
from spectraq.models.change.compare import Comparison
from spectraq.models.change.epoch import Epoch, Floats
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import Simulated, simulate


@dataclass(frozen=True)
class Target:
    """A simulated object: its light without noise, and how well it is seen."""

    truth: Simulated
    pipeline: Pipeline
    known: dict[tuple[bytes, int], Epoch] = field(default_factory=dict)  # each is analysed once

    @property
    def wavelength(self) -> Floats:
        return self.truth.observation.wavelength

    @property
    def flux(self) -> Floats:
        return self.truth.noiseless

    @property
    def sigma(self) -> Floats:
        ivar = self.truth.observation.ivar
        assert ivar is not None
        return np.where(ivar > 0, 1 / np.sqrt(np.where(ivar > 0, ivar, 1.0)), 0.0)

    def seen(self, flux: Floats, seed: int, **others: float | None) -> Epoch:
        """Observe this light once, and analyse it."""
        key = (flux.tobytes(), seed)
        if key not in self.known:
            self.known[key] = self._analysed(flux, seed)
        return replace(self.known[key], **others)

    def _analysed(self, flux: Floats, seed: int) -> Epoch:
        noise = self.sigma * np.random.default_rng(seed).standard_normal(flux.size)
        observation = replace(self.truth.observation, flux=(flux + noise).astype(np.float32))
        (answer,) = self.pipeline.analyze([observation], Extra.MODEL)
        return Epoch.of(observation, answer, SurveyNoise.load(shipped.FOLDER))


@pytest.fixture(scope="session")
def comparison() -> Comparison:
    """What is shipped."""
    return Comparison.load()


@pytest.fixture(scope="session")
def targets(pipeline: Pipeline) -> dict[str, Target]:
    """A star, a galaxy and a quasar whose lines of hydrogen are seen, without faults."""
    found: dict[str, Target] = {}
    for one in simulate(150, seed=11):
        far = one.spectype != "STAR" and not 0.05 < one.z < 0.5
        if one.fault is None and 15 < one.snr < 40 and not far and one.observation.survey == "sdss":
            found.setdefault(one.spectype, Target(one, pipeline))
    assert set(found) == {"STAR", "GALAXY", "QSO"}
    return found
