"""How long urgent spectra wait while 100,000 others do: p50, p99 and worst, with the real networks.

    python benchmarks/priority.py [--lag 100000] [--seconds 60] [--rate 10]

Kafka, the worker (two cores, the shipped ensemble, no cache) and the reader are on this machine.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from spectraq.schemas import codec
from spectraq.schemas.results import Result
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
DISTINCT = 64


def fill(settings: Settings, lag: int) -> None:
    """Publish what waits."""
    bodies = [codec.encode(spectrum) for spectrum, _ in simulated.spectra(DISTINCT, 1)]
    with Sender(settings) as publisher:
        for i in range(lag):
            publisher.send(settings.topics.spectra, b"%d" % i, bodies[i % DISTINCT])


def measure(settings: Settings, rate: float, seconds: float, delivery: str) -> list[float]:
    """Publish urgent spectra at a rate, and give the seconds from each one's publication to its redshift."""
    spectra = [spectrum for spectrum, _ in simulated.spectra(DISTINCT, 2)]
    sent: dict[str, float] = {}
    waited: list[float] = []
    end = time.monotonic() + seconds
    with Sender(settings) as publisher, Follower(settings, [settings.topics.redshifts]) as follower:
        number, due = 0, time.monotonic()
        while time.monotonic() < end or (len(waited) < number and time.monotonic() < end + 30):
            if due <= time.monotonic() < end:
                name = f"{delivery}-{number}"
                spectrum = spectra[number % DISTINCT].model_copy(update={"spectrum_id": name})
                sent[name] = time.monotonic()
                publisher.publish(spectrum, name, settings.topics.priority)
                publisher.flush()
                number, due = number + 1, due + 1 / rate
            for record in follower.poll(0.01):
                result = codec.decode(record.value, record.headers)
                if isinstance(result, Result) and result.spectrum_id in sent:
                    waited.append(time.monotonic() - sent[result.spectrum_id])
    assert len(waited) == number, f"{number - len(waited)} urgent spectra were not answered"
    return waited


def main() -> None:
    """Measure both deliveries."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lag", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, default=10.0)
    options = parser.parse_args()
    with LocalStack(load_settings().local.data) as stack:
        environment = {
            **os.environ,
            **stack.environment(),
            "SPECTRAQ_TOPICS__PRIORITY": "spectraq.spectra.urgent",
            "SPECTRAQ_REDIS__ENABLED": "false",
            "SPECTRAQ_LOG__LEVEL": "error",
        }
        os.environ.update(environment)
        settings = load_settings()
        ensure_topics(settings)
        for delivery in ("at_least_once", "exactly_once"):
            fill(settings, options.lag - group_lag(settings).lag)
            command = [SPECTRAQ, "worker", "--delivery", delivery, "--slot", delivery]
            worker = subprocess.Popen(command, env=environment)
            while (at_start := group_lag(settings).lag) >= options.lag:
                time.sleep(0.5)
            waited = measure(settings, options.rate, options.seconds, delivery)
            lag = group_lag(settings).lag
            worker.terminate()
            worker.wait()
            p50, p99 = np.percentile(waited, [50, 99])
            print(
                f"{delivery}: {len(waited)} urgent spectra at {options.rate:g}/s"
                f" while {at_start} to {lag} waited:"
                f" p50 {1000 * p50:.0f} ms, p99 {1000 * p99:.0f} ms, worst {1000 * max(waited):.0f} ms"
            )


if __name__ == "__main__":
    main()
