"""How long a spectrum in a quiet stream waits for its results: p50, p99 and worst at 1, 20 and 200 a second.

    python benchmarks/latency.py [--seconds 30] [--rates 1,20,200] [--measurements]

From the append of a spectrum to the last of its results, as a reader of committed messages sees them.
Spectra come at random, as from many telescopes. Kafka, the worker (all cores, the shipped ensemble, no cache)
and the reader are on this machine. Rates that the worker can't answer are named with what was left waiting.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from spectraq.schemas import codec
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.lag import group_lag
from spectraq.workers.transport.sender import Sender
from spectraq.workers.transport.topics import ensure_topics

SPECTRAQ = str(Path(sys.executable).parent / "spectraq")
DISTINCT = 64
PATIENCE_S = 30


def waited_s(
    settings: Settings, topic: str, results: Sequence[str], times: np.ndarray, prefix: str
) -> list[float]:
    """Return the seconds from each spectrum's publication to the last of its results.

    Parameters
    ----------
    topic
        Where the spectra are published.
    results
        The topics that each of them must have a result on.
    times
        When, in seconds from now; ascending.
    prefix
        Of the names of the spectra, so that no earlier one's results count.
    """
    spectra = [spectrum for spectrum, _ in simulated.spectra(DISTINCT, 2)]
    sent: dict[str, float] = {}
    seen: Counter[str] = Counter()
    waited: list[float] = []
    with Sender(settings) as sender, Follower(settings, results) as follower:
        started = time.monotonic()
        while len(waited) < len(times) and time.monotonic() < started + times[-1] + PATIENCE_S:
            while len(sent) < len(times) and time.monotonic() >= started + times[len(sent)]:
                name = f"{prefix}-{len(sent)}"
                spectrum = spectra[len(sent) % DISTINCT].model_copy(update={"spectrum_id": name})
                sent[name] = time.monotonic()
                sender.publish(spectrum, name, topic)
                sender.flush()
            for record in follower.poll(0.002):
                name = getattr(codec.decode(record.value, record.headers), "spectrum_id", "")
                seen[name] += name in sent
                if name in sent and seen[name] == len(results):
                    waited.append(time.monotonic() - sent[name])
    return waited


def told(waited: Sequence[float], of: int) -> str:
    """Return percentiles in words."""
    if not waited:
        return f"none of {of} answered"
    p50, p99 = 1000 * np.percentile(waited, [50, 99])
    missing = f", {of - len(waited)} not answered in time" if len(waited) < of else ""
    return f"p50 {p50:.0f} ms, p99 {p99:.0f} ms, worst {1000 * max(waited):.0f} ms{missing}"


def answered_first(settings: Settings, topics: Sequence[str]) -> None:
    """Wait until the worker has answered a spectrum."""
    begin = time.monotonic()
    while not waited_s(settings, settings.topics.spectra, topics, np.zeros(1), uuid.uuid4().hex):
        assert time.monotonic() < begin + 2 * PATIENCE_S, "the worker answers nothing"


def main() -> None:
    """Measure both deliveries at each rate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--rates", default="1,20,200")
    parser.add_argument(
        "--measurements", action="store_true", help="with measurements, as workers do by default"
    )
    parser.add_argument("--max-wait", default="0.05")
    options = parser.parse_args()
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder, LocalStack(load_settings().local.data) as stack:
        environment = {
            **os.environ,
            **stack.environment(),
            "SPECTRAQ_REDIS__ENABLED": "false",
            "SPECTRAQ_LOG__LEVEL": "error",
            "SPECTRAQ_WORKER__PUBLISH_MEASUREMENTS": str(options.measurements).lower(),
        }
        os.environ.update(environment)
        settings = load_settings()
        ensure_topics(settings)
        topics = [settings.topics.classifications, settings.topics.redshifts, settings.topics.anomalies]
        topics += [settings.topics.measurements] if options.measurements else []
        for delivery in ("at_least_once", "exactly_once"):
            command = [SPECTRAQ, "worker", "--delivery", delivery, "--slot", delivery]
            worker = subprocess.Popen([*command, "--max-wait", options.max_wait], env=environment, cwd=folder)
            answered_first(settings, topics)
            for rate in map(float, options.rates.split(",")):
                gaps = rng.exponential(1 / rate, max(int(rate * options.seconds), 10))
                waited = waited_s(
                    settings, settings.topics.spectra, topics, np.cumsum(gaps), uuid.uuid4().hex
                )
                print(f"{delivery}, {rate:g}/s: {told(waited, len(gaps))}", flush=True)
                while group_lag(settings).lag:
                    time.sleep(0.5)
            worker.terminate()
            worker.wait()


if __name__ == "__main__":
    main()
