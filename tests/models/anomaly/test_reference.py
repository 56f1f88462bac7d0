"""The reference: rates fall as scores rise, few spectra bend nothing, and a strange source teaches nobody."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spectraq.models import shipped
from spectraq.models.anomaly.kinds import KINDS, SEEN
from spectraq.models.anomaly.reference import KNOTS, NEVER_STRANGE, Reference
from spectraq.models.anomaly.scores import Scores
from spectraq.models.classes import CLASSES
from spectraq.models.training.measure import normal_spectra

SHIPPED = Reference.load(shipped.FOLDER)
STEP = KINDS.index("arm_step")
LINE = KINDS.index("unmodelled_emission")


def scores_of(value: torch.Tensor, spectype: torch.Tensor, log_snr: torch.Tensor) -> Scores:
    n = len(value)
    place = torch.zeros(n, len(KINDS), dtype=torch.int64)
    none = torch.zeros(n, dtype=torch.bool)
    return Scores(
        value,
        value,
        place,
        place,
        place,
        spectype,
        torch.zeros(n, 16),
        log_snr,
        none,
        torch.zeros(n, len(SEEN)),
    )


def drawn(n: int, seed: int) -> Scores:
    """Scores whose spread grows with S/N, the same for all classes."""
    rng = np.random.default_rng(seed)
    log_snr = rng.uniform(0, 2, n)
    value = 3 + rng.exponential(1 + log_snr[:, None], (n, len(KINDS)))
    table = (torch.from_numpy(column) for column in (value, rng.integers(0, len(CLASSES), n), log_snr))
    value_of, spectype, snr = table
    return scores_of(value_of.float(), spectype, snr.float())


def sources(n: int, names: int = 5) -> list[str]:
    return [f"source {i % names}" for i in range(n)]


@settings(max_examples=50)
@given(st.lists(st.floats(-20, 200), min_size=2, max_size=40), st.sampled_from(CLASSES), st.floats(-1, 3))
def test_the_stranger_the_rarer_alone_and_in_a_group(
    values: list[float], spectype: str, log_snr: float
) -> None:
    column = torch.tensor(sorted(values))[:, None].repeat(1, len(KINDS))
    kind = torch.full((len(values),), CLASSES.index(spectype))
    strangeness = SHIPPED.strangeness(scores_of(column, kind, torch.full((len(values),), log_snr)))
    for rates in (SHIPPED.rates(strangeness), SHIPPED.rates_alone(strangeness)):
        assert (rates.diff(dim=0) <= 1e-6).all()
        assert (rates > 0).all() and (rates <= 1 + 1e-6).all()


def test_a_spectrum_alone_is_never_judged_more_strictly_than_by_the_reference_s_own_bulk() -> None:
    strangeness = torch.linspace(-3, 40, 400)[:, None].repeat(1, len(KINDS))
    assert (SHIPPED.rates_alone(strangeness) >= SHIPPED.rates(strangeness) - 1e-6).all()


def test_median_and_85_percent_are_nought_and_one() -> None:
    normal = drawn(4000, 1)
    reference = normal_spectra.learn("drawn", normal, sources(4000))
    strangeness = reference.strangeness(normal)[:, STEP]
    assert float((strangeness < 0).float().mean()) == pytest.approx(0.5, abs=0.03)
    assert float((strangeness < 1).float().mean()) == pytest.approx(0.85, abs=0.03)


def test_a_few_spectra_of_one_class_hardly_bend_its_thresholds() -> None:
    normal = drawn(1200, 1)
    few = torch.where(normal.spectype == 0)[0][:45]
    others = torch.where(normal.spectype != 0)[0]
    rows = torch.cat([few, others])
    value = normal.value.clone()
    value[few] += 4.0
    bent = replace(normal, value=value)
    picked = scores_of(bent.value[rows], bent.spectype[rows], bent.log_snr[rows])
    reference = normal_spectra.learn("bent", picked, sources(len(rows)))
    moved = (reference.middle[0] - reference.middle[1]).max()
    assert 0 < float(moved) < 1.0  # of the four that these few lie higher


def test_many_spectra_of_one_class_do() -> None:
    normal = drawn(12000, 1)
    value = normal.value + 4.0 * (normal.spectype == 0)[:, None]
    reference = normal_spectra.learn("many", replace(normal, value=value), sources(12000))
    assert float((reference.middle[0] - reference.middle[1]).median()) > 2.0  # of four


def test_a_source_that_is_strange_in_one_kind_teaches_nothing_of_that_kind() -> None:
    normal, named = drawn(1000, 1), sources(1000)
    value = normal.value.clone()
    value[0::5, LINE] += 10.0
    plain, spoilt = (
        normal_spectra.learn("some", replace(normal, value=some), named) for some in (normal.value, value)
    )
    assert torch.allclose(plain.middle[:, LINE], spoilt.middle[:, LINE], atol=0.3)
    assert torch.equal(plain.upper[:, LINE + 1], spoilt.upper[:, LINE + 1])
    # Alone, one spectrum in five may come from such a source.
    strangeness = spoilt.strangeness(replace(normal, value=value))
    assert float(spoilt.rates_alone(strangeness)[0::5, LINE].median()) > 0.05


def test_thresholds_beyond_the_knots_are_those_of_the_nearest() -> None:
    def at(log_snr: float) -> torch.Tensor:
        one = scores_of(torch.full((1, len(KINDS)), 9.0), torch.tensor([1]), torch.tensor([log_snr]))
        return SHIPPED.strangeness(one)

    assert torch.equal(at(KNOTS[0]), at(-3.0)) and torch.equal(at(KNOTS[-1]), at(7.0))


def test_a_score_that_says_nothing_is_never_strange() -> None:
    assert (SHIPPED.rates(torch.full((1, len(KINDS)), NEVER_STRANGE)) > 0.99).all()
