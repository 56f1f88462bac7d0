"""The warning bits."""

import pytest

from spectraq.schemas.zwarn import ZWarn


def test_the_bits_keep_their_numbers_for_ever() -> None:
    assert {bit.name: int(bit) for bit in ZWarn} == {
        "SMALL_DELTA_CHI2": 1,
        "CLASS_UNCERTAIN": 2,
        "Z_FIT_LIMIT": 4,
        "FEW_GOOD_PIXELS": 8,
        "LOW_SNR": 16,
        "NOISE_ESTIMATED": 32,
        "ENSEMBLE_DISAGREES": 64,
        "POOR_FIT": 128,
        "NEGATIVE_EMISSION": 256,
    }


def test_names_and_bits_are_two_ways_to_say_the_same() -> None:
    for number in range(512):
        assert ZWarn.from_names(ZWarn(number).names) == number
    assert ZWarn(5).names == ("small_delta_chi2", "z_fit_limit")
    assert ZWarn(0).names == ()


def test_a_bit_of_a_later_version_has_a_name_too() -> None:
    assert ZWarn(1 | 1 << 20).names == ("small_delta_chi2", "bit_20")


def test_a_misspelt_name_is_an_error_that_lists_the_bits() -> None:
    with pytest.raises(ValueError, match="'low_snrr' is no zwarn bit; the bits are small_delta_chi2, "):
        ZWarn.from_names(["low_snrr"])


def test_all_bits_but_the_informing_one_mean_do_not_trust() -> None:
    assert ZWarn(0).trusted and ZWarn.NOISE_ESTIMATED.trusted
    assert not any(bit.trusted for bit in ZWarn if bit is not ZWarn.NOISE_ESTIMATED)
    assert not (ZWarn.LOW_SNR | ZWarn.NOISE_ESTIMATED).trusted
