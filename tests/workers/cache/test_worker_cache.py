"""The cache is an aid: what it gives is right to the digit, and what it can't give costs next to nothing."""

import dataclasses
import itertools
import math
import random
import struct
import threading
import time
import zlib

import pytest
import redis

from spectraq.models.answer import Answer, Candidate, MeasuredLine, Measurement, Quantity, Reason
from spectraq.workers.cache.answers import Cache, Cached, Subject, latest_answer, looked_up
from spectraq.workers.cache.breaker import LONGEST_REST_S, Breaker
from spectraq.workers.cache.entry_format import _digest, _opened, pack_answer, unpack_answer
from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.keys import answer_key, latest_key, lookups_key
from spectraq.workers.cache.stream_reference import StreamReference
from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import RedisSettings
from spectraq.workers.transport.messages import Record

SUBJECT = Subject("sdss-1", "d" * 64, "sdss")


def any_float(generator: random.Random) -> float:
    while True:
        value: float = struct.unpack("d", generator.randbytes(8))[0]
        if math.isfinite(value):
            return value


def any_answer(seed: int) -> Answer:
    generator = random.Random(seed)

    def number() -> float:
        return any_float(generator)

    return Answer(
        spectype="GALAXY",
        subtype="STARFORMING",
        class_probability={"GALAXY": number(), "QSO": number(), "STAR": number()},
        class_spread={"GALAXY": number()},
        subclass_probability={"STARFORMING": number()},
        subclass_spread={"STARFORMING": number()},
        z=number(),
        zerr=number(),
        z_spread=number(),
        warnings=("small_delta_chi2",),
        chi2=number(),
        rchi2=number(),
        deltachi2=math.inf,
        robustness=number(),
        npixels=3600,
        snr=number(),
        coeff=tuple(number() for _ in range(10)),
        candidates=(Candidate("GALAXY", "", number(), number(), number(), number(), number()),),
        anomaly_score=number(),
        anomaly_false_positive_rate=number(),
        anomaly_flagged=True,
        anomaly_reasons=(Reason("poor_fit", "sky", number(), number(), number(), "An Å-wide line."),),
        anomaly_reference="reference",
    )


@pytest.fixture
def settings(stack) -> RedisSettings:
    return RedisSettings(url=stack.redis_url)


@pytest.fixture
def client(stack):
    client = redis.Redis.from_url(stack.redis_url)
    yield client
    client.close()


@pytest.fixture
def guarded(settings: RedisSettings):
    guarded = GuardedRedis(settings)
    yield guarded
    guarded.close()


@pytest.fixture
def cache(guarded: GuardedRedis, client):
    return Cache(guarded, f"ensemble-{random.getrandbits(64):x}", "1")


def test_an_answer_comes_back_equal_to_the_last_bit_of_every_number() -> None:
    for seed in range(200):
        answer = any_answer(seed)
        assert unpack_answer(pack_answer(answer, "place", b""), "place", b"") == answer


def measured_answer(seed: int) -> Answer:
    """An answer with as many lines and quantities as the largest has, and numbers of any size."""
    generator = random.Random(seed)

    def number() -> float | None:
        return any_float(generator) if generator.random() < 0.8 else None

    lines = tuple(
        MeasuredLine(f"line-{i}", "narrow", any_float(generator), *(number() for _ in range(9)), "not seen")
        for i in range(60)
    )
    quantities = {f"quantity-{i}": Quantity(number(), number(), "km/s", None) for i in range(25)}
    measurement = Measurement("GALAXY", any_float(generator), lines, quantities, "liner")
    return dataclasses.replace(any_answer(seed), measurement=measurement)


def test_a_measurement_comes_back_equal_to_the_last_bit_and_takes_little_room() -> None:
    for seed in range(20):
        answer = measured_answer(seed)
        entry = pack_answer(answer, "place", b"key")
        assert unpack_answer(entry, "place", b"key") == answer
        assert len(entry) < 12_000  # of digits that are chance, as no real measurement's are


def test_an_answer_without_its_measurement_is_none_where_one_is_wanted(cache: Cache) -> None:
    cache.put_many([(SUBJECT, any_answer(1))])
    assert cache.get_many([SUBJECT], measured=True) == [Cached()]
    assert cache.get_many([SUBJECT])[0].duplicate
    cache.put_many([(SUBJECT, measured_answer(1))])
    for measured in (True, False):
        assert cache.get_many([SUBJECT], measured=measured) == [Cached(measured_answer(1), duplicate=True)]


def test_an_answer_is_found_by_its_pixels_and_only_by_the_same_ensemble_and_survey(
    cache: Cache, guarded: GuardedRedis
) -> None:
    cache.put_many([(SUBJECT, any_answer(1))])
    found = cache.get_many([SUBJECT, dataclasses.replace(SUBJECT, digest="e" * 64)])
    assert [entry.answer for entry in found] == [any_answer(1), None]
    assert cache.get_many([dataclasses.replace(SUBJECT, survey="boss")])[0].answer is None
    assert Cache(guarded, "another-ensemble", "1").get_many([SUBJECT])[0].answer is None


