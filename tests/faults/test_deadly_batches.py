"""Record batches that kill the process while it unpacks them, each time, before there is a message."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from pathlib import Path

from spectraq.schemas import codec
from spectraq.workers.transport.crash_marks import SUSPECT_STARTS
from tests.support.accounts import LONG
from tests.support.feed import Feed, numbered
from tests.support.foreign import KINDS
from tests.support.rawbatches import batch, record, send
from tests.support.worker_log import events

RECORDS = 4
DEADLY = "unpacking-this-kills"
MAX_TRIES = 1
MOST_DEATHS = 1 + SUSPECT_STARTS + MAX_TRIES
"""A commit takes the mark away, so the first death may leave none."""

LIFE_S = 60.0


def spectra(first: int, header: str = "h") -> bytes:
    """A packed batch of some spectra."""
    made = map(numbered, range(first, first + RECORDS))
    records = [
        record(i, s.spectrum_id.encode(), codec.encode(s), [(header.encode(), b"")])
        for i, s in enumerate(made)
    ]
    return batch(records, "zstd")


def publish(feed: Feed) -> tuple[int, set[str]]:
    """Put a deadly batch among good ones, and innocent ones into another partition.

    Gives the offset of the deadly one, and the ids of the good spectra.
    """
    topic = feed.settings().topics.spectra
    firsts = {0: range(0, 5 * RECORDS, RECORDS), 1: range(100, 100 + 5 * RECORDS, RECORDS)}
    killer = firsts[0][2]
    for partition, numbers in firsts.items():
        made = [spectra(number, DEADLY if number == killer else "h") for number in numbers]
        send(feed.bootstrap_servers, topic, made, partition)
    good = [number for numbers in firsts.values() for number in numbers if number != killer]
    return killer, {f"spectrum-{number + i}" for number in good for i in range(RECORDS)}


@LONG
def test_a_batch_that_ends_the_process_while_it_is_unpacked_is_one_dead_letter_and_all_others_are_answered(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path, delivery: str
) -> None:
    offset, good = publish(feed)
    settings = {"delivery": delivery, "max_tries": MAX_TRIES, "batch_spectra": 8}
    deaths = 0
    while True:
        worker = feed.worker("--until-drained", "--dies-unpacking", DEADLY, log=tmp_path / "log", **settings)
        processes.append(worker)
        worker.communicate(timeout=LIFE_S)
        if worker.returncode == 0:
            break
        assert worker.returncode == -signal.SIGKILL
        deaths += 1
        assert deaths <= MOST_DEATHS, "nobody gives the batch up"
    assert deaths >= SUSPECT_STARTS + MAX_TRIES
    for kind in KINDS:
        answered = Counter(message.fields["spectrum_id"] for message in feed.read(kind))
        assert set(answered) == good, kind
        assert delivery == "at_least_once" or set(answered.values()) == {1}, kind
    (letter,) = (message.fields for message in feed.read("dead_letters"))
    assert (letter["reason"], letter["partition"]) == ("crashes", 0)
    assert (letter["offset"], letter["last_offset"]) == (offset, offset + RECORDS - 1)
    suspected = {e["partition"] for e in events(tmp_path / "log") if e["event"] == "one_by_one"}
    assert suspected <= {0, 1}, "where nothing is there is nothing to suspect"
    assert int.from_bytes(letter["value"][:8], "big") == offset, "the bytes are not those of the batch"
