"""What spectra of one plate share is found in the stream; it lies in Redis, and is told once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from spectraq.models.answer import Answer
from spectraq.workers.cache import stream_faults
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import block_faults_key, block_key, group_key, groups_key, stream_key
from spectraq.workers.cache.stream_reference import BLOCK, StreamReference
from spectraq.workers.contract.convert import Subject
from spectraq.workers.settings import RedisSettings
from spectraq.workers.transport.messages import Record
from tests.support.shared_faults import N_PLATE, plate_of

ENSEMBLE = "f" * 64


@pytest.fixture
def client(stack) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(stack.redis_url) as client:
        forget(client)
        yield client
        forget(client)


def forget(client: redis.Redis) -> None:
    patterns = (group_key(ENSEMBLE, "*"), block_faults_key(ENSEMBLE, "*"), block_key(ENSEMBLE, "*"))
    for key in [groups_key(ENSEMBLE), stream_key(ENSEMBLE)]:
        client.delete(key)
    for pattern in patterns:
        for key in client.scan_iter(pattern):
            client.delete(key)


@pytest.fixture
def guarded(stack, client) -> Iterator[GuardedRedis]:
    guarded = GuardedRedis(RedisSettings(url=stack.redis_url, timeout_s=5))
    yield guarded
    guarded.close()


class Night:
    """Plates on their way through one worker, in one partition."""

    def __init__(self, guarded: GuardedRedis) -> None:
        self.guarded, self.offset = guarded, 0

    def records(self, n: int) -> list[Record]:
        """The places of the next spectra, from the begin of a block on."""
        first = self.offset
        self.offset += -(-n // BLOCK) * BLOCK
        return [Record("t", 0, first + i, None, b"", (), 0) for i in range(n)]

    def plate(
        self, name: str, sigma: float, seed: int
    ) -> tuple[list[Answer], list[Answer], list[Subject], list[Record]]:
        """Have a plate judged and learned; what went in, what came out, whose it is, where it was read."""
        answers = plate_of(sigma, seed)
        subjects = [Subject(f"{name}-{i}", "d", "sdss", plate=name) for i in range(len(answers))]
        records = self.records(len(answers))
        judged = self.judge(answers, subjects, records)
        self.worker().learn(answers, ["sdss"] * len(answers), subjects)
        return answers, judged, subjects, records

    def judge(self, answers: list[Answer], subjects: list[Subject], records: list[Record]) -> list[Answer]:
        """Have answers judged by a worker that has just started."""
        return self.worker().judge(answers, ["sdss"] * len(answers), records, subjects)

    def worker(self) -> StreamReference:
        """A worker that remembers nothing."""
        return StreamReference(self.guarded, ENSEMBLE)


def told(answers: list[Answer]) -> list[str]:
    return [fault.name for answer in answers for fault in answer.anomaly_reported]


def test_a_faulty_plate_is_told_once_and_what_comes_after_is_judged_without_its_fault(guarded) -> None:
    night = Night(guarded)
    for seed in range(3):
        night.plate(f"{seed}-5-1", 0.0, seed)
    first = night.plate("9-5-1", 2.0, 3)
    assert told(first[1]) == [] and all(answer.anomaly_flagged for answer in first[1])
    later = [night.plate("9-5-1", 2.0, seed) for seed in (4, 5)]
    good = night.plate("0-5-1", 0.0, 6)
    assert [told(judged) for _, judged, _, _ in (*later, good)] == [["9-5-1"], [], []]
    for _, judged, _, _ in later:
        shared = [answer for answer in judged if answer.anomaly_shared]
        assert len(shared) > 0.9 * N_PLATE and not any(answer.anomaly_flagged for answer in shared)
    for given, judged, subjects, records in (first, *later, good):
        again = night.judge(given, subjects, records)
        assert again == judged, "what is read again is judged by the same, and told by the same"
        assert night.judge(given[7:], subjects[7:], records[7:]) == judged[7:]


def test_without_redis_no_fault_is_known_and_nothing_is_lost(guarded) -> None:
    night = Night(GuardedRedis(RedisSettings(url="redis://127.0.0.1:1/0", timeout_s=0.2)))
    given, judged, _, _ = night.plate("9-5-1", 2.0, 1)
    assert judged == given
    night.guarded.close()


def test_what_others_wrote_into_redis_is_no_fault(guarded, client) -> None:
    night = Night(guarded)
    for seed in range(2):
        night.plate("9-5-1", 2.0, seed)
    for key in client.scan_iter(group_key(ENSEMBLE, "*")):
        if client.type(key) == b"hash":
            client.hset(key, mapping={"faults": "[{}]", "sums": b"\xff" * 3072, "plate": "many"})
    judged = night.plate("9-5-1", 2.0, 3)[1]
    assert told(judged) == [] and not any(answer.anomaly_shared for answer in judged)
    judged = night.plate("9-5-1", 2.0, 4)[1]
    assert any(answer.anomaly_shared for answer in judged), "it is summed up anew"


def test_groups_take_no_more_memory_than_is_stated(guarded, client, monkeypatch) -> None:
    monkeypatch.setattr(
        stream_faults, "TAKE", stream_faults.TAKE.replace(f"{stream_faults.MOST_GROUPS}", "10")
    )
    night = Night(guarded)
    for seed in range(12):
        night.plate(f"{seed}-5-1", 0.0, seed)
    groups = list(client.scan_iter(group_key(ENSEMBLE, "*")))
    assert client.zcard(groups_key(ENSEMBLE)) == 10
    assert len(groups) <= 20, "sums and spectra that wait"
    assert all(client.ttl(key) > 0 for key in groups)
    assert max(client.memory_usage(key) for key in groups) < 10_000
