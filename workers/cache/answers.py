"""The cache of answers: what this ensemble has already answered skips the networks.

An aid, never a need: whatever goes wrong is the same as finding nothing (`cache/guarded_redis.py`). Answers
from here equal the networks' to the digit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from redis.exceptions import RedisError

from spectraq.models.answer import Answer
from spectraq.workers.cache.entry_format import Latest, pack_answer, pack_latest, unpack_answer, unpack_latest
from spectraq.workers.cache.guarded_redis import GuardedRedis, connect
from spectraq.workers.cache.keys import answer_key, latest_key, lookups_key
from spectraq.workers.contract.convert import Subject
from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import RedisSettings


@dataclass(frozen=True, slots=True)
class Cached:
    """What the cache knows of one spectrum."""

    answer: Answer | None = None
    duplicate: bool = False  # the same pixels were answered under the same id before


class Cache:
    """Answers by ensemble and pixels, and the latest one of each spectrum id.

    Parameters
    ----------
    redis
        What is asked; whoever made it closes it.
    ensemble_digest, ensemble_version
        Of the ensemble in use: another one's answers are never found.
    """

    def __init__(self, redis: GuardedRedis, ensemble_digest: str, ensemble_version: str) -> None:
        self._redis = redis
        self._ensemble = ensemble_digest
        self._version = ensemble_version
        key = redis.settings.signing_key
        self._key = key.get_secret_value().encode() if key else b""
        self._uncounted = {"spectra": 0, "found": 0}

    def get_many(self, subjects: Sequence[Subject], measured: bool = False) -> list[Cached]:
        """Look all of them up in one round trip; what is not found is an empty `Cached`.

        Parameters
        ----------
        measured
            Whether an answer without its measurement, as a worker gave it that makes none, is none.
        """
        if not subjects:
            return []
        keys = [answer_key(self._ensemble, s.digest, s.survey) for s in subjects]
        keys += [latest_key(s.spectrum_id) for s in subjects]
        entries = self._redis.call("get", lambda: self._entries(keys))
        if entries is None:
            return [Cached() for _ in subjects]
        answers, latest = entries[: len(subjects)], entries[len(subjects) :]
        cached = [self._cached(*row) for row in zip(subjects, answers, latest, strict=True)]
        if measured:
            cached = [e if e.answer is not None and e.answer.measurement else Cached() for e in cached]
        self._uncounted["spectra"] += len(cached)
        self._uncounted["found"] += sum(entry.answer is not None for entry in cached)
        return cached

    def _entries(self, keys: list[str]) -> list[bytes | None]:
        """Get them; what the look-ups before this one found is counted in the same round trip."""
        pipeline = self._redis.client.pipeline(transaction=False)
        pipeline.mget(keys)
        for name, n in self._uncounted.items():
            pipeline.hincrby(lookups_key(), name, n)
        pipeline.expire(lookups_key(), self._redis.settings.ttl_s)
        entries, *_ = pipeline.execute(raise_on_error=False)  # a cache too full to count is of use still
        if isinstance(entries, Exception):
            raise entries
        self._uncounted = dict.fromkeys(self._uncounted, 0)
        return cast("list[bytes | None]", entries)

    def put_many(self, answers: Sequence[tuple[Subject, Answer]]) -> None:
        """Keep them all, in one round trip."""
        if answers:
            self._redis.call("put", lambda: self._put(answers))

    def _put(self, answers: Sequence[tuple[Subject, Answer]]) -> None:
        pipeline = self._redis.client.pipeline(transaction=False)
        ttl_s = self._redis.settings.ttl_s
        for subject, answer in answers:
            place = answer_key(self._ensemble, subject.digest, subject.survey)
            pipeline.set(place, pack_answer(answer, place, self._key), ex=ttl_s)
            latest = Latest(subject=subject, digest=self._ensemble, version=self._version)
            place = latest_key(subject.spectrum_id)
            pipeline.set(place, pack_latest(latest, place, self._key), ex=ttl_s)
        pipeline.execute(raise_on_error=True)

    def _cached(self, subject: Subject, entry: bytes | None, latest_entry: bytes | None) -> Cached:
        place = answer_key(self._ensemble, subject.digest, subject.survey)
        answer = unpack_answer(entry, place, self._key)
        latest = unpack_latest(latest_entry, latest_key(subject.spectrum_id), self._key)
        duplicate = (
            answer is not None
            and latest is not None
            and (latest.subject.digest, latest.digest) == (subject.digest, self._ensemble)
        )
        return Cached(answer, duplicate)


def looked_up(settings: RedisSettings) -> tuple[int, int]:
    """Return how many spectra all workers found in the cache, and how many they looked up.

    Raises
    ------
    UnreachableError
        Where Redis does not answer.
    """
    client = connect(settings)
    try:
        hits, spectra = cast("list[bytes | None]", client.hmget(lookups_key(), ["found", "spectra"]))
        return int(hits or 0), int(spectra or 0)
    except (RedisError, OSError, ValueError) as error:
        raise UnreachableError(f"Redis does not answer ({type(error).__name__})") from error
    finally:
        client.close()


def latest_answer(settings: RedisSettings, spectrum_id: str) -> tuple[Latest, Answer] | None:
    """Find the latest answer under a spectrum's id, whichever ensemble gave it.

    `contract.convert.messages(latest.subject, answer, latest)` makes the results that were published.

    Raises
    ------
    UnreachableError
        Where Redis does not answer.
    """
    key = settings.signing_key.get_secret_value().encode() if settings.signing_key else b""
    client = connect(settings)
    try:
        place = latest_key(spectrum_id)
        latest = unpack_latest(cast("bytes | None", client.get(place)), place, key)
        if latest is None or latest.subject.spectrum_id != spectrum_id:
            return None
        place = answer_key(latest.digest, latest.subject.digest, latest.subject.survey)
        answer = unpack_answer(cast("bytes | None", client.get(place)), place, key)
    except (RedisError, OSError) as error:
        raise UnreachableError(
            f"Redis does not answer ({type(error).__name__});"
            " check redis.url, or start one with `spectraq up`"
        ) from error
    finally:
        client.close()
    return None if answer is None else (latest, answer)
