"""A night at the telescope: spectra come at a rate, workers that die are started again, and things fail."""

from __future__ import annotations

import random
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from tests.support.accounts import Accounts, draw_up
from tests.support.feed import Feed, numbered
from tests.support.worker_log import joined, wait_for

RESTART_S = 0.3
"""A pod that ended is started again after this."""
FEEDING_S = 60.0
LAST_WORD_S = 120.0


class Night:
    """Workers and a feed, on a stack that somebody else breaks.

    Parameters
    ----------
    feed
        Topics of this night.
    folder
        Of the workers' logs.
    workers
        Slots that workers are kept running in.
    seed
        Of every moment and every choice.
    arguments
        Of each worker process.
    settings
        `worker` settings of each.
    """

    def __init__(
        self,
        feed: Feed,
        folder: Path,
        *,
        workers: int = 2,
        seed: int = 0,
        arguments: Sequence[str] = ("--seconds", "0.002"),
        **settings: Any,
    ) -> None:
        self.feed = feed
        self.random = random.Random(seed)
        self.happened: Counter[str] = Counter()
        self.published = 0
        self._folder = folder
        self._arguments = tuple(arguments)
        self._settings = settings
        self._wanted = set(range(workers))
        self._stopped: set[int] = set()
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._unfed: list[str] = []
        self._enough = threading.Event()
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._feeding: threading.Thread | None = None
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def __enter__(self) -> Night:
        with self._lock:
            for slot in self._wanted:
                self._start(slot)
        for slot in self._wanted:
            wait_for("the workers to join", lambda slot=slot: joined(self.log(slot)))
        self._supervisor.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._supervisor.join()
        for process in self._running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.communicate()

    # -- what is fed ---------------------------------------------------------------------------------------

    def feed_at(self, rate: float, spectra: int, change: Callable[[int], Spectrum] = numbered) -> None:
        """Publish numbered spectra at a rate, while other things happen."""
        self.published = spectra
        self._feeding = threading.Thread(target=self._feed, args=(rate, spectra, change), daemon=True)
        self._feeding.start()

    def end_feed(self) -> None:
        """Publish no more than what has been published by now."""
        self._enough.set()

    def _feed(self, rate: float, spectra: int, change: Callable[[int], Spectrum]) -> None:
        options: dict[str, Any] = {"acks": "all", "enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        # the partitioner of our own producers: a result is on the partition that its spectrum was on
        options["partitioner"] = "murmur2_random"
        # librdkafka: a feed that is not ours, and that outlives a broker
        producer = Producer({"bootstrap.servers": self.feed.bootstrap_servers, **options})
        topic = self.feed.settings().topics.spectra
        begun = time.monotonic()
        for i in range(spectra):
            if self._over.wait(max(begun + i / rate - time.monotonic(), 0)):
                return
            if self._enough.is_set():
                self.published = i
                break
            self._produce(producer, topic, change(i))
        if left := producer.flush(FEEDING_S):
            self._unfed.append(f"{left} were not acknowledged")

    def _produce(self, producer: Producer, topic: str, spectrum: Spectrum) -> None:
        """Hand a spectrum over; while the broker is away, librdkafka may forget that the topic exists."""
        key, value = spectrum.spectrum_id.encode(), codec.encode(spectrum)
        for _ in range(round(FEEDING_S / RESTART_S)):
            try:
                producer.produce(topic, key=key, value=value, on_delivery=self._acknowledged)
                producer.poll(0)
                return
            except (KafkaException, BufferError) as error:
                refused = str(error)
                producer.poll(RESTART_S)
        self._unfed.append(refused)

    def _acknowledged(self, error: KafkaError | None, _: object) -> None:
        if error:
            self._unfed.append(str(error))

    # -- what fails ----------------------------------------------------------------------------------------

    def log(self, slot: int) -> Path:
        """Log of a slot; all workers that were in it wrote there."""
        return self._folder / f"{slot}.log"

    def kill(self, how_many: int = 1) -> None:
        """Kill some workers with SIGKILL, at once."""
        with self._lock:
            alive = [slot for slot in sorted(self._running) if self._running[slot].poll() is None]
            for slot in self.random.sample(alive, min(how_many, len(alive))):
                self._running[slot].kill()
        self.happened["kill -9"] += how_many

    def stand_still(self, seconds: float) -> None:
        """Stop a worker with SIGSTOP, and let it go on later."""
        with self._lock:
            process = self._running[self.random.choice(sorted(self._running))]
            process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        process.send_signal(signal.SIGCONT)
        self.happened["standstill"] += 1

    def leave(self) -> None:
        """Have one worker stop as a pod does that is scaled away."""
        with self._lock:
            slot = self.random.choice(sorted(self._wanted))
            self._wanted.discard(slot)
            self._running[slot].send_signal(signal.SIGTERM)
        self.happened["left"] += 1

    def join(self) -> None:
        """Start one more worker."""
        with self._lock:
            slot = next(n for n in range(100) if n not in self._running and n not in self._wanted)
            self._wanted.add(slot)
            self._start(slot)
        self.happened["joined"] += 1

    def wait(self, low: float, high: float) -> None:
        """Let a time pass that the seed decides."""
        time.sleep(self.random.uniform(low, high))

    # -- how it ends ---------------------------------------------------------------------------------------

    def accounts(self, within_s: float = LAST_WORD_S) -> Accounts:
        """Wait until every spectrum is accounted for, or for so long, and draw up the ledger."""
        assert self._feeding is not None
        self._feeding.join(within_s)
        assert not self._feeding.is_alive() and not self._unfed, (
            f"the feed itself did not get its spectra into Kafka: {self._unfed[:3]}"
        )
        deadline = time.monotonic() + within_s
        while (found := draw_up(self.feed, self.published)).missing and time.monotonic() < deadline:
            time.sleep(0.5)
        faults = ", ".join(f"{what} {n}" for what, n in sorted(self.happened.items()))
        print(f"{self._settings.get('delivery')}: {found}; {faults or 'no faults'}")
        return found

    def restarts(self) -> int:
        """How often the supervisor had to start a worker again."""
        return self.happened["restarted"]

    def _start(self, slot: int) -> None:
        name = f"{self.feed.name}-{slot}"
        self._running[slot] = self.feed.worker(
            *self._arguments, log=self.log(slot), **{**self._settings, "slot": name}
        )

    def _supervise(self) -> None:
        while not self._over.wait(RESTART_S):
            with self._lock:
                for slot, process in list(self._running.items()):
                    if process.poll() is None:
                        continue
                    process.communicate()
                    del self._running[slot]
                    if slot in self._wanted:
                        self.happened["restarted"] += 1
                        self._start(slot)
