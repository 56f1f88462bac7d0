"""What a survey's nights take: cores, workers, partitions, brokers, disk and money.

    python benchmarks/scale.py [--spectra 1500] [--core-hour 0.0425] [--gpu-hour 5.41] [--gigabyte-month 0.08]

Two things are measured here, with measurements and without: spectra a second of one and of two workers with
one core each, with the shipped networks, real Kafka and spectra of 3800 to 4600 pixels; and what one spectrum
and its results take on a broker's disk. The rest is arithmetic, whose assumptions are the constants below.
"""

from __future__ import annotations

import argparse
import math
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from spectraq.schemas import codec
from spectraq.workers.cli.terminal import print_table
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
DISTINCT = 256
WARM = 128
"""Spectra that each worker has answered before the clock runs: it starts, and its processes with it."""

BUSY = 0.7
"""The part of its time that a worker may work at the busiest hour, so that a lag is caught up with."""
WORKER_CORES = 2
LEAST_PARTITIONS = 4
REPLICAS = 3
BROKER_MB_S = 50.0
"""What a broker writes and sends at most, replicas and readers counted: a modest disk and network."""
READERS = 3
"""Groups that read the results: an archive, a broker of alerts, the page."""
GPU_S = 0.56e-3
"""Seconds a spectrum on an NVIDIA H200 in batches of 256, without measurements (docs/science.md)."""


@dataclass(frozen=True)
class Load:
    """Spectra that come within some hours, and how long their topics are kept."""

    name: str
    spectra: float
    hours: float
    kept_days: float

    @property
    def rate(self) -> float:
        """Spectra a second."""
        return self.spectra / (3600 * self.hours)


LOADS = (
    Load("4MOST, a night", 4e4, 10, 7),
    Load("DESI, a night", 2e5, 10, 7),
    Load("a burst of alerts, 250/s for an hour", 9e5, 1, 7),
    Load("an archive of 40 million in a week", 4e7, 24 * 7, 2),
    Load("10^9 in a quarter of a year", 1e9, 24 * 91, 2),
)


@dataclass(frozen=True)
class Measured:
    """What one run on this machine says of one way to run workers."""

    a_second: float  # of one worker with one core
    of_two: float  # of two of them together
    bytes_in: float  # a spectrum on its topic
    bytes_out: float  # its results on theirs


def measure(stack: LocalStack, spectra: int, measurements: bool) -> Measured:
    """Return what one and two workers do with a backlog."""
    rates, sizes = [], (0.0, 0.0)
    for workers in (1, 2):
        name = uuid.uuid4().hex[:8]
        settings = settings_of(stack, name, measurements)
        ensure_topics(settings)
        running = [start(settings, name, slot, measurements) for slot in range(workers)]
        fill(settings, WARM * workers)
        drain(settings)
        fill(settings, spectra * workers)
        begin = time.perf_counter()
        drain(settings)
        rates.append(spectra * workers / (time.perf_counter() - begin))
        for worker in running:
            worker.terminate()
        for worker in running:
            worker.wait()
        sizes = on_disk(stack, settings, (spectra + WARM) * workers)
    return Measured(rates[0], rates[1], *sizes)


def settings_of(stack: LocalStack, name: str, measurements: bool) -> Settings:
    """Return settings with topics and a group of their own."""
    return load_settings(
        kafka={"bootstrap_servers": stack.bootstrap_servers, "group_id": name},
        topics={kind: f"{name}.{kind}" for kind in Topics.kinds()} | {"partitions": LEAST_PARTITIONS},
        redis={"enabled": False},
        worker={"publish_measurements": measurements},
    )


def start(settings: Settings, name: str, slot: int, measurements: bool) -> subprocess.Popen[str]:
    """Start a worker with one core."""
    topics = {f"SPECTRAQ_TOPICS__{kind.upper()}": f"{name}.{kind}" for kind in Topics.kinds()}
    environment = (
        os.environ
        | topics
        | {
            "SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
            "SPECTRAQ_KAFKA__GROUP_ID": name,
            "SPECTRAQ_REDIS__ENABLED": "false",
            "SPECTRAQ_LOG__LEVEL": "error",
            "SPECTRAQ_WORKER__THREADS": "1",
            "SPECTRAQ_WORKER__PUBLISH_MEASUREMENTS": str(measurements).lower(),
        }
    )
    command = [SPECTRAQ, "worker", "--delivery", "exactly_once", "--slot", f"{name}-{slot}"]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.DEVNULL)


