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
from latency import told, waited_s

from spectraq.schemas import codec
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
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
            times = np.arange(0, options.seconds, 1 / options.rate)
            waited = waited_s(
                settings, settings.topics.priority, [settings.topics.redshifts], times, delivery
            )
            lag = group_lag(settings).lag
            worker.terminate()
            worker.wait()
            print(
                f"{delivery}: {len(waited)} urgent spectra at {options.rate:g}/s"
                f" while {at_start} to {lag} waited: {told(waited, len(times))}"
            )


if __name__ == "__main__":
    main()
