"""A worker's memory after 2,000 and after 20,000 spectra: it must not grow with what it has seen."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import psutil

from spectraq.schemas import codec
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.child import Child
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.sender import Sender

EARLY, LATE = 2_000, 20_000
DISTINCT = 200
AHEAD = 1_000
SPECTRAQ = Path(sys.executable).parent / "spectraq"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--early", type=int, default=EARLY)
    parser.add_argument("--late", type=int, default=LATE)
    wanted = parser.parse_args()
    bodies = [codec.encode(spectrum) for spectrum, _ in simulated.spectra(DISTINCT)]
    with LocalStack(load_settings().local.data) as stack:
        settings = load_settings(
            kafka={"bootstrap_servers": stack.bootstrap_servers}, redis={"enabled": False}
        )
        # Without the cache every spectrum goes through the networks, repeated ones too.
        environment = {**stack.environment(), "SPECTRAQ_REDIS__ENABLED": "false"}
        worker = Child("worker", [str(SPECTRAQ), "worker"], stack.folder, environment)
        early = resident_after(wanted.early, 0, bodies, settings, worker)
        late = resident_after(wanted.late, wanted.early, bodies, settings, worker)
        worker.stop()
    print(f"{wanted.early} spectra: {early / 2**20:.0f} MiB; {wanted.late}: {late / 2**20:.0f} MiB")
    print(f"ratio {late / early:.3f} (at most 1.1 wanted) on {os.cpu_count()} cores")


def resident_after(n: int, done: int, bodies: list[bytes], settings: Settings, worker: Child) -> int:
    """Feed the worker up to n spectra in all, and give its resident memory when it has answered them."""
    with Sender(settings) as publisher:
        for number in range(done, n):
            publisher.send(settings.topics.spectra, str(number).encode(), bodies[number % len(bodies)])
            if number % AHEAD == 0:
                wait_until_lag(AHEAD, settings, worker)
    wait_until_lag(0, settings, worker)
    resident: int = psutil.Process(worker.process.pid).memory_info().rss
    return resident


def wait_until_lag(lag: int, settings: Settings, worker: Child) -> None:
    while group_lag(settings).lag > lag:
        worker.require_running()
        time.sleep(0.5)


if __name__ == "__main__":
    main()
