"""The order of flagged spectra: strength, S/N, origin, rarity, and what people said."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectraq.models.ranking import FlaggedSpectrum, VerdictWeights, interest
from spectraq.models.training.verdict_weights import FILE, learn, make

LINE = FlaggedSpectrum("unmodelled_emission", "sky", 4.0, 20.0, "desi")
STEP = FlaggedSpectrum("arm_step", "instrument", 4.0, 20.0, "desi")


def judged(n: int) -> tuple[list[FlaggedSpectrum], list[bool]]:
    """Strong lines that people call nothing, and weak supernovae that they call interesting."""
    rng = np.random.default_rng(1)
    supernova = replace(LINE, kind="supernova", strength=3.0)
    said = rng.random(n) < 0.5
    return [
        supernova if one else replace(LINE, strength=3.2 + 0.3 * rng.random()) for one in said
    ], said.tolist()


def test_interest_rises_with_strength_and_with_snr_however_large() -> None:
    strengths = [0.0, 1.0, 3.7, 3.8, 8.0, 29.9, 30.1, 100.0]
    values = [interest(replace(LINE, strength=strength), {}) for strength in strengths]
    assert values == sorted(set(values)) and np.isfinite(values).all()
    seen = [interest(replace(LINE, snr=snr), {}) for snr in (0.5, 2.0, 50.0)]
    assert seen == sorted(set(seen))
    assert all(
        np.isfinite(interest(replace(LINE, strength=odd, snr=odd), {})) for odd in (np.nan, np.inf, -1)
    )


def test_of_equal_strength_an_object_is_above_an_instrument_and_a_rare_kind_above_a_common_one() -> None:
    assert interest(LINE, {}) > interest(STEP, {})
    counts = {"unmodelled_emission": 90, "supernova": 3}
    assert interest(replace(LINE, kind="supernova"), counts) > interest(LINE, counts)


def test_ten_verdicts_do_not_overturn_the_order_of_origins_and_hundreds_do() -> None:
    for each, overturned in ((10, False), (500, True)):
        weights = learn([STEP] * each + [LINE] * each, np.arange(2 * each) < each)
        assert (interest(STEP, {}, weights) > interest(LINE, {}, weights)) == overturned


def test_verdicts_are_written_where_they_help_on_those_held_out(tmp_path: Path) -> None:
    flagged, said = judged(400)
    card = make(flagged, said, {}, tmp_path)
    held_out = card["held_out"]["average_precision"]
    assert card["better"] and held_out["after"] > held_out["before"] + 0.2
    weights = VerdictWeights.load(tmp_path / FILE)
    assert weights.kinds["supernova"] > 0 > weights.kinds["unmodelled_emission"]
    assert weights.origins["instrument"] < 0  # nothing was said of it


def test_where_verdicts_do_not_help_nothing_is_written(tmp_path: Path) -> None:
    said = [i % 2 == 0 for i in range(80)]
    card = make([LINE] * 80, said, {}, tmp_path)
    assert not card["better"] and not (tmp_path / FILE).exists()


def test_too_few_verdicts_are_refused(tmp_path: Path) -> None:
    flagged, said = judged(40)
    with pytest.raises(ValueError, match="at least 60 are needed"):
        make(flagged, said, {}, tmp_path)


def test_a_file_that_is_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ranking.json"
    for content in ("{", "[]", '{"format": "spectraq.ranking.1"}'):
        path.write_text(content)
        with pytest.raises(ValueError, match=r"ranking\.json"):
            VerdictWeights.load(path)