def test_only_the_same_pixels_under_the_same_id_are_a_duplicate(cache: Cache) -> None:
    cache.put_many([(SUBJECT, any_answer(1))])
    renamed = dataclasses.replace(SUBJECT, spectrum_id="sdss-2")
    same, other = cache.get_many([SUBJECT, renamed])
    assert (same.duplicate, other.duplicate) == (True, False)
    assert other.answer == any_answer(1)


def test_what_was_looked_up_and_found_is_counted_for_all_workers(
    cache: Cache, settings: RedisSettings, client
) -> None:
    unknown = dataclasses.replace(SUBJECT, digest="e" * 64)
    client.delete(lookups_key())
    cache.put_many([(SUBJECT, any_answer(1))])
    cache.get_many([SUBJECT, unknown, unknown])
    assert looked_up(settings) == (0, 0)  # told with the next look-up
    cache.get_many([unknown])
    assert looked_up(settings) == (1, 3)
    client.set(lookups_key(), "no hash")
    assert cache.get_many([SUBJECT])[0].answer is not None
    with pytest.raises(UnreachableError):
        looked_up(settings)
    client.delete(lookups_key())


def test_the_latest_results_are_found_by_the_id(cache: Cache, settings: RedisSettings) -> None:
    subject = Subject(f"id-{random.getrandbits(64):x}", "f" * 64)
    assert latest_answer(settings, subject.spectrum_id) is None
    cache.put_many([(subject, any_answer(1))])
    latest, answer = latest_answer(settings, subject.spectrum_id)
    assert (latest.subject.digest, answer) == (subject.digest, any_answer(1))


def test_entries_expire(cache: Cache, settings: RedisSettings, client) -> None:
    cache.put_many([(SUBJECT, any_answer(1))])
    for key in (answer_key(cache._ensemble, SUBJECT.digest, SUBJECT.survey), latest_key(SUBJECT.spectrum_id)):
        assert 0 < client.ttl(key) <= settings.ttl_s


PLACE = "spectraq:poisoned"


def sealed(body: bytes) -> bytes:
    """An entry with the right digest and any body."""
    return _digest(body, PLACE, b"") + body


@pytest.mark.parametrize(
    "body",
    [
        zlib.compress(b"0" * (64 << 20)),
        zlib.compress(b"{}"),
        zlib.compress(_opened(pack_answer(any_answer(1), PLACE, b""), PLACE, b"") or b"")[:-4],
        b"{}",
    ],
    ids=["inflates to 64 MiB", "no answer", "cut off", "not deflated, as entries once were"],
)
def test_what_its_digest_vouches_for_is_still_no_entry_unless_it_is_one(body: bytes) -> None:
    assert unpack_answer(sealed(body), PLACE, b"") is None


@pytest.mark.parametrize(
    "poison",
    [b"", b"garbage", b"\x00" * 5000, b"x" * (2 << 20), pack_answer(any_answer(2), "", b"another key")],
)
def test_a_poisoned_entry_is_no_entry(cache: Cache, client, poison: bytes) -> None:
    client.set(answer_key(cache._ensemble, SUBJECT.digest, SUBJECT.survey), poison)
    assert cache.get_many([SUBJECT])[0].answer is None


def test_an_entry_that_was_copied_to_another_place_is_no_entry(
    cache: Cache, settings: RedisSettings, client
) -> None:
    other = dataclasses.replace(SUBJECT, spectrum_id=f"id-{random.getrandbits(64):x}", digest="e" * 64)
    cache.put_many([(SUBJECT, any_answer(1))])
    places = [answer_key(cache._ensemble, s.digest, s.survey) for s in (SUBJECT, other)]
    client.copy(*places)
    client.copy(latest_key(SUBJECT.spectrum_id), latest_key(other.spectrum_id))
    mine, copied = cache.get_many([SUBJECT, other])
    assert (mine.answer, copied.answer) == (any_answer(1), None)
    assert latest_answer(settings, other.spectrum_id) is None


def test_an_entry_signed_with_another_key_is_no_entry(settings: RedisSettings) -> None:
    keys = [settings.model_copy(update={"signing_key": pydantic_secret(key)}) for key in ("ours", "theirs")]
    redises = [GuardedRedis(each) for each in keys]
    ours, theirs = (Cache(each, "signed", "1") for each in redises)
    theirs.put_many([(SUBJECT, any_answer(3))])
    assert ours.get_many([SUBJECT])[0].answer is None
    assert theirs.get_many([SUBJECT])[0].answer == any_answer(3)
    for each in redises:
        each.close()


def pydantic_secret(text: str):
    from pydantic import SecretStr

    return SecretStr(text)


