import math

import numpy as np
import pytest

from spectraq.models.anomaly.judge import FLAG_RATE
from spectraq.models.anomaly.stream_cells import BULK_RATE, LEAST_SPECTRA, Cell, cell_names, expected_depth


def seen(rates):
    bulk = rates[rates > BULK_RATE]
    return Cell(len(bulk), float(-np.log(bulk).sum()))


def drawn(k, n, seed=1):
    """Rates of normal spectra of a stream where P(rate < r) = r^k."""
    return np.random.default_rng(seed).uniform(size=n) ** (1 / k)


@pytest.mark.parametrize("k", [0.6, 0.8, 1.0, 1.3, 1.6])
def test_after_five_hundred_spectra_the_rate_means_what_it_says(k):
    cell = seen(drawn(k, 500, seed=2))
    fresh = drawn(k, 200_000, seed=3)
    flagged = np.mean(fresh**cell.exponent < FLAG_RATE)
    assert 0.005 <= flagged <= 0.02


def test_without_it_a_stream_of_other_noise_would_be_flagged_four_times_too_often():
    assert np.mean(drawn(0.7, 200_000) < FLAG_RATE) > 0.035


def test_anomalies_among_a_stream_teach_nothing():
    rates = drawn(0.8, 2000)
    with_anomalies = np.concatenate([rates, np.full(100, 1e-6)])
    assert seen(with_anomalies) == seen(rates)


def test_a_cell_that_has_seen_little_says_nothing():
    assert Cell(LEAST_SPECTRA - 1, 10.0).exponent == 1.0
    assert Cell().rate(0.003) == 0.003


@pytest.mark.parametrize("cell", [Cell(1000, 1e6), Cell(1000, -1.0), Cell(-5, 0.0), Cell(1000, math.nan)])
def test_numbers_that_can_not_be_change_nothing(cell):
    assert not cell.valid
    assert cell.rate(0.003) == 0.003


def test_no_stream_hides_what_is_one_in_ten_thousand():
    for depth in (0.0, 1000 * -math.log(BULK_RATE)):
        rate = Cell(1000, depth).rate(0.99e-4)
        assert rate < FLAG_RATE


def test_the_mean_depth_is_that_of_a_truncated_law():
    rates = drawn(1.4, 400_000)
    assert expected_depth(1.4) == pytest.approx(-np.log(rates[rates > BULK_RATE]).mean(), rel=5e-3)


def test_cells_are_named_from_the_narrowest_to_the_survey():
    assert cell_names("LAMOST", "STAR", 12.0) == ("lamost STAR S/N 10-30", "lamost STAR", "lamost")
    assert cell_names(None, "QSO", 1.0)[0] == "unknown QSO S/N 0-3"
    assert cell_names("desi", "GALAXY", 99.0)[0] == "desi GALAXY S/N 30-"