def fill(settings: Settings, spectra: int) -> None:
    """Publish simulated spectra, spread over the partitions."""
    bodies = [codec.encode(spectrum) for spectrum, _ in simulated.spectra(DISTINCT, 1)]
    with Sender(settings) as sender:
        for number in range(spectra):
            sender.send(settings.topics.spectra, b"%d" % number, bodies[number % DISTINCT])


def drain(settings: Settings) -> None:
    """Wait until everything is answered."""
    while group_lag(settings).lag:
        time.sleep(0.1)


def on_disk(stack: LocalStack, settings: Settings, spectra: int) -> tuple[float, float]:
    """Return the bytes that a spectrum takes in the broker's logs, and its results."""
    sizes = dict.fromkeys(Topics.kinds(), 0)
    for path in stack.folder.rglob("*.log"):
        for kind in sizes:
            if path.parent.name.startswith(f"{getattr(settings.topics, kind)}-"):
                sizes[kind] += path.stat().st_size
    spectrum = sizes.pop("spectra")
    return spectrum / spectra, sum(sizes.values()) / spectra


def rows(measured: Measured, core_hour: float, gigabyte_month: float) -> Iterator[list[str]]:
    """Yield what each load takes."""
    for load in LOADS:
        cores = load.rate / measured.a_second / BUSY
        workers = math.ceil(cores / WORKER_CORES)
        partitions = max(LEAST_PARTITIONS, 2 ** math.ceil(math.log2(2 * workers)))
        written = load.rate * (measured.bytes_in + measured.bytes_out) * REPLICAS / 1e6
        sent = load.rate * (measured.bytes_in + READERS * measured.bytes_out) / 1e6
        brokers = max(REPLICAS, math.ceil((written + sent) / BROKER_MB_S))
        total_gb = load.spectra * (measured.bytes_in + measured.bytes_out) / 1e9
        held_gb = total_gb * REPLICAS * min(1.0, load.kept_days * 24 / load.hours)
        core_hours = load.spectra / measured.a_second / BUSY / 3600
        disk = held_gb * gigabyte_month * max(load.kept_days, load.hours / 24) / 30
        million = 1e6 / load.spectra
        yield [
            load.name,
            f"{load.rate:.3g}",
            f"{cores:.2g}",
            str(workers),
            str(partitions),
            str(brokers),
            f"{total_gb:,.0f}",
            f"{held_gb:,.0f}",
            f"{core_hours * core_hour * million:.2f}",
            f"{disk * million:.2f}",
        ]


HEAD = ("load", "a second#", "cores#", "workers#", "partitions#", "brokers#", "GB#", "GB held#")
MONEY = ("$ a million, cores#", "disk#")


def main() -> None:
    """Measure, and print a table for each way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--spectra", type=int, default=1500, help="that each worker is given")
    parser.add_argument("--core-hour", type=float, default=0.0425, help="price of a core for an hour")
    parser.add_argument("--gpu-hour", type=float, default=5.41, help="price of an H200 for an hour")
    parser.add_argument("--gigabyte-month", type=float, default=0.08)
    options = parser.parse_args()
    with LocalStack(load_settings().local.data) as stack:
        for measurements in (False, True):
            measured = measure(stack, options.spectra, measurements)
            print(
                f"{'with' if measurements else 'without'} measurements:"
                f" one worker with one core {measured.a_second:.0f}/s, two {measured.of_two:.0f}/s"
                f" ({measured.of_two / measured.a_second:.2f} times);"
                f" {measured.bytes_in:.0f} bytes a spectrum, {measured.bytes_out:.0f} its results"
            )
            print_table(HEAD + MONEY, list(rows(measured, options.core_hour, options.gigabyte_month)))
    print(f"a GPU, without measurements: $ {options.gpu_hour * GPU_S / BUSY * 1e6 / 3600:.2f} a million")


if __name__ == "__main__":
    main()
