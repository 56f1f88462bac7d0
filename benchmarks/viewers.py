"""What many viewers cost: the server's memory, what each viewer gets, and the pace of a worker beside them.

    python benchmarks/viewers.py [--quick] [--rate 200] [--viewers 50]

One run on real Kafka. A real worker has more spectra than it can take while results of a large group pour in.
The viewers watch for five minutes; then they come and go in turns of 8 s, and the worker's pace with them is
divided by its pace without. `--quick` takes a tenth of the time.
"""

from __future__ import annotations

import argparse
import os
import selectors
import signal
import socket
import statistics
import subprocess
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
from page import SPECTRAQ, Answers, served

from spectraq.schemas import codec
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

WAITING = 400
"""Spectra that always wait for the worker."""
NAME = b"load-00000000"
KEEP = 5000
"""Results that the page keeps here: few, so that they are full before memory is measured."""
TURN_S = 8.0
PAIRS = 16
SETTLE_S = 2.0


class Viewers:
    """Browsers' worth of connections that read the stream of frames, all in one thread.

    Parameters
    ----------
    address
        The page.
    n
        How many.
    """

    def __init__(self, address: str, n: int) -> None:
        place = urllib.parse.urlparse(address)
        request = f"GET /api/stream HTTP/1.1\r\nHost: {place.netloc}\r\n\r\n".encode()
        self.frames = [0] * n
        self.longest_s = 0.0
        self._selector = selectors.DefaultSelector()
        for number in range(n):
            connection = socket.create_connection((place.hostname, place.port))
            connection.sendall(request)
            self._selector.register(connection, selectors.EVENT_READ, number)
        self._last = [time.monotonic()] * n
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            for key, _ in self._selector.select(0.5):
                new = key.fileobj.recv(1 << 18).count(b"event: frame")  # type: ignore[union-attr]
                if new:
                    now = time.monotonic()
                    self.longest_s = max(self.longest_s, now - self._last[key.data])
                    self._last[key.data] = now
                    self.frames[key.data] += new

    def leave(self) -> None:
        """Close all connections."""
        self._stop.set()
        self._thread.join()
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()


class Load(threading.Thread):
    """Keeps spectra waiting for the worker, each with a name of its own."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(daemon=True)
        self.stop = threading.Event()
        self._settings = settings
        self._made = [
            codec.encode(spectrum.model_copy(update={"spectrum_id": NAME.decode()}))
            for spectrum, _ in simulated.spectra(100, 3)
        ]

    def run(self) -> None:
        """Publish whenever fewer wait than should."""
        topic, sent = self._settings.topics.spectra, 0
        with Sender(self._settings) as publisher:
            while not self.stop.is_set():
                for _ in range(max(0, WAITING - group_lag(self._settings).lag)):
                    name = b"load-%08d" % sent
                    publisher.send(topic, name, self._made[sent % len(self._made)].replace(NAME, name))
                    sent += 1
                publisher.flush()
                self.stop.wait(1.0)


@contextmanager
def worker(environment: dict[str, str]) -> Iterator[None]:
    """Run a worker without a cache, for which every spectrum is new."""
    given = {"REDIS__ENABLED": "false", "WORKER__THREADS": "1", "LOG__LEVEL": "error"}
    variables = os.environ | environment | {f"SPECTRAQ_{name}": value for name, value in given.items()}
    with subprocess.Popen([SPECTRAQ, "worker"], env=variables) as process:
        yield
        process.send_signal(signal.SIGTERM)


def done(settings: Settings) -> int:
    """Spectra that the worker has committed."""
    return sum(partition.committed or 0 for partition in group_lag(settings).partitions)


def pace(settings: Settings, seconds: float) -> float:
    """Spectra a second that the worker answers."""
    before, start = done(settings), time.monotonic()
    time.sleep(seconds)
    return (done(settings) - before) / (time.monotonic() - start)


def watched(address: str, process: psutil.Process, n: int, seconds: float) -> None:
    """Memory, share of a core and frames of each viewer while they all watch."""
    viewers = Viewers(address, n)
    time.sleep(SETTLE_S)
    viewers.longest_s, before = 0.0, list(viewers.frames)
    memory, busy, start = [], sum(process.cpu_times()[:2]), time.monotonic()
    while time.monotonic() - start < seconds:
        time.sleep(1)
        memory.append(process.memory_info().rss / 2**20)
    spent = time.monotonic() - start
    got = [(after - first) / spent for after, first in zip(viewers.frames, before, strict=True)]
    core = (sum(process.cpu_times()[:2]) - busy) / spent
    viewers.leave()
    part = max(1, len(memory) // 5)
    fifths = [f"{statistics.median(memory[i * part : (i + 1) * part]):.0f}" for i in range(5)]
    print(
        f"{n} viewers for {spent:.0f} s: {min(got):.2f} to {max(got):.2f} frames a second each, longest wait "
        f"{viewers.longest_s:.1f} s; the server took {core:.2f} of a core; its memory by fifths of the "
        f"time {', '.join(fifths)} MiB",
        flush=True,
    )


def turns(address: str, settings: Settings, n: int, pairs: int) -> None:
    """The worker's pace with and without viewers, in turns; which comes first alternates."""
    paces: dict[bool, list[float]] = {True: [], False: []}
    for pair in range(pairs):
        for there in (pair % 2 == 0, pair % 2 == 1):
            viewers = Viewers(address, n) if there else None
            time.sleep(SETTLE_S)
            paces[there].append(pace(settings, TURN_S))
            if viewers:
                viewers.leave()
    ratios = [a / b for a, b in zip(paces[True], paces[False], strict=True)]
    mean = {there: statistics.mean(found) for there, found in paces.items()}
    print(
        f"the worker, spectra a second: {mean[True]:.1f} with {n} viewers, {mean[False]:.1f} without; "
        f"ratio {mean[True] / mean[False]:.3f}, of {pairs} pairs of turns the median "
        f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
    )


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--viewers", type=int, default=50)
    options = parser.parse_args()
    share = 0.1 if options.quick else 1.0
    with LocalStack(load_settings().local.data) as stack:
        settings = load_settings(
            kafka={"bootstrap_servers": stack.bootstrap_servers}, redis={"url": stack.redis_url}
        )
        ensure_topics(settings)
        threads = [Answers(settings, options.rate), Load(settings)]
        for thread in threads:
            thread.start()
        page = served(stack.environment(), "--keep", str(KEEP))
        with worker(stack.environment()), page as (url, process):
            time.sleep(KEEP / options.rate + 10)
            watched(url, process, 1, 60 * share)
            watched(url, process, options.viewers, 300 * share)
            turns(url, settings, options.viewers, max(2, int(PAIRS * share)))
            for thread in threads:
                thread.stop.set()
                thread.join()


if __name__ == "__main__":
    main()
