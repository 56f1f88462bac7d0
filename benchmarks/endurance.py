"""A worker's memory through ten minutes of ten times what it can do, and through a million spectra.

    python benchmarks/endurance.py overload [--minutes 10] [--plot docs/endurance-overload.svg]
    python benchmarks/endurance.py soak [--spectra 1000000] [--minutes 60] [--plot docs/endurance-soak.svg]

Both take `--delivery at_least_once` in place of exactly_once.

Kafka and Redis are real. The networks are not: a function of the pixels that takes a set time stands in, as
what is measured is all that is around them. At the end every spectrum is accounted for from the topics alone.

overload: spectra of 4576 pixels at 200 a second for a worker that does 20; then quick workers do the rest.
soak: spectra of 200 pixels, as fast as the worker takes them, so many or for so long.
"""

from __future__ import annotations

import argparse
import math
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import confluent_kafka
import numpy as np
import psutil
from kafka.errors import KafkaError
from plots import Panel, write

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from spectraq.schemas import codec  # noqa: E402
from spectraq.schemas.spectrum import Spectrum  # noqa: E402
from spectraq.workers.errors import UnreachableError  # noqa: E402
from spectraq.workers.local.stack import LocalStack  # noqa: E402
from spectraq.workers.settings import load_settings  # noqa: E402
from spectraq.workers.transport.lag import group_lag  # noqa: E402
from tests.support.feed import Feed, numbered  # noqa: E402
from tests.support.foreign import KINDS  # noqa: E402

SAMPLE_S = 2.0
PIXELS = 4576
SLOW_S, RATE = 0.05, 200.0
AHEAD = 20_000
MIB = 2**20


