"""A spectrum that kills the process each time it is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectraq.schemas.spectrum import Spectrum
from tests.support.accounts import LONG
from tests.support.feed import Feed, numbered
from tests.support.night import Night
from tests.support.plumbing import Plumbing
from tests.support.worker_log import events

SPECTRA = 240
DEADLY = 101


def deadly(number: int) -> Spectrum:
    """One of the spectra kills; the others do not."""
    spectrum = numbered(number)
    if number != DEADLY:
        return spectrum
    flux = np.asarray(spectrum.flux).copy()
    flux[0] = Plumbing.DEADLY_FLUX
    return spectrum.model_copy(update={"flux": flux})


@LONG
def test_a_spectrum_that_ends_the_process_each_time_is_a_dead_letter_and_the_others_are_answered(
    feed: Feed, delivery: str, tmp_path: Path
) -> None:
    with Night(feed, tmp_path, workers=1, delivery=delivery, batch_spectra=16, max_tries=2) as night:
        night.feed_at(1000, SPECTRA, deadly)
        found = night.accounts()
        found.check(delivery)
        assert found.dead == {"crashes": 1}
        assert found.once + found.twice == SPECTRA - 1
        letter = feed.read("dead_letters")[0]
        assert letter.key == f"spectrum-{DEADLY}".encode()
        assert letter.fields["value"], "the bytes are not in the letter"
        # some starts with other spectra in hand, two alone, and the one that wrote the letter
        assert 3 <= night.restarts() <= 8
        said = [event["event"] for event in events(night.log(0))]
        assert "one_by_one" in said


@pytest.mark.parametrize("kills", [4])
def test_workers_that_are_killed_again_and_again_condemn_no_innocent_spectrum(
    feed: Feed, kills: int, tmp_path: Path
) -> None:
    with Night(feed, tmp_path, workers=1, delivery="exactly_once", batch_spectra=16) as night:
        night.feed_at(200, 600)
        for _ in range(kills):
            night.wait(0.5, 2.5)
            night.kill()
        found = night.accounts()
        found.check("exactly_once")
        assert found.dead == {}
        assert found.once == 600
