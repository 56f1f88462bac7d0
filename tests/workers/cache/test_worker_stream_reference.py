"""Thresholds of anomalies follow the stream; what is normal lies in Redis, and nowhere else."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import redis

from spectraq.models.observation import Observation
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_key, stream_key
from spectraq.workers.cache.stream_reference import BLOCK, BLOCKS_KNOWN, REMEMBERED, StreamReference
from spectraq.workers.contract.convert import Subject, messages
from spectraq.workers.settings import RedisSettings
from spectraq.workers.transport.messages import Record
from tests.support.plumbing import answer_of, spectrum_flux

ENSEMBLE = "e" * 64
PLAIN = answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(1)))


def answers(rates):
    return [
        replace(PLAIN, snr=5.0, anomaly_false_positive_rate=float(r), anomaly_flagged=bool(r < 0.01))
        for r in rates
    ]


def stream_rates(k, n, seed=1):
    return np.random.default_rng(seed).uniform(size=n) ** (1 / k)


@pytest.fixture
def client(stack):
    with redis.Redis.from_url(stack.redis_url) as client:
        forget(client)
        yield client
        forget(client)


def forget(client):
    for key in [stream_key(ENSEMBLE), *client.scan_iter(block_key(ENSEMBLE, "*"))]:
        client.delete(key)


def places(n, first=0):
    """Where so many spectra were read: one partition, one after the other."""
    return [Record("t", 0, first + i, None, b"", (), 0) for i in range(n)]


@pytest.fixture
def guarded(stack, client):
    guarded = GuardedRedis(RedisSettings(url=stack.redis_url))
    yield guarded
    guarded.close()


@pytest.fixture
def reference(guarded):
    return StreamReference(guarded, ENSEMBLE)


def test_a_stream_unlike_the_reference_is_flagged_at_the_nominal_rate(reference):
    for seed in range(10):
        reference.learn(answers(stream_rates(0.7, 100, seed)), ["desi"] * 100)
    fresh = answers(stream_rates(0.7, 4000, seed=99))
    judged = reference.judge(fresh, ["desi"] * 4000, places(4000))
    assert np.mean([a.anomaly_flagged for a in fresh]) > 0.03
    assert 0.005 <= np.mean([a.anomaly_flagged for a in judged]) <= 0.02
    assert judged[0].anomaly_reference.startswith("plumbing, adapted to 9")
    assert judged[0].anomaly_reference.endswith("of desi GALAXY S/N 3-10")


def test_a_mixed_survey_is_adapted_to_after_five_hundred_spectra(reference):
    kinds = [(spectype, snr) for spectype in ("STAR", "GALAXY", "QSO") for snr in (1.0, 5.0, 20.0, 50.0)]

    def mixed(n, seed):
        return [
            replace(answer, spectype=kinds[i % 12][0], snr=kinds[i % 12][1])
            for i, answer in enumerate(answers(stream_rates(0.7, n, seed)))
        ]

    reference.learn(mixed(500, 1), ["desi"] * 500)
    judged = reference.judge(mixed(4000, 2), ["desi"] * 4000, places(4000))
    assert 0.005 <= np.mean([answer.anomaly_flagged for answer in judged]) <= 0.02
    assert judged[0].anomaly_reference.endswith(" of desi")


def test_another_survey_is_judged_by_the_shipped_reference(reference):
    reference.learn(answers(stream_rates(0.7, 1000)), ["desi"] * 1000)
    fresh = answers([0.004, 0.5])
    assert reference.judge(fresh, ["lamost", None], places(2)) == fresh


def test_workers_add_to_one_memory_at_the_same_time(stack, client):
    def work():
        guarded = GuardedRedis(RedisSettings(url=stack.redis_url, timeout_s=5))
        one = StreamReference(guarded, ENSEMBLE)
        for _ in range(20):
            one.learn(answers([0.5] * 10), ["boss"] * 10)
        guarded.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = client.hgetall(stream_key(ENSEMBLE))
    assert int(seen[b"boss GALAXY S/N 3-10 n"]) == 800
    assert float(seen[b"boss GALAXY S/N 3-10 depth"]) == pytest.approx(800 * -np.log(0.5))


def test_what_is_read_again_is_judged_by_the_same_whoever_reads_it_and_what_follows_by_what_was_learned(
    guarded, reference, client
):
    for seed in range(5):
        reference.learn(answers(stream_rates(0.7, 100, seed)), ["desi"] * 100)
    fresh = answers([0.004, 0.03, 0.5])
    surveys = ["desi"] * 3
    first = reference.judge(fresh, surveys, places(3))
    assert "adapted to 4" in first[0].anomaly_reference
    reference.learn(answers(stream_rates(1.4, 400)), ["desi"] * 400)
    assert StreamReference(guarded, ENSEMBLE).judge(fresh, surveys, places(3)) == first
    rest_of_the_block = StreamReference(guarded, ENSEMBLE).judge(fresh, surveys, places(3, BLOCK - 3))
    assert rest_of_the_block == first
    assert reference.judge(fresh, surveys, places(3, BLOCK)) != first
    assert all(client.ttl(key) > 0 for key in client.scan_iter(block_key(ENSEMBLE, "*")))


def test_a_block_without_a_cell_has_none_when_it_is_read_again(guarded, reference):
    fresh = answers([0.004, 0.5])
    assert reference.judge(fresh, ["boss", "boss"], places(2)) == fresh
    reference.learn(answers(stream_rates(0.7, 1000)), ["boss"] * 1000)
    assert StreamReference(guarded, ENSEMBLE).judge(fresh, ["boss", "boss"], places(2)) == fresh


def test_known_blocks_are_bounded_and_asked_for_once(reference, client):
    fresh = answers([0.5] * BLOCKS_KNOWN)
    surveys = ["sdss"] * BLOCKS_KNOWN
    reference.judge(fresh, surveys, places(BLOCKS_KNOWN * BLOCK)[::BLOCK])
    reference.judge(fresh[:2], surveys[:2], [*places(1), *places(1, BLOCKS_KNOWN * BLOCK)])
    assert len(reference._blocks) == BLOCKS_KNOWN
    client.config_resetstat()
    reference.judge(fresh[:1], surveys[:1], places(1))  # the oldest, and used since
    assert "cmdstat_evalsha" not in client.info("commandstats")
    reference.judge(fresh[:1], surveys[:1], places(1, BLOCK))
    assert client.info("commandstats")["cmdstat_evalsha"]["calls"] == 1


def test_old_nights_are_forgotten(reference, client):
    for _ in range(REMEMBERED // 500 + 1):
        reference.learn(answers([0.5] * 500), ["sdss"] * 500)
    n = int(client.hget(stream_key(ENSEMBLE), "sdss GALAXY S/N 3-10 n"))
    assert REMEMBERED / 2 <= n <= REMEMBERED
    assert client.ttl(stream_key(ENSEMBLE)) > 0


@pytest.mark.parametrize("n, depth", [(b"many", b"1"), (b"1000", b"nan"), (b"1000", b"1e9"), (b"-4", b"0")])
def test_nonsense_in_the_memory_changes_nothing(reference, client, n, depth):
    name = "sdss GALAXY S/N 3-10"
    client.hset(stream_key(ENSEMBLE), mapping={f"{name} n": n, f"{name} depth": depth})
    fresh = answers([0.004, 0.5])
    assert reference.judge(fresh, ["sdss", "sdss"], places(2)) == fresh


def test_without_redis_the_shipped_reference_judges():
    failures = []
    nobody = GuardedRedis(RedisSettings(url="redis://127.0.0.1:1/0"), lambda: failures.append(1))
    alone = StreamReference(nobody, ENSEMBLE)
    fresh = answers([0.004, 0.5])
    alone.learn(fresh, ["sdss", "sdss"])
    assert alone.judge(fresh, ["sdss", "sdss"], places(2)) == fresh
    assert failures
    nobody.close()


def test_reasons_are_published_where_the_stream_flags_and_only_there():
    told = replace(answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(2))), anomaly_reasons=())
    reason = next(
        a.anomaly_reasons
        for a in (answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(i))) for i in range(200))
        if a.anomaly_flagged
    )

    class Ensemble:
        digest, version = ENSEMBLE, "1"

    for flagged in (True, False):
        answer = replace(told, anomaly_reasons=reason, anomaly_flagged=flagged)
        anomaly = messages(Subject("one", "d" * 64, "sdss"), answer, Ensemble()).anomaly
        assert bool(anomaly.reasons) is flagged
