"""Record batches that no reader can read, and some that only this one reads, between good ones."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from spectraq.schemas import codec
from spectraq.workers.cli.watch import decode
from spectraq.workers.deadletters.browse import every_letter
from spectraq.workers.deadletters.replay import plan
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.transport.follower import Follower
from spectraq.workers.web.night.message_store import Name, Place
from spectraq.workers.web.night.spectrum_json import spectrum_named
from spectraq.workers.web.sources.lookup import Lookup
from tests.support.accounts import MODES
from tests.support.feed import Feed, numbered
from tests.support.rawbatches import ATTRIBUTES_AT, COUNT_AT, batch, bomb, damage, mended, record, send
from tests.support.worker_log import ended

RECORDS = 3


def spectra(first: int, packed: str = "none", name: bytes = b"h") -> bytes:
    """A batch of three spectra; the one in the middle has a header."""
    made = [
        record(i, s.spectrum_id.encode(), codec.encode(s), [(name, b"")] if i == 1 else [])
        for i, s in enumerate(map(numbered, range(first, first + RECORDS)))
    ]
    return batch(made, packed)


def with_byte(place: int, value: int) -> Callable[[bytes], bytes]:
    return lambda made: made[:place] + bytes([value]) + made[place + 1 :]


def with_codec(number: int) -> Callable[[bytes], bytes]:
    return lambda made: mended(with_byte(ATTRIBUTES_AT + 1, number)(made))


READ = {
    "a name of a header that is not UTF-8": spectra(0, name=b"\xff\xfe"),
    "gzip": spectra(3, "gzip"),
    "snappy": spectra(6, "snappy"),
    "lz4": spectra(9, "lz4"),
    "zstd": spectra(12, "zstd"),
}
DAMAGES = {
    "a checksum that is wrong": lambda made: made[:-5] + bytes([made[-5] ^ 1]) + made[-4:],
    "a format that is unknown": with_byte(16, 7),
    "a codec that is unknown": with_codec(5),
    "a codec that it is not packed with": with_codec(4),
    "fewer records than there are": lambda made: mended(with_byte(COUNT_AT + 3, 2)(made)),
}
BOMBS = {"zstd": 900 << 20, "gzip": 100 << 20, "lz4": 100 << 20, "snappy": 60 << 20}


def publish(feed: Feed, stack: LocalStack, first: int) -> tuple[list[int], int]:
    """Put each damage into a partition, a good batch behind it; gives its offsets and the next spectrum."""
    topic = feed.settings().topics.spectra
    bad = []
    for change in DAMAGES.values():
        offset, _ = send(feed.bootstrap_servers, topic, [spectra(10_000), spectra(first)])
        damage(stack.folder / "topics", topic, offset, change)
        bad.append(offset)
        first += RECORDS
    for kind, size in BOMBS.items():
        bad += send(feed.bootstrap_servers, topic, [bomb(kind, size)])
        send(feed.bootstrap_servers, topic, [spectra(first)])
        first += RECORDS
    return bad, first


@MODES
def test_a_batch_that_cannot_be_read_is_one_dead_letter_and_all_others_are_answered(
    feed: Feed, stack: LocalStack, processes: list[subprocess.Popen[str]], tmp_path: Path, delivery: str
) -> None:
    topic = feed.settings().topics.spectra
    send(feed.bootstrap_servers, topic, READ.values())
    bad, first = publish(feed, stack, RECORDS * len(READ))
    worker = feed.worker("--until-drained", log=tmp_path / "log", delivery=delivery)
    processes.append(worker)
    ledger = ended(worker, 120.0)
    for kind in ("classifications", "redshifts", "anomalies"):
        answered = Counter(message.fields["spectrum_id"] for message in feed.read(kind))
        # of the batch that holds more than it says, what it says is read
        assert answered == {f"spectrum-{i}": 1 for i in [*range(first), 10_000, 10_001]}, kind
    letters = {letter.fields["offset"]: letter.fields for letter in feed.read("dead_letters")}
    damaged = dict(zip([*DAMAGES, *BOMBS], bad, strict=True))
    damaged["fewer records than there are"] += 2
    assert set(letters) == set(damaged.values())
    assert f"read {first + 2 + len(bad)} = published {first + 2} + dead-lettered {len(bad)}" in ledger
    for kind, offset in damaged.items():
        letter = letters[offset]
        wanted = "batch_too_large" if kind in BOMBS else "unreadable_batch"
        assert (letter["reason"], letter["topic"], letter["partition"]) == (wanted, topic, 0)
        begins = int.from_bytes(letter["value"][:8], "big")
        assert begins in bad, "the bytes are not those of the batch"
        assert letter["last_offset"] == begins + (0 if kind in BOMBS else RECORDS - 1)
    every_reader_goes_on(feed, bad, first)


def whatever_it_is(body: bytes, headers: object, key: bytes | None) -> bytes:
    return body


def every_reader_goes_on(feed: Feed, bad: list[int], first: int) -> None:
    """Ask all that read topics: a follower, the page's look-up, the dead letters and their replay."""
    settings = feed.settings()
    topic = settings.topics.spectra
    seen = set()
    with Follower(settings, [topic], from_beginning=True) as follower:
        while not follower.drained():
            seen |= {decode(found).spectrum_id for found in follower.poll(1.0)}
    assert seen == {f"spectrum-{i}" for i in [*range(first), 10_000, 10_001]}
    lookup = Lookup(settings)
    now = time.time() + 60
    last = numbered(first - 1)
    name = Name(last.spectrum_id, last.digest)
    assert lookup.at(Place(topic, 0, bad[0], now), whatever_it_is) is None
    assert lookup.at(Place(topic, 0, bad[0] + RECORDS, now), whatever_it_is) is not None
    assert lookup.search([topic], name, now, spectrum_named(name), before_s=1e9) is not None
    lookup.close()
    letters = list(every_letter(settings))
    assert len(letters) == len(bad)
    assert all("not a message" in tried.not_sent for tried in plan(settings, letters, again=True))
