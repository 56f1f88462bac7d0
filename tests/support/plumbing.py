"""Stand-ins where numbers do not matter: networks that answer at once with a function of the pixels.

Only for tests of the loop around the networks. Kafka and Redis are real.
"""

from __future__ import annotations

import hashlib
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.answer import (
    NOTHING_EXTRA,
    Answer,
    Candidate,
    Evidence,
    Extra,
    MeasuredLine,
    Measurement,
    ModelSpectrum,
    Reason,
)
from spectraq.models.observation import Observation


def spectrum_flux(number: int, n: int = 200) -> NDArray[np.float32]:
    """The flux of a numbered spectrum, shape (n,)."""
    return np.random.default_rng(number).normal(5.0, 1.0, n).astype(np.float32)


FLAT = np.ones(5, np.float32)
MODEL = ModelSpectrum(
    loglam0=3.6,
    dloglam=1e-4,
    flux=FLAT,
    sigma=FLAT,
    z_grids={"GALAXY": np.arange(5.0)},
    chi2_curves={"GALAXY": FLAT},
)
MEASURED = Measurement("GALAXY", 0.1, (MeasuredLine("Halpha", "narrow", 6564.6, 12.0, 0.5),), {})


def answer_of(observation: Observation) -> Answer:
    """An answer that only the pixels decide."""
    digest = hashlib.sha256(observation.flux.tobytes() + observation.wavelength.tobytes()).digest()
    z = int.from_bytes(digest[:6], "big") / 2**48
    flagged = digest[6] < 32
    reason = Reason("poor_fit", "sky", 7.5, 5000.0, 5010.0, "The fit misses a line at 5005 angstrom.")
    return Answer(
        spectype="GALAXY",
        subtype="STARFORMING",
        class_probability={"GALAXY": 0.9, "QSO": 0.05, "STAR": 0.05},
        class_spread={"GALAXY": 0.01, "QSO": 0.01, "STAR": 0.01},
        subclass_probability={"STARFORMING": 1.0},
        subclass_spread={"STARFORMING": 0.0},
        z=z,
        zerr=z * 1e-5 + 1e-6,
        z_spread=1e-5,
        warnings=("small_delta_chi2",) if digest[7] < 128 else (),
        chi2=float(observation.flux.size),
        rchi2=1.0,
        deltachi2=25.0,
        robustness=0.1,
        npixels=int(observation.good().sum()),
        snr=float(np.median(observation.flux)),
        coeff=(z, 1 - z),
        candidates=(
            Candidate("GALAXY", "STARFORMING", z, 1e-5, 200.0, 0.0, 0.9),
            Candidate("QSO", "", z + 1, 1e-4, 225.0, 25.0, 0.1),
        ),
        anomaly_score=digest[6] / 255,
        anomaly_false_positive_rate=0.01,
        anomaly_flagged=flagged,
        anomaly_reasons=(reason,) if flagged else (),
        anomaly_reference="plumbing",
    )


def foreign_evidence(share: float) -> Evidence:
    """Evidence of a stream that lies beyond the reference, the stranger the larger `share` of one is."""
    return Evidence((round(2 + 3 * share, 3),) * len(KINDS), "unmodelled_emission", ())


class Plumbing:
    """Networks of no numbers, which take `seconds` a spectrum.

    With `teaches` the stream's thresholds follow how strange they are, which the pixels decide, too.

    They fail where the first pixel is `FATAL_FLUX`, and end the process where it is `DEADLY_FLUX`, as a fault
    in a driver does.
    """

    FATAL_FLUX = 1234.5
    DEADLY_FLUX = 4321.5

    version = "1"
    members = ("plumbing",)

    def __init__(self, digest: str = "plumbing", seconds: float = 0.0, teaches: bool = False) -> None:
        self.digest = digest
        self.seconds = seconds
        self.teaches = teaches
        self.analysed = 0

    def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        """Answer each observation, in order."""
        if any(float(o.flux[0]) == self.FATAL_FLUX for o in observations):
            raise ValueError("a pixel that no network likes")
        if any(float(o.flux[0]) == self.DEADLY_FLUX for o in observations):
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds * len(observations))
        self.analysed += len(observations)
        answers = [answer_of(observation) for observation in observations]
        if self.teaches:
            answers = [replace(answer, anomaly_evidence=foreign_evidence(answer.z)) for answer in answers]
        if Extra.MODEL in extra:
            answers = [replace(answer, model=MODEL) for answer in answers]
        if Extra.MEASUREMENT in extra:
            answers = [replace(answer, measurement=MEASURED) for answer in answers]
        return answers
