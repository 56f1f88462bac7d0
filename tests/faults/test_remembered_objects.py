"""A worker that is killed while it compares spectra, and a Redis that is lost: changes are told once."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import redis

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.objects.rebuild import rebuild
from tests.support.feed import WAVELENGTH, Feed

OBJECTS = 12
BATCH = 4
PATIENCE_S = 120.0
PLACES = [
    ("at_least_once", "after_publish"),
    ("exactly_once", "before_publish"),
    ("exactly_once", "with_the_offsets_in_the_transaction"),
]


def epoch(feed: Feed, letter: str) -> list[tuple[bytes, bytes]]:
    """A spectrum of each object, for one partition, so that they are read in this order."""
    spectra = []
    for number in range(OBJECTS):
        rng = np.random.default_rng([number, ord(letter)])
        spectra.append(
            Spectrum(
                spectrum_id=f"{number}-{letter}",
                flux=rng.normal(20, 1, WAVELENGTH.size).astype(np.float32),
                ivar=np.ones(WAVELENGTH.size, np.float32),
                wavelength=WAVELENGTH,
                survey=feed.name,
                target_id=str(number),
                mjd=50000.0 + ord(letter),
            )
        )
    return [(b"key", codec.encode(one)) for one in spectra]


@pytest.mark.soak
@pytest.mark.parametrize(("delivery", "place"), PLACES)
def test_changes_are_told_once_though_workers_are_killed_and_redis_is_lost(
    feed: Feed,
    delivery: str,
    place: str,
    processes: list[subprocess.Popen[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")  # as the command line has it
    feed.redis_options = {"timeout_s": 10}  # a busy machine's Redis answers, too
    options = {"delivery": delivery, "batch_spectra": BATCH, "changes": True}
    feed.publish([*epoch(feed, "a"), *epoch(feed, "b")])
    killed = feed.worker("--dies-at", place, log=tmp_path / "log", **options)
    processes.append(killed)
    assert killed.wait(PATIENCE_S) == -9, "the worker did not get to that place"
    feed.work(**options)
    told = Counter(message.bytes for message in feed.read("changes"))
    assert len(told) == OBJECTS, "each pair has one change, whatever it was read with"
    assert delivery == "at_least_once" or set(told.values()) == {1}
    with redis.Redis.from_url(feed.redis_url) as client:
        client.flushall()
    assert rebuild(feed.settings()).spectra >= 2 * OBJECTS
    feed.publish([*epoch(feed, "b"), *epoch(feed, "c")])
    feed.work(**options)
    after = Counter(message.bytes for message in feed.read("changes"))
    assert len(after) == 2 * OBJECTS
    assert all(after[again] > n for again, n in told.items()), "read again, the same change"
