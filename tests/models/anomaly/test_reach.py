"""What no normal spectrum is like gets no rate and no flag, but a reason."""

import numpy as np
import pytest

from spectraq.models import shipped
from spectraq.models.anomaly.reach import Reach, sampling
from spectraq.models.anomaly.reference import Reference
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import DLOGLAM
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import Simulated, simulate

REACH = Reference.load(shipped.FOLDER).reach
GALAXY, QSO = CLASSES.index("GALAXY"), CLASSES.index("QSO")


@pytest.fixture(scope="module")
def hosts() -> list[Simulated]:
    return [one for one in simulate(40, seed=6) if one.snr > 6][:6]


def on(one: Simulated, wavelength: np.ndarray) -> Observation:
    """A simulated spectrum on other pixels."""
    old = one.observation
    flux, ivar = (np.interp(wavelength, old.wavelength, values) for values in (old.flux, old.ivar))
    return Observation(wavelength, flux.astype(np.float32), ivar.astype(np.float32), old.survey)


def test_sampling_is_a_pixels_width_in_pixels_of_the_grid() -> None:
    assert sampling(3600 * 10 ** (DLOGLAM * np.arange(4000))) == pytest.approx(1)
    assert sampling(3600 * 10 ** (0.25 * DLOGLAM * np.arange(9000))) == pytest.approx(0.25)
    assert sampling(np.array([5000.0, 5001.0])) > 0


@pytest.mark.parametrize(
    ("pixels", "seen", "spectype", "z", "why"),
    [
        (REACH.sampling[0] / 2, 4000, GALAXY, 0.1, "pixels"),
        (REACH.sampling[1] * 2, 4000, GALAXY, 0.1, "pixels"),
        (1.0, REACH.seen - 1, GALAXY, 0.1, "usable pixels"),
        (1.0, 4000, QSO, 6.2, "QSO at z = 6.2"),
    ],
)
def test_resolution_range_and_redshift_have_their_own_words(
    pixels: float, seen: int, spectype: int, z: float, why: str
) -> None:
    reason = REACH.outside(pixels, seen, spectype, z)
    assert reason is not None and why in reason.message and reason.kind == "outside_reference"
    assert reason.message.endswith(".")


def test_what_normal_spectra_have_is_within() -> None:
    assert REACH.outside(1.0, 3700, GALAXY, 0.1) is None
    assert REACH.outside(1.0, 4400, QSO, 2.3) is None


def test_a_reach_comes_back_from_its_card() -> None:
    assert Reach.from_card(REACH.as_card()) == REACH


def test_a_spectrum_of_another_resolution_has_no_rate(pipeline: Pipeline, hosts: list[Simulated]) -> None:
    fine = [on(one, np.arange(4000.0, 9000.0, 0.1)) for one in hosts]
    short = [on(one, np.arange(4950.0, 5350.0, 0.9)) for one in hosts]
    for answer in pipeline.analyze(fine + short):
        assert answer.anomaly_judgement == "outside_reference"
        assert (answer.anomaly_flagged, answer.anomaly_score) == (False, 0.0)
        assert answer.anomaly_false_positive_rate == 1.0
        assert [reason.kind for reason in answer.anomaly_reasons] == ["outside_reference"]
        assert answer.anomaly_evidence is None  # nor does it teach a group
    for answer in pipeline.analyze([one.observation for one in hosts]):
        assert answer.anomaly_judgement == "alone" and answer.anomaly_evidence is not None
