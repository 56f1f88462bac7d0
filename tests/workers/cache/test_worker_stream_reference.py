"""Thresholds of anomalies follow the stream; what is normal lies in Redis, and nowhere else."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import redis

from spectraq.models.anomaly.group import BINS, LEAST_GROUP
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.answer import Evidence, Reason
from spectraq.models.observation import Observation
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_key, stream_key
from spectraq.workers.cache.stream_reference import (
    BLOCK,
    BLOCKS_KNOWN,
    MOST_SURVEYS,
    REMEMBERED,
    StreamReference,
)
from spectraq.workers.contract.convert import Subject, messages
from spectraq.workers.settings import RedisSettings
from spectraq.workers.transport.messages import Record
from tests.support.plumbing import answer_of, spectrum_flux

ENSEMBLE = "e" * 64
PLAIN = answer_of(Observation(np.linspace(4000, 9000, 200), spectrum_flux(1)))


LINE = Reason("unmodelled_emission", "sky", 3.0, 5000.0, 5010.0, "A line at 5005 angstrom.")


def answers(strangeness):
    """Answers that are as strange as this in every kind."""
    evidence = [Evidence((float(one),) * len(KINDS), "unmodelled_emission", (LINE,)) for one in strangeness]
    return [replace(PLAIN, anomaly_evidence=one) for one in evidence]


def normal(n, seed=1, shift=0.0):
    """Strangeness of a stream whose bulk lies so far beyond the reference's."""
    return shift - np.log(2 * np.random.default_rng(seed).uniform(size=n)) / np.log(0.5 / 0.15)


def flagged(several):
    return np.mean([answer.anomaly_flagged for answer in several])


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


def test_a_stream_unlike_the_reference_is_flagged_as_seldom_as_one_that_is_like_it(reference):
    for seed in range(10):
        reference.learn(answers(normal(100, seed, shift=3.0)), ["desi"] * 100)
        reference.learn(answers(normal(100, seed)), ["sdss"] * 100)
    foreign, like = normal(2000, 99, shift=3.0), normal(2000, 99)
    judged = reference.judge(answers(foreign), ["desi"] * 2000, places(2000))
    usual = reference.judge(answers(like), ["sdss"] * 2000, places(2000))
    assert flagged(usual) < 0.03 and flagged(judged) <= flagged(usual) + 0.01
    assert flagged(reference.judge(answers(foreign), ["sdss"] * 2000, places(2000))) > 0.1
    assert judged[0].anomaly_reference == "plumbing, adapted to 1000 of desi"
    assert judged[0].anomaly_judgement == "adapted"


def test_a_surveys_first_spectra_are_judged_alone(reference):
    fresh = answers([0.5, 30.0])
    reference.learn(answers(normal(LEAST_GROUP - 1)), ["desi"] * (LEAST_GROUP - 1))
    assert reference.judge(fresh, ["desi"] * 2, places(2)) == fresh
    reference.learn(answers([0.0]), ["desi"])
    later = reference.judge(fresh, ["desi"] * 2, places(2, BLOCK))
    assert later[0].anomaly_reference == f"plumbing, adapted to {LEAST_GROUP} of desi"


def test_what_is_outside_the_reference_teaches_nothing_and_stays_unjudged(reference, client):
    outside = [replace(PLAIN, anomaly_judgement="outside_reference")] * 50
    reference.learn(outside, ["desi"] * 50)
    assert not client.exists(stream_key(ENSEMBLE))
    reference.learn(answers(normal(50)), ["desi"] * 50)
    assert reference.judge(outside, ["desi"] * 50, places(50)) == outside


def test_another_survey_is_judged_by_the_shipped_reference(reference):
    reference.learn(answers(normal(1000)), ["desi"] * 1000)
    fresh = answers([4.0, 0.5])
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
    counts = np.array(seen[b"boss"].split(), int).reshape(len(KINDS), BINS)
    assert (counts.sum(1) == 800).all() and (counts.max(1) == 800).all()


