"""Many filters on a stream of results: core-seconds a second, lag, and what one evaluation costs.

    python benchmarks/filters.py --filters 100 --rate 500 --seconds 30

Results of numbered spectra are published to a real Kafka at a rate, four messages a spectrum, while `spectraq
filter run` asks all filters of each. Its core time and how far it is behind are read every two seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from spectraq.schemas import codec
from spectraq.workers.filters.expression import Vocabulary
from spectraq.workers.filters.metrics import FilterMetrics
from spectraq.workers.filters.passage import Passage
from spectraq.workers.filters.result_records import result_records
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import Settings, load_settings
from spectraq.workers.transport.topics import ensure_topics
from tests.support.feed import Feed
from tests.support.results import results

EXPRESSIONS = (
    'classification.spectype == "QSO" && redshift.z > {a:.2f} && redshift.zwarn == 0',
    'classification.spectype == "GALAXY" && anomaly.false_positive_rate < {b:.3f} && anomaly.snr > 5.0',
    'anomaly.flagged && anomaly.reasons.exists(r, r.kind == "unmodelled_emission" && r.strength > {c:.1f})',
    'measurement.lines.exists(l, l.name == "Halpha" && l.ew > {c:.1f}) && redshift.z < 0.5',
    'measurement.quantities.exists(q, q.name == "log_sfr" && q.value > {a:.2f}) && measurement.bpt != "agn"',
    'redshift.candidates.exists(c, c.spectype == "STAR" && c.probability > {b:.3f}) && redshift.chi2 < 9.0',
    'classification.class_probability["QSO"] > {d:.2f} && redshift.zerr / (1.0 + redshift.z) < 0.001',
    "redshift.ra > {e:.0f}.0 && redshift.ra < {e:.0f}.0 + 5.0 && redshift.dec > 0.0 && !anomaly.flagged",
    'classification.subtype.matches("^(STARFORMING|STARBURST)$") && redshift.z > {d:.2f}',
    'size(anomaly.reasons) == 0 && "low_snr" in redshift.zwarn_names && redshift.snr > {a:.2f}',
)
MADE = 4000
KINDS = ("classifications", "redshifts", "anomalies", "measurements")


def expressions(many: int) -> dict[str, str]:
    """So many different filters, of ten shapes, that let few spectra through."""
    return {
        f"filter-{i:03d}": EXPRESSIONS[i % len(EXPRESSIONS)].format(
            a=2.5 + 0.02 * i, b=0.0005 * (1 + i % 40), c=20.0 + i, d=0.95 + 0.0004 * i, e=i * 3 % 350
        )
        for i in range(many)
    }


def evaluation_us(many: int) -> tuple[float, float]:
    """Microseconds of a core an evaluation, of spectra the median, and the share of those that pass."""
    settings = load_settings(filters={name: {"expression": text} for name, text in expressions(many).items()})
    passage = Passage(settings.filters, Vocabulary(result_records(settings)), FilterMetrics())
    spectra = [
        {message.kind: message.avro_values() for topic, message in results(number) if topic in KINDS}
        for number in range(500)
    ]
    costs, passed = [], 0
    for fields in spectra:
        begun = time.thread_time()
        passed += len(passage.passed(fields.get))
        costs.append((time.thread_time() - begun) / many * 1e6)
    return statistics.median(costs), passed / len(spectra) / many


class Publisher:
    """Publishes the results of spectra at a rate, again and again under other names."""

    def __init__(self, feed: Feed, rate: float) -> None:
        self._made = [
            [(topic, codec.encode(message)) for topic, message in results(number) if topic in KINDS]
            for number in range(MADE)
        ]
        self._ids = [f"survey-{number:09d}".encode() for number in range(MADE)]
        self._topics = {kind: getattr(feed.settings().topics, kind) for kind in KINDS}
        self._producer = KafkaProducer(bootstrap_servers=feed.bootstrap_servers, linger_ms=20)
        self._rate = rate
        self.published = 0

    def publish(self, seconds: float) -> None:
        """Publish for so long."""
        begun = time.monotonic()
        while (now := time.monotonic() - begun) < seconds:
            while self.published < now * self._rate:
                self._spectrum(self.published)
                self.published += 1
            time.sleep(0.02)
        self._producer.flush()

    def _spectrum(self, number: int) -> None:
        old = self._ids[number % MADE]
        new = f"survey-{number // MADE:04d}{old[-5:].decode()}".encode()  # as long, so the bytes stay Avro
        for topic, body in self._made[number % MADE]:
            self._producer.send(self._topics[topic], key=new, value=body.replace(old, new))


def watched(
    process: subprocess.Popen[str], settings: Settings, until: threading.Event
) -> Iterator[tuple[float, int]]:
    """Every two seconds the core-seconds a second of a process, and the messages behind it."""
    client = KafkaConsumer(
        bootstrap_servers=settings.kafka.bootstrap_servers,
        group_id=settings.filters.group_id,
        enable_auto_commit=False,
        isolation_level="read_committed",
    )
    topics = [getattr(settings.topics, kind) for kind in KINDS]
    partitions = [TopicPartition(t, n) for t in topics for n in client.partitions_for_topic(t)]
    of_process = psutil.Process(process.pid)
    before, at = sum(of_process.cpu_times()[:2]), time.monotonic()
    while not until.wait(2):
        now, moment = sum(of_process.cpu_times()[:2]), time.monotonic()
        ends = client.end_offsets(partitions)
        behind = sum(ends[p] - (client.committed(p) or 0) for p in partitions)
        yield (now - before) / (moment - at), behind
        before, at = now, moment
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--filters", type=int, default=100)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=30)
    arguments = parser.parse_args()
    cost, share = evaluation_us(arguments.filters)
    print(f"{cost:.1f} us an evaluation, {100 * share:.2f} % pass", flush=True)
    with LocalStack(load_settings().local.data) as stack:
        feed = Feed(stack.bootstrap_servers, stack.redis_url)
        feed.measured = True
        named = {name: {"expression": text} for name, text in expressions(arguments.filters).items()}
        group = {"group_id": f"{feed.name}-filters", "topic": f"{feed.name}.filtered"}
        settings = load_settings(**feed.sections(), filters=group | named)
        ensure_topics(settings)
        config = Path(f"/tmp/{feed.name}.toml")
        lines = [f'group_id = "{group["group_id"]}"', f'topic = "{group["topic"]}"']
        lines += [f"[filters.{name}]\nexpression = '{one['expression']}'" for name, one in named.items()]
        config.write_text("[filters]\n" + "\n".join(lines) + "\n")
        process = subprocess.Popen(
            [Path(sys.executable).parent / "spectraq", "filter", "run", "--config", str(config)],
            env={**os.environ, **feed.environment()},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )
        publisher, done = Publisher(feed, arguments.rate), threading.Event()
        time.sleep(8)  # it starts, joins its group

        def publish() -> None:
            publisher.publish(arguments.seconds)
            done.set()

        threading.Thread(target=publish).start()
        seen = []
        for cores, behind in watched(process, settings, done):
            seen.append((cores, behind))
            print(f"{cores:.2f} cores, {behind} messages behind", flush=True)
        time.sleep(5)
        process.terminate()
        said = process.communicate(timeout=60)[0].strip()
        config.unlink()
    settled = seen[2:]
    cores = [cores for cores, _ in settled]
    print(f"published {publisher.published} spectra; filters: {said}")
    print(f"cores: median {statistics.median(cores):.2f}, most {max(cores):.2f}")
    print(f"behind: first {settled[0][1]}, last {settled[-1][1]}, most {max(b for _, b in settled)}")


if __name__ == "__main__":
    main()
