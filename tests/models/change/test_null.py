"""How often unchanged pairs look as changed: what samples of known distributions teach."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spectraq.models.change.compare import Comparison
from spectraq.models.change.evidence import TESTS
from spectraq.models.change.null import CLASSES_OF_TESTS, Null, Tail, share

SIZES = st.floats(0, 100)


def test_the_tests_of_a_class_are_made_and_share_the_false_positives() -> None:
    for spectype, tests in CLASSES_OF_TESTS.items():
        assert set(tests) <= set(TESTS)
        assert abs(sum(share(spectype, test) for test in tests) - 1) < 1e-12


@given(SIZES, SIZES)
def test_what_is_larger_is_rarer(one: float, other: float) -> None:
    tail = Tail(1.0, 2.0, 0.7)
    small, large = sorted((one, other))
    assert 1 >= tail.rate(small) >= tail.rate(large) >= 0
    assert tail.rate(-large) == tail.rate(large)


def test_the_tail_of_an_exponential_is_learned() -> None:
    sizes = np.random.default_rng(0).exponential(1.0, 20_000)
    tail = Tail.of(sizes.tolist())
    for size in (2.0, 3.0, 5.0):
        assert 0.8 < tail.rate(size) / np.exp(-size) < 1.25


def test_a_few_that_changed_do_not_hide_the_next() -> None:
    sizes = np.abs(np.random.default_rng(1).normal(size=200))
    clean, with_changes = Tail.of(sizes.tolist()), Tail.of([*sizes.tolist(), 60.0, 80.0, 500.0])
    assert with_changes.rate(6.0) < 0.001 and clean.rate(6.0) < 0.001


def test_pairs_of_the_learned_distribution_are_flagged_at_the_nominal_rate() -> None:
    rng = np.random.default_rng(2)
    tests = CLASSES_OF_TESTS["STAR"]
    rows = [dict(zip(tests, rng.exponential(size=len(tests)).tolist(), strict=True)) for _ in range(6000)]
    null = Null.learn(["STAR"] * 3000, rows[:3000])
    flagged = np.mean([min(null.rates("STAR", row).values()) < 0.01 for row in rows[3000:]])
    assert 0.004 < flagged < 0.02


def test_the_shipped_card_has_every_class_and_test(comparison: Comparison) -> None:
    assert {name: set(tails) for name, tails in comparison.null.tails.items()} == {
        name: set(tests) for name, tests in CLASSES_OF_TESTS.items()
    }
    assert {"sdss", "lamost", "unknown"} == set(comparison.calibrations)
    assert {one.type for one in comparison.known} == {"Ia", "II"}