def test_what_is_read_again_is_judged_by_the_same_whoever_reads_it_and_what_follows_by_what_was_learned(
    guarded, reference, client
):
    reference.learn(answers(normal(400, shift=2.0)), ["desi"] * 400)
    fresh = answers([6.0, 3.0, 0.5])
    surveys = ["desi"] * 3
    first = reference.judge(fresh, surveys, places(3))
    assert "adapted to 400 of desi" in first[0].anomaly_reference
    reference.learn(answers(normal(400)), ["desi"] * 400)
    assert StreamReference(guarded, ENSEMBLE).judge(fresh, surveys, places(3)) == first
    rest_of_the_block = StreamReference(guarded, ENSEMBLE).judge(fresh, surveys, places(3, BLOCK - 3))
    assert rest_of_the_block == first
    assert reference.judge(fresh, surveys, places(3, BLOCK)) != first
    assert all(client.ttl(key) > 0 for key in client.scan_iter(block_key(ENSEMBLE, "*")))


def test_a_block_that_was_judged_alone_is_judged_alone_when_it_is_read_again(guarded, reference):
    fresh = answers([4.0, 0.5])
    assert reference.judge(fresh, ["boss", "boss"], places(2)) == fresh
    reference.learn(answers(normal(1000)), ["boss"] * 1000)
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
        reference.learn(answers(normal(500)), ["sdss"] * 500)
    counts = np.array(client.hget(stream_key(ENSEMBLE), "sdss").split(), int).reshape(len(KINDS), BINS)
    assert (counts.sum(1) >= REMEMBERED / 2 - BINS).all() and (counts.sum(1) <= REMEMBERED).all()
    assert client.ttl(stream_key(ENSEMBLE)) > 0


def test_names_that_nobody_knows_take_no_more_memory_than_so_many(reference, client):
    for start in range(0, MOST_SURVEYS + 200, 200):
        names = [f"survey {i}" for i in range(start, start + 200)]
        reference.learn(answers([0.5] * 200), names)
    assert client.hlen(stream_key(ENSEMBLE)) == MOST_SURVEYS
    reference.learn(answers([0.5]), ["survey 1"])
    assert int(sum(map(int, client.hget(stream_key(ENSEMBLE), "survey 1").split()))) == 2 * len(KINDS)


WHOLE = len(KINDS) * BINS


@pytest.mark.parametrize(
    "text",
    [b"many", b"", b"1 2 3", b"-1 " * WHOLE, b"9" * 40 + b" 1" * (WHOLE - 1), b"0 " * WHOLE, b"nan " * WHOLE],
)
def test_nonsense_in_the_memory_changes_nothing(reference, client, text):
    client.hset(stream_key(ENSEMBLE), mapping={"sdss": text})
    fresh = answers([4.0, 0.5])
    assert reference.judge(fresh, ["sdss", "sdss"], places(2)) == fresh


def test_without_redis_the_shipped_reference_judges():
    failures = []
    nobody = GuardedRedis(RedisSettings(url="redis://127.0.0.1:1/0"), lambda: failures.append(1))
    alone = StreamReference(nobody, ENSEMBLE)
    fresh = answers([4.0, 0.5])
    alone.learn(fresh, ["sdss", "sdss"])
    assert alone.judge(fresh, ["sdss", "sdss"], places(2)) == fresh
    assert failures
    nobody.close()


def test_reasons_are_published_where_the_stream_flags_and_only_there(reference):
    class Ensemble:
        digest, version = ENSEMBLE, "1"

    reference.learn(answers(normal(100)), ["sdss"] * 100)
    for answer in reference.judge(answers([30.0, 0.5]), ["sdss", "sdss"], places(2)):
        anomaly = messages(Subject("one", "d" * 64, "sdss"), answer, Ensemble()).anomaly
        assert bool(anomaly.reasons) is anomaly.flagged is answer.anomaly_flagged
        assert anomaly.judgement == "adapted"
