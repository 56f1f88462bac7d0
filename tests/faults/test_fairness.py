"""A partition that is very full, or full of trouble, does not keep the others waiting."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
from confluent_kafka import Producer

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from tests.support.feed import Feed, numbered
from tests.support.plumbing import Plumbing
from tests.support.worker_log import ended

HUGE = 3000
SMALL = 40
BATCH = 16
MOST = 0.3
"""Of the huge partition this much may go first; at once a worker fetches a seventh of it."""


def put(feed: Feed, partition: int, numbers: range, change: Callable[[Spectrum], Spectrum]) -> None:
    """Put numbered spectra on one partition."""
    producer = Producer({"bootstrap.servers": feed.bootstrap_servers, "linger.ms": 5, "log_level": 0})
    topic = feed.settings().topics.spectra
    for number in numbers:
        spectrum = change(numbered(number))
        producer.produce(
            topic, key=spectrum.spectrum_id.encode(), value=codec.encode(spectrum), partition=partition
        )
    assert producer.flush(60) == 0


def breaking(spectrum: Spectrum) -> Spectrum:
    """One that the networks fail on, so that its batch is halved again and again."""
    flux = np.asarray(spectrum.flux).copy()
    flux[0] = Plumbing.FATAL_FLUX
    return spectrum.model_copy(update={"flux": flux})


def last_of_the_small(feed: Feed) -> float:
    """How much of the huge partition, as a fraction, was settled when the last of the others was answered."""
    results = [(m.timestamp_ms, m.fields["spectrum_id"]) for m in feed.read("redshifts")]
    letters = [(m.timestamp_ms, (m.key or b"").decode()) for m in feed.read("dead_letters")]
    settled = sorted((time_ms, int(name.removeprefix("spectrum-"))) for time_ms, name in results + letters)
    assert len(settled) == HUGE + 3 * SMALL
    last = max(i for i, (_, number) in enumerate(settled) if number >= HUGE)
    return sum(number < HUGE for _, number in settled[:last]) / HUGE


def test_a_huge_partition_does_not_keep_the_others_waiting(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    put(feed, 0, range(HUGE), lambda spectrum: spectrum)
    assert work_with_small_ones(feed, processes, tmp_path) < MOST


def test_a_partition_full_of_spectra_that_break_the_networks_does_not_keep_the_others_waiting(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    put(feed, 0, range(HUGE), breaking)
    assert work_with_small_ones(feed, processes, tmp_path) < MOST


def work_with_small_ones(feed: Feed, processes: list[subprocess.Popen[str]], folder: Path) -> float:
    """Put a few spectra on each of the other partitions and let a worker do all."""
    for partition in (1, 2, 3):
        begin = HUGE + (partition - 1) * SMALL
        put(feed, partition, range(begin, begin + SMALL), lambda spectrum: spectrum)
    worker = feed.worker("--until-drained", log=folder / "log", delivery="exactly_once", batch_spectra=BATCH)
    processes.append(worker)
    ended(worker, 120)
    found = last_of_the_small(feed)
    print(f"the last of the others was answered after {found:.3f} of the huge partition")
    return found
