"""How odd a spectrum is, in words."""

import pytest

from spectraq.workers.cli.oddity import rarity


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (3e-6, "fewer than 1 in 10000 ordinary spectra score as high"),
        (0.00093, "1 in 1100 ordinary spectra scores as high"),
        (0.00985, "1 in 100 ordinary spectra scores as high"),
        (0.5, "50% of ordinary spectra score as high"),
        (1.0, "100% of ordinary spectra score as high"),
    ],
)
def test_a_rate_is_told_as_far_as_the_reference_knows_it(rate: float, words: str) -> None:
    assert rarity(rate) == words