@dataclass
class Watch(threading.Thread):
    """Notes a worker's memory and the lag, every two seconds."""

    feed: Feed
    process: subprocess.Popen[str]
    over: threading.Event = field(default_factory=threading.Event)
    seconds: list[float] = field(default_factory=list)
    resident: list[int] = field(default_factory=list)
    lag: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        """Note."""
        begun, watched = time.monotonic(), psutil.Process(self.process.pid)
        while not self.over.wait(SAMPLE_S):
            try:
                resident, lag = watched.memory_info().rss, group_lag(self.feed.settings()).lag
            except psutil.NoSuchProcess:
                return
            except (UnreachableError, KafkaError):
                continue  # a broker that is too busy once in a while is no end of the watch
            self.seconds.append(time.monotonic() - begun)
            self.resident.append(resident)
            self.lag.append(lag)

    def plot(self, path: Path) -> None:
        """Draw both curves."""
        minutes = [second / 60 for second in self.seconds]
        top, most = 1.3 * max(self.resident) / MIB, max(1.0, 1.1 * max(self.lag))
        end = round(minutes[-1], 1)
        memory = Panel("memory of the worker", (0, end), (0, round(top, -1)), "minutes", "MiB")
        memory.line([(x, y / MIB) for x, y in zip(minutes, self.resident, strict=True)], "#0a6")
        lag = Panel("lag", (0, end), (0, round(most, -2)), "minutes", "spectra")
        lag.line([(x, float(y)) for x, y in zip(minutes, self.lag, strict=True)], "#36c")
        write(path, [[memory, lag]])

    def said(self) -> str:
        """Say memory early and late, in words."""
        quarter = max(1, len(self.resident) // 4)
        early = np.median(self.resident[quarter : 2 * quarter]) / MIB
        late = np.median(self.resident[-quarter:]) / MIB
        highest = max(self.resident) / MIB
        return (
            f"memory {early:.0f} MiB in the second quarter, {late:.0f} MiB in the last, "
            f"{highest:.0f} MiB at most; lag {max(self.lag)} at most"
        )


def large(number: int) -> Spectrum:
    """A spectrum as large as one of SDSS, with a flux of its own."""
    flux = np.full(PIXELS, 5.0, np.float32)
    flux[number % PIXELS] += number
    return Spectrum(spectrum_id=f"spectrum-{number}", flux=flux, loglam0=3.58, dloglam=1e-4)


def producer(feed: Feed) -> confluent_kafka.Producer:
    """A feed that waits for every acknowledgement."""
    options = {"acks": "all", "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
    return confluent_kafka.Producer({"bootstrap.servers": feed.bootstrap_servers, **options})


def overload(feed: Feed, seconds: float, delivery: str, folder: Path) -> tuple[Watch, int]:
    """Feed ten times what the worker does; gives what was noted and how many there were."""
    worker = feed.worker("--seconds", str(SLOW_S), log=folder / "slow.log", delivery=delivery)
    watch = Watch(feed, worker)
    watch.start()
    client, topic = producer(feed), feed.settings().topics.spectra
    begun, sent = time.monotonic(), 0
    while time.monotonic() - begun < seconds:
        spectrum = large(sent)
        client.produce(topic, key=spectrum.spectrum_id.encode(), value=codec.encode(spectrum))
        client.poll(0)
        sent += 1
        time.sleep(max(begun + sent / RATE - time.monotonic(), 0))
    assert client.flush(60) == 0
    watch.over.set()
    watch.join()
    worker.terminate()
    worker.communicate(timeout=60)
    quick = [
        feed.worker("--until-drained", log=folder / f"{n}.log", slot=f"quick-{n}", delivery=delivery)
        for n in range(2)
    ]
    for process in quick:
        process.communicate()
    return watch, sent


def soak(feed: Feed, spectra: int, seconds: float, delivery: str, folder: Path) -> tuple[Watch, int]:
    """Feed as fast as the worker takes them; gives what was noted and how many there were."""
    worker = feed.worker(log=folder / "worker.log", delivery=delivery)
    watch = Watch(feed, worker)
    watch.start()
    client, topic = producer(feed), feed.settings().topics.spectra
    begun, sent = time.monotonic(), 0
    while sent < spectra and time.monotonic() - begun < seconds:
        spectrum = numbered(sent)
        client.produce(topic, key=spectrum.spectrum_id.encode(), value=codec.encode(spectrum))
        client.poll(0)
        sent += 1
        while sent % 1000 == 0 and watch.lag and watch.lag[-1] > AHEAD:
            time.sleep(SAMPLE_S)
    assert client.flush(60) == 0
    while group_lag(feed.settings()).lag:
        time.sleep(SAMPLE_S)
    watch.over.set()
    watch.join()
    worker.terminate()
    worker.communicate(timeout=60)
    return watch, sent


def times_answered(feed: Feed, topic: str, spectra: int) -> np.ndarray:
    """How often each spectrum is on a topic, by the keys alone."""
    options = {
        "group.id": uuid.uuid4().hex,
        "enable.partition.eof": True,
        "isolation.level": "read_committed",
    }
    client = confluent_kafka.Consumer({"bootstrap.servers": feed.bootstrap_servers, **options})
    partitions = client.list_topics(topic, 10).topics[topic].partitions
    client.assign([confluent_kafka.TopicPartition(topic, n, 0) for n in partitions])
    counts, ends = np.zeros(spectra, int), 0
    while ends < len(partitions):
        for message in client.consume(5000, 1.0):
            if message.error():
                ends += 1
            else:
                counts[int(message.key().removeprefix(b"spectrum-"))] += 1
    client.close()
    return counts


def main() -> None:
    """Measure one of the two, and account for everything."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("overload", "soak"))
    parser.add_argument("--minutes", type=float, help="of feeding; 10 of overload, and without end of soak")
    parser.add_argument("--spectra", type=int, default=1_000_000)
    parser.add_argument("--delivery", choices=("at_least_once", "exactly_once"), default="exactly_once")
    parser.add_argument("--plot", type=Path)
    wanted = parser.parse_args()
    with LocalStack(load_settings().local.data) as stack, tempfile.TemporaryDirectory() as folder:
        feed = Feed(stack.bootstrap_servers, stack.redis_url)
        begun = time.monotonic()
        if wanted.what == "overload":
            watch, sent = overload(feed, 60 * (wanted.minutes or 10), wanted.delivery, Path(folder))
            title = f"{RATE:.0f} a second for a worker that does {1 / SLOW_S:.0f}"
        else:
            seconds = 60 * wanted.minutes if wanted.minutes else math.inf
            watch, sent = soak(feed, wanted.spectra, seconds, wanted.delivery, Path(folder))
            title = f"{sent} spectra at {sent / (time.monotonic() - begun):.0f} a second"
        print(f"{wanted.what}, {wanted.delivery}, {title}: {watch.said()}")
        for kind in (*KINDS, "dead_letters"):
            counts = times_answered(feed, getattr(feed.settings().topics, kind), sent)
            once, more, not_at_all = (int(n.sum()) for n in (counts == 1, counts > 1, counts == 0))
            print(f"{kind}: {once} of {sent} spectra once, {more} more than once, {not_at_all} not")
        if wanted.plot:
            watch.plot(wanted.plot)


if __name__ == "__main__":
    main()
