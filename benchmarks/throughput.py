"""Spectra a second through the worker in its two delivery modes, as a ratio within one run.

The networks are replaced by a canned answer, so that what is measured is everything else: fetching, decoding,
validating, the cache, encoding, publishing, committing. Kafka and Redis are real. The modes take turns, since
the machine is never quiet; the median of each is compared.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import threading
import time
import uuid
from collections.abc import Sequence

import numpy as np
from kafka import KafkaProducer

from spectraq.models.answer import NOTHING_EXTRA, Answer, Candidate, Extra
from spectraq.models.observation import Observation
from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations import log
from spectraq.workers.service.loop import run
from spectraq.workers.settings import LogSettings, load_settings
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.topics import ensure_topics

PIXELS = 4576  # of an SDSS spectrum
MODES = ("at_least_once", "exactly_once")

CANNED = Answer(
    spectype="GALAXY",
    subtype="STARFORMING",
    class_probability={"GALAXY": 0.9, "QSO": 0.05, "STAR": 0.05},
    class_spread={"GALAXY": 0.01, "QSO": 0.01, "STAR": 0.01},
    subclass_probability={f"SUBCLASS-{i}": 1 / 13 for i in range(13)},
    subclass_spread={f"SUBCLASS-{i}": 0.01 for i in range(13)},
    z=0.1,
    zerr=1e-5,
    z_spread=1e-5,
    warnings=(),
    chi2=4000.0,
    rchi2=1.0,
    deltachi2=100.0,
    robustness=0.1,
    npixels=PIXELS,
    snr=10.0,
    coeff=tuple(float(i) for i in range(10)),
    candidates=tuple(Candidate("GALAXY", "", 0.1 * i, 1e-5, 4000.0, 0.0, 0.2) for i in range(5)),
    anomaly_score=0.1,
    anomaly_false_positive_rate=0.5,
    anomaly_flagged=False,
    anomaly_reasons=(),
    anomaly_reference="none",
)


class Canned:
    """No networks: the same answer to everything, at once."""

    version = "1"

    def __init__(self) -> None:
        self.digest = uuid.uuid4().hex  # so that nothing is found in the cache

    def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
        return [CANNED] * len(observations)


def bodies(n: int) -> list[tuple[bytes, bytes]]:
    rng = np.random.default_rng(0)
    return [
        (name.encode(), codec.encode(spectrum))
        for i in range(n)
        for name in [f"spectrum-{i}"]
        for spectrum in [
            Spectrum(
                spectrum_id=name,
                flux=rng.normal(10, 1, PIXELS).astype(np.float32),
                ivar=np.ones(PIXELS, np.float32),
                loglam0=3.58,
                dloglam=1e-4,
            )
        ]
    ]


def rate(
    stack: LocalStack,
    delivery: str,
    batch: int,
    messages: list[tuple[bytes, bytes]],
    redis_url: str | None = None,
) -> float:
    """Spectra a second of one worker over a backlog, joining the group included."""
    name = uuid.uuid4().hex[:8]
    settings = load_settings(
        kafka={"bootstrap_servers": stack.bootstrap_servers, "group_id": name},
        redis={"url": redis_url or stack.redis_url},
        topics={kind: f"{name}.{kind}" for kind in Topics.kinds()},
        worker={
            "delivery": delivery,
            "batch_spectra": batch,
            "slot": name,
            "publish_measurements": False,  # what is timed is everything but the numbers
        },
    )
    ensure_topics(settings)
    producer = KafkaProducer(bootstrap_servers=stack.bootstrap_servers, batch_size=1 << 20, linger_ms=5)
    for key, value in messages:
        producer.send(settings.topics.spectra, key=key, value=value)
    producer.flush()
    producer.close()
    started = time.perf_counter()
    balance = run(settings, Canned(), threading.Event(), until_drained=True)
    seconds = time.perf_counter() - started
    assert balance.balanced and balance.published == len(messages)
    return len(messages) / seconds


def asked(what: str | None, spectra: int) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Rounds and messages that the command line asks for; from here on logs are quiet."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--spectra", type=int, default=spectra)
    parser.add_argument("--rounds", type=int, default=3)
    wanted = parser.parse_args()
    log.configure(LogSettings(level="error"))
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    return wanted.rounds, bodies(wanted.spectra)


def main() -> None:
    rounds, messages = asked(__doc__, 2000)
    with LocalStack(load_settings().local.data) as stack:
        for batch in (64, 256):
            rates: dict[str, list[float]] = {mode: [] for mode in MODES}
            for _ in range(rounds):
                for mode in MODES:
                    rates[mode].append(rate(stack, mode, batch, messages))
            medians = [statistics.median(rates[mode]) for mode in MODES]
            shown = ", ".join(f"{mode} {value:.0f}/s" for mode, value in zip(MODES, medians, strict=True))
            print(
                f"batches of {batch}: {shown}; exactly_once / at_least_once = {medians[1] / medians[0]:.2f}"
            )


if __name__ == "__main__":
    main()
