"""What the fit can't explain is found, placed, and told in a sentence; what is normal is left alone."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from spectraq.models import shipped
from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.kinds import KINDS, SEEN, TABLE
from spectraq.models.anomaly.reasons import reason
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.residual import intervals
from spectraq.models.anomaly.scores import Scores
from spectraq.models.anomaly.unfamiliar import Unfamiliar
from spectraq.models.answer import Answer
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import DLOGLAM, N_PIXELS, pixel_of
from spectraq.models.lines import AIRGLOW_LINES
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import Simulated, simulate
from spectraq.models.training.measure import normal_spectra

PLACED = {
    "unmodelled_emission",
    "unmodelled_absorption",
    "broad_misfit",
    "arm_step",
    "cosmic_ray",
    "dead_column",
    "constant_run",
    "fringing",
    "flux_calibration",
    "scattered_light",
    "negative_flux",
}
"""Kinds whose sentence says where."""


@pytest.fixture(scope="module")
def hosts() -> list[Simulated]:
    """Simulated spectra with nothing wrong and enough signal to see it if there were."""
    return [one for one in simulate(260, seed=4) if one.fault is None and one.snr > 6]


def changed(one: Simulated, flux: np.ndarray) -> Observation:
    old = one.observation
    return Observation(old.wavelength, flux.astype(np.float32), old.ivar, old.survey)


def with_line(one: Simulated, wavelength: float, sigma: float) -> Observation:
    """Add an emission line of so many sigma, 3 pixels wide."""
    old = one.observation
    width = 2.5 * wavelength * DLOGLAM * np.log(10)
    profile = np.exp(-0.5 * ((old.wavelength - wavelength) / width) ** 2)
    return changed(one, old.flux + sigma / np.sqrt((profile**2 * old.ivar).sum()) * profile)


def kinds(answer: Answer) -> set[str]:
    return {cause.kind for cause in answer.anomaly_reasons}


def test_normal_spectra_are_seldom_flagged(pipeline: Pipeline, hosts: list[Simulated]) -> None:
    answers = pipeline.analyze([one.observation for one in hosts])
    assert sum(answer.anomaly_flagged for answer in answers) <= 0.03 * len(answers)


def test_a_strong_line_that_does_not_belong_is_found_where_it_is(
    pipeline: Pipeline, hosts: list[Simulated]
) -> None:
    wavelength = 5320.0  # between the sky's bright lines
    answers = pipeline.analyze([with_line(one, wavelength, 40) for one in hosts])
    found = [answer for answer in answers if "unmodelled_emission" in kinds(answer)]
    assert len(found) > 0.6 * len(answers)
    for answer in found:
        cause = next(one for one in answer.anomaly_reasons if one.kind == "unmodelled_emission")
        assert cause.origin == "sky" and f"z = {answer.z:.4f}"[:9] in cause.message
    near = [c for a in found for c in a.anomaly_reasons if c.wavelength_min < wavelength < c.wavelength_max]
    assert len(near) > 0.9 * len(found)


def test_sky_lines_left_in_are_the_instruments_doing(pipeline: Pipeline, hosts: list[Simulated]) -> None:
    spoilt = []
    for one in hosts:
        old = one.observation
        sky = sum(
            height * np.exp(-0.5 * ((old.wavelength - line) / (line * 3e-4)) ** 2)
            for line, height in AIRGLOW_LINES
        )
        sigma = 1 / np.sqrt(np.median(old.ivar[old.ivar > 0]))
        spoilt.append(changed(one, old.flux + 0.08 * sigma * sky))
    answers = pipeline.analyze(spoilt)
    found = [answer for answer in answers if "sky_residual" in kinds(answer)]
    assert len(found) > 0.7 * len(answers)
    assert all(c.origin == "instrument" for a in found for c in a.anomaly_reasons if c.kind == "sky_residual")


def test_a_step_where_arms_meet_is_found(pipeline: Pipeline, hosts: list[Simulated]) -> None:
    spoilt = [
        changed(o, o.observation.flux * np.where(o.observation.wavelength > 5900, 1.5, 1)) for o in hosts
    ]
    answers = pipeline.analyze(spoilt)
    found = [answer for answer in answers if "arm_step" in kinds(answer)]
    assert len(found) > 0.4 * len(answers)
    at = [c.wavelength_min for a in found for c in a.anomaly_reasons if c.kind == "arm_step"]
    assert abs(np.median(at) - 5900) < 40


def test_every_reason_is_a_sentence_with_a_place() -> None:
    for kind in set(KINDS) - {"detector"}:  # what it finds bears another's name
        cause = reason(kind, -0.25, 4.2, 100, 130, 0.1)
        assert cause.message.endswith(".") and cause.message[0].isupper()
        assert 3600 < cause.wavelength_min < cause.wavelength_max < 10410
        assert cause.origin in {"sky", "instrument"}


def test_a_sentence_names_its_quantity_and_writes_wavelengths_in_angstrom() -> None:
    for kind in set(KINDS) - {"detector"}:
        told = reason(kind, 29.2, 4.2, 100, 130, 0.1).message
        assert "sigma" not in told  # what is meant: the noise's, the scatter's, or a Gaussian's, differ
        assert "4.2" not in told  # the rarity, of which the score is the number
        assert (" Å" in told) == (kind in PLACED)


def drawn(n: int, seed: int) -> Scores:
    """Scores that drift with S/N and differ by class."""
    rng = torch.Generator().manual_seed(seed)
    spectype = torch.randint(0, len(CLASSES), (n,), generator=rng)
    log_snr = torch.randn(n, generator=rng).mul(0.4).add(0.8)
    noise = -torch.rand(n, len(KINDS), generator=rng).log()
    value = noise * (1 + spectype[:, None]) + 2 * log_snr[:, None].square()
    place = torch.zeros(n, len(KINDS), dtype=torch.int64)
    latent = torch.randn(n, 16, generator=rng) + spectype[:, None]
    seen = torch.zeros(n, len(SEEN))
    estimated = torch.zeros(n, dtype=torch.bool)
    return Scores(value, value, place, place, place, spectype, latent, log_snr, estimated, seen)


def learned(n: int, seed: int) -> Reference:
    """The reference of drawn scores of five sources that do not differ."""
    return normal_spectra.learn("drawn", drawn(n, seed), [f"source {i % 5}" for i in range(n)])


def rates_of(reference: Reference, scores: Scores) -> torch.Tensor:
    return reference.rates(reference.strangeness(reference.measured(scores)))


def test_rates_of_normal_spectra_mean_what_they_say() -> None:
    rates = rates_of(learned(6000, seed=1), drawn(6000, seed=2))
    for rate in (0.8, 0.5, 0.2):
        assert float((rates < rate).float().mean()) == pytest.approx(rate, rel=0.1)
    assert float((rates < 0.01).float().mean()) == pytest.approx(0.01, rel=0.2)
    assert float((together(rates) < 0.01).float().mean()) == pytest.approx(0.01, rel=0.4)


def test_the_shares_of_the_allowed_false_positives_are_a_whole() -> None:
    assert sum(kind.share for kind in TABLE) == pytest.approx(1)


def test_a_place_in_latent_space_where_nothing_is_is_an_anomaly() -> None:
    reference, scores = learned(3000, seed=1), drawn(300, seed=4)
    last = KINDS.index("latent_distance")
    near = rates_of(reference, scores)[:, last]
    scores.latent[:] += 6
    far = rates_of(reference, scores)[:, last]
    assert float(near.median()) > 0.1 and float(far.max()) < 1e-3
    scores.latent[:] = 0  # no encoder among the members
    assert float(rates_of(reference, scores)[:, last].min()) > 0.1


def test_members_that_disagree_are_told_from_members_that_agree() -> None:
    agreeing = torch.tensor([[[0.9, 0.1, 0.0]], [[0.9, 0.1, 0.0]]])
    split = torch.tensor([[[0.9, 0.1, 0.0]], [[0.1, 0.9, 0.0]]])

    def disagreement(probability: torch.Tensor) -> float:
        said = SimpleNamespace(spectype=probability)
        decided = SimpleNamespace(spectype=torch.tensor([0]))
        analysis: Any = SimpleNamespace(opinion=said, decision=decided, latent=None)
        return float(Unfamiliar.of(analysis).disagreement)

    assert disagreement(agreeing) == 0
    assert disagreement(split) == pytest.approx(0.4)


def test_chi2_says_nothing_where_the_noise_was_estimated() -> None:
    scores = drawn(500, seed=3)
    scores.noise_estimated[:] = True
    rates = rates_of(learned(500, seed=1), scores)
    assert (rates[:, KINDS.index("poor_fit")] == 1).all()


def test_a_sample_too_small_for_a_tail_is_refused() -> None:
    with pytest.raises(ValueError, match="normal spectra of class"):
        learned(60, seed=1)


def test_the_shipped_reference_has_a_name_and_survives_a_round_trip(tmp_path: object) -> None:
    from pathlib import Path

    folder = Path(str(tmp_path))
    reference = Reference.load(shipped.FOLDER)
    assert reference.name
    reference.save(folder, {})
    again = Reference.load(folder)
    assert again.name == reference.name and torch.allclose(again.quantile, reference.quantile, atol=1e-4)


def test_intervals_mark_pixels_and_stop_at_the_ends() -> None:
    marked = intervals(torch.tensor([[10.0, -500.0, N_PIXELS + 500.0]]), torch.tensor([[2.0, 5.0, 5.0]]))
    assert marked[0].nonzero()[:, 0].tolist() == [8, 9, 10, 11, 12]
    assert pixel_of(3600) == pytest.approx(0, abs=0.2)