def test_a_cache_that_is_gone_finds_nothing_and_soon_is_not_asked_any_more() -> None:
    failures = []
    nobody = GuardedRedis(RedisSettings(url="redis://127.0.0.1:1/0"), lambda: failures.append(1))
    cache = Cache(nobody, "e", "1")
    started = time.monotonic()
    for _ in range(50):
        assert cache.get_many([SUBJECT])[0].answer is None
        cache.put_many([(SUBJECT, any_answer(1))])
    assert time.monotonic() - started < 1
    assert nobody.open
    assert len(failures) == 100
    nobody.close()


def test_a_frozen_redis_costs_its_timeout_three_times_and_then_nothing_for_all_that_ask_it(
    settings: RedisSettings, client
) -> None:
    guarded = GuardedRedis(settings)
    cache, stream = Cache(guarded, "frozen", "1"), StreamReference(guarded, "frozen")
    cache.put_many([(SUBJECT, any_answer(1))])
    client.client_pause(3000)  # the server holds every command back, as a frozen one does
    waited: list[float] = []
    started = time.monotonic()
    for call in itertools.count():
        before = time.monotonic()
        assert cache.get_many([SUBJECT])[0].answer is None
        stream.judge([any_answer(1)], ["sdss"], [Record("frozen", 0, call, None, b"", (), 0)])
        waited.append(time.monotonic() - before)
        if before - started > 2.5:
            break
        time.sleep(0.01)
    slow = [seconds for seconds in waited if seconds > settings.timeout_s / 2]
    assert len(slow) <= 2, "two calls waited, and one more; all others were kept back"
    assert sum(slow) < 2.0  # three times 0.2 s; on a busy machine, too
    assert len(waited) > 20
    back(cache, guarded)


def test_a_redis_that_can_be_read_and_not_written_soon_costs_nothing_either(
    settings: RedisSettings, client
) -> None:
    guarded = GuardedRedis(settings)
    cache = Cache(guarded, "read-only", "1")
    cache.put_many([(SUBJECT, any_answer(1))])
    client.client_pause(2000, all=False)
    for _ in range(20):
        cache.get_many([SUBJECT])
        cache.put_many([(SUBJECT, any_answer(1))])
    assert guarded.open
    back(cache, guarded)


def back(cache: Cache, guarded: GuardedRedis) -> None:
    """See that the cache is used again, soon after Redis answers."""
    deadline = time.monotonic() + 2 * LONGEST_REST_S
    while cache.get_many([SUBJECT])[0].answer is None:
        assert time.monotonic() < deadline, "the cache was not used again after the freeze"
        time.sleep(0.05)
    assert not guarded.open
    guarded.close()


def test_a_redis_that_is_full_is_asked_all_the_same(cache: Cache, guarded: GuardedRedis, client) -> None:
    cache.put_many([(SUBJECT, any_answer(1))])
    before = client.config_get("maxmemory*")
    client.config_set("maxmemory-policy", "noeviction")
    client.config_set("maxmemory", "1")
    try:
        for _ in range(10):
            cache.put_many([(SUBJECT, any_answer(2))])
            assert cache.get_many([SUBJECT])[0].answer == any_answer(1)
    finally:
        for name in ("maxmemory", "maxmemory-policy"):
            client.config_set(name, before[name])


class Patient:
    """Something that is dead until it is told to live, and counts how often it was asked."""

    def __init__(self) -> None:
        self.lives, self.asked = False, 0

    def __call__(self) -> bool:
        self.asked += 1
        return self.lives


def until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_the_breaker_asks_less_and_less_often_and_lets_nobody_wait_for_the_answer() -> None:
    patient = Patient()
    breaker = Breaker(patient, first_rest_s=0.01, longest_rest_s=0.08)
    for _ in range(3):
        assert not breaker.open
        breaker.failed()
    assert breaker.open
    until(lambda: patient.asked == 3)
    assert breaker._rest_s == 0.08
    until(lambda: patient.asked == 5)
    assert breaker._rest_s == 0.08
    assert breaker.open
    patient.lives = True
    until(lambda: not breaker.open)
    for _ in range(7):
        breaker.succeeded()
    breaker.failed()  # on trial one failure is enough
    assert breaker.open
    until(lambda: not breaker.open)
    for _ in range(8):
        breaker.succeeded()
    assert breaker._rest_s == 0.01
    breaker.failed()
    breaker.failed()
    assert not breaker.open
    breaker.close()


def test_what_was_on_its_way_when_the_breaker_opened_counts_no_more() -> None:
    patient = Patient()
    breaker = Breaker(patient, first_rest_s=0.01)
    for _ in range(10):
        breaker.failed()
    breaker.succeeded()
    assert breaker.open
    assert [t.name for t in threading.enumerate()].count("breaker") == 1
    breaker.close()


def test_a_wrong_address_is_one_line_without_the_password() -> None:
    with pytest.raises(UnreachableError, match="no address of Redis") as caught:
        GuardedRedis(RedisSettings(url="http://:hunter2@host"))
    assert "hunter2" not in str(caught.value)
    with pytest.raises(UnreachableError, match="Redis does not answer"):
        latest_answer(RedisSettings(url="redis://:hunter2@127.0.0.1:1/0"), "x")
