"""What a folder or a stream shows to be normal moves its thresholds, as a whole and towards caution only."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectraq.models import shipped
from spectraq.models.anomaly.group import LEAST_GROUP, MOST_SHIFT, MOST_STRETCH, Group
from spectraq.models.anomaly.in_group import judged_in_groups, known_group
from spectraq.models.anomaly.judge import FLAG_RATE
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.anomaly.reference import Reference
from spectraq.models.answer import Evidence, Reason
from spectraq.models.observation import Observation
from tests.support.plumbing import answer_of, spectrum_flux

REFERENCE = Reference.load(shipped.FOLDER)
QUARTILE = REFERENCE.quartile.double().numpy()
PLAIN = answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(1)))
COLUMN = KINDS.index("unmodelled_emission")
seeds = st.integers(0, 2**32 - 1)


def normal(n: int, seed: int) -> np.ndarray:
    """Strangeness of normal spectra of the reference's own bulk, (n, kinds): the median is 0, 85 % are 1."""
    return -np.log(2 * np.random.default_rng(seed).uniform(size=(n, len(KINDS)))) / np.log(0.5 / 0.15)


def of_answers(strangeness: np.ndarray) -> list:
    """Answers of such strangeness, each with a line to tell."""
    line = Reason("unmodelled_emission", "sky", 3.0, 5000.0, 5010.0, "A line.")
    evidence = [Evidence(tuple(row), "unmodelled_emission", (line,)) for row in strangeness.tolist()]
    return [PLAIN.__class__(**(vars_of(PLAIN) | {"anomaly_evidence": one})) for one in evidence]


def vars_of(answer: object) -> dict:
    return {name: getattr(answer, name) for name in answer.__slots__}  # type: ignore[attr-defined]


@given(seeds)
def test_one_anomaly_in_five_moves_nothing(seed: int) -> None:
    group = normal(1000, seed)
    group[:200] = 50.0
    bulk = Group.of(group).bulk(QUARTILE)
    assert (bulk.shift == 0).all() and (bulk.stretch == 1).all()


@given(seeds, st.integers(1, 99))
def test_the_order_of_spectra_and_how_they_came_together_change_nothing(seed: int, cut: int) -> None:
    group = 3 * normal(100, seed)
    mixed = np.random.default_rng(seed).permutation(group)
    parts = Group.of(mixed[:cut]) + Group.of(mixed[cut:])
    assert (parts.counts == Group.of(group).counts).all()
    assert parts.n == 100


@given(seeds, st.floats(0.1, 10), st.floats(-3, 30))
def test_a_group_makes_nothing_stranger_and_keeps_the_order(seed: int, stretch: float, shift: float) -> None:
    bulk = Group.of(shift + stretch * normal(60, seed)).bulk(QUARTILE)
    strangeness = np.linspace(-5, 60, 200)[:, None].repeat(len(KINDS), 1)
    beyond = bulk.rebased(strangeness)
    assert (beyond <= strangeness).all() and (np.diff(beyond, axis=0) > 0).all()


@pytest.mark.parametrize(("shift", "stretch"), [(1.5, 1.0), (2.0, 2.5), (4.0, 1.5)])
def test_a_foreign_group_is_judged_by_what_is_beyond_its_bulk(shift: float, stretch: float) -> None:
    here, elsewhere = normal(2000, 1), normal(2000, 2)
    bulk = Group.of(shift + stretch * elsewhere).bulk(QUARTILE)
    rates = REFERENCE.rates(torch.from_numpy(bulk.rebased(shift + stretch * here)).float())
    plain = REFERENCE.rates(torch.from_numpy(here).float())
    for rate in (0.2, 0.05, 0.01):
        flagged, wanted = (float((some < rate).float().mean()) for some in (rates, plain))
        assert wanted / 3 - 0.005 <= flagged <= 1.5 * wanted + 0.005


def test_whatever_a_group_holds_what_is_far_beyond_all_of_the_reference_stays_strange() -> None:
    bulk = Group.of(np.full((1000, len(KINDS)), 1e6)).bulk(QUARTILE)
    assert bulk.shift.max() <= MOST_SHIFT and bulk.stretch.max() <= MOST_STRETCH
    worst = np.full(len(KINDS), 1e3)
    assert float(REFERENCE.rates(torch.from_numpy(bulk.rebased(worst)).float()[None]).max()) < 1e-4


def test_a_group_too_small_has_no_bulk() -> None:
    group = 3 + normal(LEAST_GROUP, 1)
    assert known_group("few", Group.of(group[1:]), REFERENCE) is None
    assert known_group("enough", Group.of(group), REFERENCE) is not None


def test_an_answer_says_which_group_judged_it_and_why_it_is_flagged_there() -> None:
    strangeness = 2 + normal(219, 1)
    strangeness[0, COLUMN] = 60.0
    group = known_group("lamost", Group.of(strangeness), REFERENCE)
    answers = of_answers(strangeness)
    judged = judged_in_groups(answers, [group, *[group] * 218], REFERENCE)
    assert all(one.anomaly_judgement == "adapted" for one in judged)
    assert judged[0].anomaly_reference == "plumbing, adapted to 219 of lamost"
    assert judged[0].anomaly_flagged and judged[0].anomaly_reasons[0].strength > 3
    assert np.mean([one.anomaly_flagged for one in judged]) < 0.05
    for one in judged:
        assert (
            one.anomaly_flagged == (one.anomaly_false_positive_rate < FLAG_RATE) == bool(one.anomaly_reasons)
        )


def test_without_a_group_or_without_evidence_an_answer_stays_as_it_is() -> None:
    group = known_group("lamost", Group.of(normal(50, 1)), REFERENCE)
    (with_evidence,) = of_answers(normal(1, 1))
    assert judged_in_groups([PLAIN, with_evidence], [group, None], REFERENCE) == [PLAIN, with_evidence]
