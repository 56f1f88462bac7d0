"""Messages that no honest telescope sends, mixed with good ones."""

from __future__ import annotations

import json
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from confluent_kafka import Producer

from spectraq.schemas import codec
from spectraq.workers.deadletters.write import HEADERS
from tests.support.feed import Feed, numbered
from tests.support.worker_log import ended, joined, wait_for

GOOD_ID = "spectrum-"
Hostile = Callable[[random.Random], bytes]
VALID = codec.encode(numbered(0))
FIELDS = {"spectrum_id": "x", "flux": [1.0, 2.0, 3.0], "loglam0": 3.6, "dloglam": 1e-4}


def as_json(**fields: object) -> bytes:
    """A spectrum in JSON with some fields changed."""
    return json.dumps({**FIELDS, **fields}).encode()


def flipped(generator: random.Random) -> bytes:
    """A good message with its frame or its length bytes broken."""
    body = bytearray(VALID)
    for _ in range(8):
        body[generator.randrange(1, 40)] ^= 1 << generator.randrange(8)
    body[0] = generator.choice([1, 7, 255])
    return bytes(body)


HOSTILE: tuple[Hostile, ...] = (
    lambda g: g.randbytes(g.randrange(1, 4000)),
    lambda g: VALID[: g.randrange(1, len(VALID) - 1)],
    lambda g: b"",
    lambda g: b"\x00" + g.randbytes(4) + VALID[5:],
    flipped,
    lambda g: b'{"flux":' + b"[" * g.randrange(200, 20_000),
    lambda g: b'{"spectrum_id": "<img src=x onerror=alert(1)>"}',
    lambda g: as_json(flux=[]),
    lambda g: as_json(flux=["NaN"] * 50),
    lambda g: as_json(loglam0=1e308),
    lambda g: as_json(dloglam=-1e-4),
    lambda g: as_json(ivar=[1.0]),
    lambda g: as_json(ivar=[0.0, 0.0, 0.0]),
    lambda g: as_json(flux="A" * (4 * g.randrange(1, 200) + 1)),
    lambda g: as_json(spectrum_id="x" * 10_000),
    lambda g: as_json(spectrum_id=["a"]),
    lambda g: as_json(ra=g.uniform(361, 1e300)),
    lambda g: as_json(medium="ether"),
    lambda g: as_json(__class__="os.system"),
    lambda g: b"\xff\xfe" + json.dumps(FIELDS).encode("utf-16"),
    lambda g: b"[" + as_json() + b"]",
    lambda g: as_json(flux=[0.0] * 200_001),
)


def mixed(hostile: int, good: int, seed: int) -> Iterator[tuple[bytes, bytes, int]]:
    """Key, body and number of headers of each, in an order that the seed decides."""
    generator = random.Random(seed)
    kinds = [False] * hostile + [True] * good
    generator.shuffle(kinds)
    numbers = iter(range(good))
    for i, is_good in enumerate(kinds):
        if is_good:
            spectrum = numbered(next(numbers))
            yield spectrum.spectrum_id.encode(), codec.encode(spectrum), 0
        elif i % 50 == 0:
            yield b"hostile-%d" % i, VALID, HEADERS + 1 + generator.randrange(200)
        else:
            # the one with too many pixels is large: once in a while is enough
            last = len(HOSTILE) - (generator.random() > 0.02)
            yield b"hostile-%d" % i, HOSTILE[generator.randrange(last)](generator), 0


def publish(feed: Feed, hostile: int, good: int) -> None:
    """Put them all into the topic."""
    options = {"linger.ms": 20, "log_level": 0, "message.max.bytes": 8 << 20}
    producer = Producer({"bootstrap.servers": feed.bootstrap_servers, **options})
    topic = feed.settings().topics.spectra
    for key, body, headers in mixed(hostile, good, seed=7):
        producer.produce(topic, key=key, value=body, headers=[("h", b"")] * headers)
        while len(producer) > 50_000:
            producer.poll(0.1)
    assert producer.flush(120) == 0


def watch(process: subprocess.Popen[str], sizes: list[int], over: threading.Event) -> None:
    """Note the memory of a process twice a second."""
    watched = psutil.Process(process.pid)
    while not over.wait(0.5):
        try:
            sizes.append(watched.memory_info().rss)
        except psutil.NoSuchProcess:
            return


@pytest.mark.parametrize(
    ("hostile", "good"),
    [(3_000, 300), pytest.param(100_000, 10_000, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])],
)
def test_hostile_messages_end_in_the_dead_letters_and_good_ones_are_answered(
    feed: Feed, processes: list[subprocess.Popen[str]], tmp_path: Path, hostile: int, good: int
) -> None:
    publish(feed, hostile, good)
    log = tmp_path / "log"
    worker = feed.worker("--until-drained", log=log, delivery="exactly_once")
    processes.append(worker)
    wait_for("the worker to join", lambda: joined(log))
    sizes: list[int] = []
    over = threading.Event()
    watcher = threading.Thread(target=watch, args=(worker, sizes, over))
    watcher.start()
    ledger = ended(worker, 1500.0)
    over.set()
    watcher.join()
    assert worker.returncode == 0
    answered = Counter(message.fields["spectrum_id"] for message in feed.read("redshifts"))
    assert answered == {f"{GOOD_ID}{i}": 1 for i in range(good)}
    letters = feed.read("dead_letters")
    assert len(letters) == hostile
    assert all((letter.key or b"").startswith(b"hostile-") for letter in letters)
    reasons = Counter(letter.fields["reason"] for letter in letters)
    assert "analysis_failed" not in reasons and "crashes" not in reasons, reasons
    early, late = np.median(sizes[len(sizes) // 4 : len(sizes) // 2]), np.median(sizes[-len(sizes) // 4 :])
    print(f"{ledger.strip()}; {dict(reasons)}; memory {early / 2**20:.0f} MiB, later {late / 2**20:.0f} MiB")
    if len(sizes) > 40:
        assert late < 1.15 * early + 16 * 2**20
