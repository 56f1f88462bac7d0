"""A stream through the worker, on real Kafka and Redis, read by a client that knows only the `.avsc` files.

The networks answer with a function of the pixels: what is tested here is the way through, not the numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
from kafka import KafkaProducer

from spectraq.models.answer import NOTHING_EXTRA, Answer, Extra
from spectraq.models.observation import Observation
from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.stream_reference import StreamReference
from spectraq.workers.contract.convert import observation
from spectraq.workers.errors import SlotTakenError
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from tests.support.accounts import MODES
from tests.support.feed import WAVELENGTH, Feed, numbered
from tests.support.foreign import KINDS
from tests.support.plumbing import Plumbing, answer_of, foreign_evidence, spectrum_flux


@MODES
def test_every_spectrum_gets_one_result_of_each_kind_and_none_twice(feed: Feed, delivery: str) -> None:
    feed.publish(numbered(i) for i in range(300))
    balance = feed.work(delivery=delivery)
    assert (balance.read, balance.published, balance.dead_lettered, balance.balanced) == (300, 300, 0, True)
    wanted = {f"spectrum-{i}" for i in range(300)}
    results = {kind: feed.read(kind) for kind in KINDS}
    for kind in KINDS:
        assert Counter(m.fields["spectrum_id"] for m in results[kind]) == dict.fromkeys(wanted, 1)
        assert len({m.fields["result_id"] for m in results[kind]}) == 300
        assert all(m.key == m.fields["spectrum_id"].encode() for m in results[kind])
        assert all(m.headers["ce_id"] == m.fields["result_id"].encode() for m in results[kind])
    assert feed.read("dead_letters") == []
    redshifts = {m.fields["spectrum_id"]: m.fields["z"] for m in results["redshifts"]}
    for i in range(300):
        assert redshifts[f"spectrum-{i}"] == answer_of(observation(numbered(i), 1000)).z


def hostile(feed: Feed) -> dict[str, tuple[bytes, Any]]:
    """What strangers send, by the reason that they must be told."""
    good = codec.encode(numbered(0))
    flux, n = spectrum_flux(0), len(WAVELENGTH)
    fields = {"spectrum_id": "x", "flux": [1.0] * n, "wavelength": WAVELENGTH.tolist()}

    def avro(**changes: object) -> bytes:
        values = {"spectrum_id": "x", "flux": flux, "wavelength": WAVELENGTH} | changes
        return codec.encode(Spectrum.model_construct(**values))

    return {
        "undecodable": (b"1", np.random.default_rng(0).bytes(500)),
        "truncated": (b"2", good[: len(good) // 2]),
        "wrong_shape": (b"3", json.dumps(fields | {"flux": {"many": 1}}).encode()),
        "no_good_pixels": (b"4", avro(flux=np.full(n, np.nan, np.float32))),
        "empty": (b"5", avro(flux=flux[:0], wavelength=WAVELENGTH[:0])),
        "tombstone": (b"11", None),
        "length_mismatch": (b"6", avro(flux=flux[:-1])),
        "too_large": (
            b"7",
            avro(flux=np.zeros(5_000_000, np.float32), wavelength=None, loglam0=3.6, dloglam=1e-8),
        ),
        "unknown_schema": (b"8", good[:1] + (9999).to_bytes(4, "big") + good[5:]),
        "bad_wavelength": (b"9", avro(wavelength=WAVELENGTH[::-1].copy())),
        "analysis_failed": (b"10", avro(flux=np.full(n, Plumbing.FATAL_FLUX, np.float32))),
    }


@MODES
def test_what_is_no_spectrum_is_in_the_dead_letters_with_its_reason_and_bytes_and_the_rest_goes_on(
    feed: Feed, delivery: str
) -> None:
    bad = hostile(feed)
    messages: list[Spectrum | tuple[bytes, Any]] = []
    for i, message in enumerate(bad.values()):
        messages += [numbered(i), message]
    # five million zeros are twenty megabytes, and compressed no larger than any other message
    feed.publish(messages, compression_type="zstd", max_request_size=64 << 20)
    balance = feed.work(delivery=delivery)
    assert balance.balanced
    assert (balance.published, balance.dead_lettered) == (len(bad), len(bad))
    letters = {m.key: m.fields for m in feed.read("dead_letters")}
    assert {letters[key]["reason"] for key, _ in bad.values()} == set(bad)
    for reason, (key, value) in bad.items():
        letter = letters[key]
        assert letter["reason"] == reason
        assert letter["topic"] == feed.settings().topics.spectra
        assert letter["value"] == (value or b"")[: feed.settings().kafka.max_message_bytes]
    assert "first 8388608 of 20000" in letters[b"7"]["message"]
    assert {key for key, letter in letters.items() if letter["cut"]} == {b"7"}
    for kind in KINDS:
        assert len(feed.read(kind)) == len(bad)


def test_a_second_publish_of_the_same_spectra_is_answered_from_the_cache_with_the_same_bytes(
    feed: Feed,
) -> None:
    networks = Plumbing(digest=feed.name)
    feed.publish(numbered(i) for i in range(100))
    assert feed.work(networks).cached == 0
    first = {kind: {m.key: m.fields for m in feed.read(kind)} for kind in KINDS}
    feed.publish(numbered(i) for i in range(100))
    balance = feed.work(networks)
    assert (balance.published, balance.cached, balance.duplicate) == (100, 100, 100)
    assert networks.analysed == 100
    for kind in KINDS:
        messages = feed.read(kind)
        assert len(messages) == 200
        assert all(m.fields == first[kind][m.key] for m in messages)


def test_json_is_taken_too_and_gives_the_same_redshift_as_avro(feed: Feed) -> None:
    spectrum = numbered(1)
    body = json.dumps(spectrum.to_json_dict()).encode()
    feed.publish([spectrum, (b"json", body)])
    assert feed.work().published == 2
    first, second = feed.read("redshifts")
    assert first.fields == second.fields


def test_models_are_published_only_when_asked_for(feed: Feed) -> None:
    feed.publish([numbered(1)])
    feed.work()
    assert feed.read("models") == []


def test_a_topic_written_in_transactions_is_drained_to_its_very_end(feed: Feed) -> None:
    producer = KafkaProducer(bootstrap_servers=feed.bootstrap_servers, transactional_id=feed.name)
    producer.init_transactions()
    for block in range(3):
        producer.begin_transaction()
        for i in range(10):
            spectrum = numbered(10 * block + i)
            topic = feed.settings().topics.spectra
            producer.send(topic, key=spectrum.spectrum_id.encode(), value=codec.encode(spectrum))
        producer.commit_transaction() if block != 1 else producer.abort_transaction()
    producer.close()
    balance = feed.work(delivery="exactly_once")
    assert balance.published == 20
    from spectraq.workers.transport.lag import group_lag

    assert group_lag(feed.settings()).lag == 0


def test_a_drained_worker_leaves_the_group_at_once(feed: Feed) -> None:
    from spectraq.workers.transport.lag import group_lag

    feed.publish([numbered(1)])
    feed.work()
    assert group_lag(feed.settings()).members == ()


def test_the_metrics_tell_what_the_ledger_tells(feed: Feed) -> None:
    import threading

    from spectraq.workers.service.loop import run

    metrics = Metrics()
    feed.publish([*(numbered(i) for i in range(20)), (b"bad", b"garbage")])
    balance = run(
        feed.settings(),
        Plumbing(),
        threading.Event(),
        until_drained=True,
        metrics=metrics,
        health=Health(metrics),
    )
    text = metrics.text().decode()
    for line in (
        f"spectraq_records_read_total {21 + balance.given_back}.0",
        "spectraq_spectra_published_total 20.0",
        'spectraq_dead_letters_total{reason="undecodable"} 1.0',
        "spectraq_records_in_hand 0.0",
        'spectraq_results_total{spectype="GALAXY"} 20.0',
    ):
        assert line in text.splitlines()


def test_the_flagged_that_are_counted_are_those_that_are_published(feed: Feed) -> None:
    metrics, networks = Metrics(), Plumbing(digest=feed.name, teaches=True)
    feed.redis_options["timeout_s"] = 5.0  # without Redis all would be judged alone
    given = networks.analyze([observation(numbered(i), 1000) for i in range(100)])
    with closing(GuardedRedis(feed.settings().redis)) as memory:
        # so many that what the stream itself adds, batch by batch, moves nothing
        milder = 20 * [replace(a, anomaly_evidence=foreign_evidence(a.z / 10 - 0.45)) for a in given]
        StreamReference(memory, feed.name).learn(milder, ["desi"] * len(milder))
    feed.publish(numbered(i).model_copy(update={"survey": "desi"}) for i in range(100))
    feed.work(networks, metrics=metrics)
    published = [message.fields["flagged"] for message in feed.read("anomalies")]
    assert 0 < sum(published) != sum(answer.anomaly_flagged for answer in given) > 0
    assert f"spectraq_anomalies_flagged_total {sum(published)}.0" in metrics.text().decode().splitlines()


def test_a_worker_on_hold_says_so(feed: Feed) -> None:
    metrics, held = Metrics(), set()

    def on_hold() -> bool:
        return "spectraq_on_hold 1.0" in metrics.text().decode().splitlines()

    class Watched(Plumbing):
        def analyze(self, observations: Sequence[Observation], extra: Extra = NOTHING_EXTRA) -> list[Answer]:
            held.add(on_hold())
            return super().analyze(observations, extra)

    feed.publish(numbered(i) for i in range(300))
    feed.work(Watched(digest=feed.name, seconds=0.002), metrics=metrics, batch_spectra=4)
    assert True in held
    assert not on_hold()


def test_two_workers_in_one_slot_are_refused_with_the_remedy(feed: Feed) -> None:
    import threading
    import time

    from spectraq.workers.service.loop import run

    caught: list[BaseException] = []
    stops = [threading.Event(), threading.Event()]

    def work(number: int) -> None:
        try:
            run(feed.settings(), Plumbing(), stops[number])
        except SlotTakenError as error:
            caught.append(error)

    first = threading.Thread(target=work, args=(0,))
    second = threading.Thread(target=work, args=(1,))
    first.start()
    time.sleep(1.0)
    second.start()
    first.join(20)
    stops[1].set()
    second.join(20)
    assert not first.is_alive()
    assert not second.is_alive()
    assert "another worker runs in slot" in str(caught[0])
    assert len(caught) == 1
