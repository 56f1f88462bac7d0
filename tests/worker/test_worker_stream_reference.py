"""Thresholds of anomalies follow the stream; what is normal lies in Redis, and nowhere else."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import redis
from plumbing import answer_of, spectrum_flux

from models.observation import Observation
from workers.answers import Subject, messages
from workers.redis_keys import stream_key
from workers.settings import RedisSettings
from workers.streamreference import REMEMBERED, StreamReference

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
        client.delete(stream_key(ENSEMBLE))
        yield client
        client.delete(stream_key(ENSEMBLE))


@pytest.fixture
def reference(stack, client):
    made = StreamReference(RedisSettings(url=stack.redis_url), ENSEMBLE)
    yield made
    made.close()


def test_a_stream_unlike_the_reference_is_flagged_at_the_nominal_rate(reference):
    for seed in range(10):
        reference.learn(answers(stream_rates(0.7, 100, seed)), ["desi"] * 100)
    fresh = answers(stream_rates(0.7, 4000, seed=99))
    judged = reference.judge(fresh, ["desi"] * 4000)
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
    judged = reference.judge(mixed(4000, 2), ["desi"] * 4000)
    assert 0.005 <= np.mean([answer.anomaly_flagged for answer in judged]) <= 0.02
    assert judged[0].anomaly_reference.endswith(" of desi")


def test_another_survey_is_judged_by_the_shipped_reference(reference):
    reference.learn(answers(stream_rates(0.7, 1000)), ["desi"] * 1000)
    fresh = answers([0.004, 0.5])
    assert reference.judge(fresh, ["lamost", None]) == fresh


def test_workers_add_to_one_memory_at_the_same_time(stack, client):
    def work():
        one = StreamReference(RedisSettings(url=stack.redis_url, timeout_s=5), ENSEMBLE)
        for _ in range(20):
            one.learn(answers([0.5] * 10), ["boss"] * 10)
        one.close()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seen = client.hgetall(stream_key(ENSEMBLE))
    assert int(seen[b"boss GALAXY S/N 3-10 n"]) == 800
    assert float(seen[b"boss GALAXY S/N 3-10 depth"]) == pytest.approx(800 * -np.log(0.5))


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
    assert reference.judge(fresh, ["sdss", "sdss"]) == fresh


def test_without_redis_the_shipped_reference_judges():
    failures = []
    settings = RedisSettings(url="redis://127.0.0.1:1/0")
    alone = StreamReference(settings, ENSEMBLE, on_failure=lambda: failures.append(1))
    fresh = answers([0.004, 0.5])
    alone.learn(fresh, ["sdss", "sdss"])
    assert alone.judge(fresh, ["sdss", "sdss"]) == fresh
    assert failures
    alone.close()


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
