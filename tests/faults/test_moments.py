"""A worker that dies at the worst places of its loop, or is told the wrong time."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.support.accounts import LONG, account
from tests.support.feed import Feed, numbered
from tests.support.worker_log import ended, events

SPECTRA = 160
TAUGHT = 160
BATCH = 16
PLACES = [
    ("at_least_once", "after_publish"),
    ("at_least_once", "after_the_commit"),
    ("exactly_once", "before_publish"),
    ("exactly_once", "after_publish"),
    ("exactly_once", "with_the_offsets_in_the_transaction"),
    ("exactly_once", "after_the_transaction"),
]


@pytest.mark.parametrize(("delivery", "place"), PLACES)
def test_a_worker_that_dies_at_a_place_of_its_loop_loses_nothing(
    feed: Feed,
    delivery: str,
    place: str,
    processes: list[subprocess.Popen[str]],
    tmp_path: Path,
) -> None:
    feed.redis_url = "redis://127.0.0.1:1/0"
    feed.measured = True
    options = {"delivery": delivery, "batch_spectra": BATCH}
    feed.publish(numbered(i) for i in range(SPECTRA))
    first = feed.worker("--dies-at", place, log=tmp_path / "first.log", **options)
    processes.append(first)
    assert first.wait(60) == -9, "the worker did not get to that place"
    assert feed.count("redshifts") < SPECTRA
    second = feed.worker("--until-drained", log=tmp_path / "second.log", **options)
    processes.append(second)
    ended(second)
    # a batch that was published and those before it whose commits were on their way
    assert account(feed, SPECTRA, delivery) <= 4 * BATCH * len(feed.kinds)


def test_a_double_has_the_bytes_of_the_first_while_the_thresholds_follow_the_stream(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.redis_options = {"timeout_s": 10}  # a busy machine's Redis answers, too
    teaches = ("--teaches", f"teaching-{feed.name}")
    options = {"delivery": "at_least_once", "batch_spectra": BATCH}
    feed.publish(numbered(i) for i in range(TAUGHT))
    for place in ("", "after_publish", ""):
        if place:
            feed.publish(numbered(i) for i in range(TAUGHT, SPECTRA + TAUGHT))
        log = tmp_path / f"{len(processes)}.log"
        how = ("--dies-at", place) if place else ("--until-drained",)
        worker = feed.worker(*teaches, *how, log=log, **options)
        processes.append(worker)
        if place:
            assert worker.wait(60) == -9, "the worker did not get to that place"
        else:
            ended(worker)
    assert account(feed, SPECTRA + TAUGHT, "at_least_once") >= BATCH
    followed = [m for m in feed.read("anomalies") if "adapted to" in m.fields["reference"]]
    assert len(followed) > SPECTRA / 2, "the thresholds did not follow the stream"


@LONG
def test_a_clock_that_jumps_loses_nothing_and_ends_no_worker(
    feed: Feed, delivery: str, processes: list[subprocess.Popen[str]], tmp_path: Path
) -> None:
    feed.publish(numbered(i) for i in range(300))
    options = {"delivery": delivery, "batch_spectra": BATCH}
    log = tmp_path / "log"
    worker = feed.worker("--until-drained", "--clock-jumps", "--seconds", "0.01", log=log, **options)
    processes.append(worker)
    ended(worker)
    account(feed, 300, delivery)
    assert feed.count("dead_letters") == 0
    assert "subscribing_again" not in [event["event"] for event in events(log)]
