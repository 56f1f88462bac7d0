"""How soon results come again after a fault has ended: p50 and worst by kind of fault.

    python benchmarks/recovery.py [--rounds 5]

Two workers, networks that answer at once, spectra at 50 a second. The time runs from the end of the fault (a
kill, the broker's restart, SIGCONT) until every partition has had a redshift again; the session lasts 6 s.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import confluent_kafka  # noqa: E402

from spectraq.workers.local.stack import LocalStack  # noqa: E402
from spectraq.workers.settings import load_settings  # noqa: E402
from tests.support.feed import Feed  # noqa: E402
from tests.support.night import Night  # noqa: E402

MODES = ("at_least_once", "exactly_once")
RATE = 50.0
SETTLED_S = 4.0
PATIENCE_S = 60.0


class Reader:
    """Says when every partition of the redshifts has had a result after a moment.

    A result is on the partition that its spectrum was on, so one that the fault had stopped shows.
    """

    def __init__(self, feed: Feed) -> None:
        self._client = confluent_kafka.Consumer(
            {
                "bootstrap.servers": feed.bootstrap_servers,
                "group.id": "reader",
                "isolation.level": "read_committed",
                "auto.offset.reset": "latest",
                "fetch.wait.max.ms": 10,
                "log_level": 0,
            }
        )
        topic = feed.settings().topics.redshifts
        partitions = self._client.list_topics(topic, 10).topics[topic].partitions
        self._partitions = set(partitions)
        self._client.assign(
            [confluent_kafka.TopicPartition(topic, n, confluent_kafka.OFFSET_END) for n in partitions]
        )

    def drain(self) -> None:
        """Forget what has come so far."""
        while self._client.consume(500, 0.05):
            pass

    def all_partitions_again(self, since: float) -> float:
        """Seconds from a moment until each partition has had a result."""
        waiting = set(self._partitions)
        while waiting:
            assert time.monotonic() - since < PATIENCE_S, "no results any more"
            for message in self._client.consume(100, 0.02):
                if not message.error():
                    waiting.discard(message.partition())
        return time.monotonic() - since

    def close(self) -> None:
        """Let go of the client."""
        self._client.close()


def faults(night: Night, stack: LocalStack) -> dict[str, Callable[[], float]]:
    """Kinds of fault; each returns the moment when it ended."""

    def kill_one() -> float:
        night.kill()
        return time.monotonic()

    def kill_both() -> float:
        night.kill(2)
        return time.monotonic()

    def standstill() -> float:
        night.stand_still(8.0)
        return time.monotonic()

    def broker_killed() -> float:
        stack.kafka.kill()
        time.sleep(2.0)
        stack.kafka.start()
        return time.monotonic()

    def broker_frozen() -> float:
        stack.kafka.child.freeze()
        time.sleep(3.0)
        stack.kafka.child.thaw()
        return time.monotonic()

    def redis_frozen() -> float:
        stack.redis.child.freeze()
        time.sleep(2.0)
        stack.redis.child.thaw()
        return time.monotonic()

    return {
        "kill -9 of one worker": kill_one,
        "kill -9 of both": kill_both,
        "SIGSTOP for 8 s, then SIGCONT": standstill,
        "broker killed and started": broker_killed,
        "broker frozen for 3 s": broker_frozen,
        "Redis frozen for 2 s": redis_frozen,
    }


def main() -> None:
    """Measure every kind in both modes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    for delivery in MODES:
        with LocalStack(load_settings().local.data) as stack, tempfile.TemporaryDirectory() as folder:
            feed = Feed(stack.bootstrap_servers, stack.redis_url)
            with Night(feed, Path(folder), workers=2, delivery=delivery, batch_spectra=16) as night:
                night.feed_at(RATE, 10**6)
                reader = Reader(feed)
                for name, fault in faults(night, stack).items():
                    times = []
                    for _ in range(rounds):
                        time.sleep(SETTLED_S)
                        reader.drain()
                        times.append(reader.all_partitions_again(fault()))
                    print(
                        f"{delivery}, {name}: p50 {statistics.median(times):.2f} s, worst {max(times):.2f} s"
                        f" of {rounds}",
                        flush=True,
                    )
                reader.close()


if __name__ == "__main__":
    main()
