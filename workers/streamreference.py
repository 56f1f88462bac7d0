"""Anomaly thresholds that follow the stream: what is normal for each survey, class and S/N, kept in Redis.

Workers hold none of it: each adds what it has seen and reads what all have seen, a round trip a batch each.
With Redis gone, slow or talking nonsense the shipped reference judges, and every Anomaly says which did.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import structlog
from redis.exceptions import RedisError

from models.anomaly.adapt import BULK_RATE, LEAST_SPECTRA, Cell, cell_names
from models.anomaly.judge import FLAG_RATE
from models.answer import Answer
from workers.breaker import Breaker
from workers.cache import connect
from workers.redis_keys import stream_key
from workers.settings import RedisSettings

REMEMBERED = 4_000
"""A cell that has seen more is halved: a night's instrument is not last month's."""
LEARN = f"""
local n = redis.call('HINCRBY', KEYS[1], ARGV[1] .. ' n', ARGV[2])
redis.call('HINCRBYFLOAT', KEYS[1], ARGV[1] .. ' depth', ARGV[3])
if n > {REMEMBERED} then
  local depth = tonumber(redis.call('HGET', KEYS[1], ARGV[1] .. ' depth'))
  redis.call('HSET', KEYS[1], ARGV[1] .. ' n', math.floor(n / 2), ARGV[1] .. ' depth', tostring(depth / 2))
end
return n
"""
"""Adds to a cell, all at once: workers add to the same cells at the same time."""

log = structlog.get_logger(__name__)


class StreamReference:
    """What the stream has shown to be normal.

    Parameters
    ----------
    settings
        Where Redis is, and how long it may take.
    ensemble_digest
        Of the ensemble in use: what another one's scores were is not compared with this one's.
    """

    def __init__(
        self,
        settings: RedisSettings,
        ensemble_digest: str,
        enabled: bool = True,
        on_failure: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._key = stream_key(ensemble_digest)
        self._enabled = enabled and settings.enabled
        self._on_failure = on_failure
        self._breaker = Breaker()
        self._redis = connect(settings)
        self._learn = self._redis.register_script(LEARN)

    def judge(self, answers: Sequence[Answer], surveys: Sequence[str | None]) -> list[Answer]:
        """Return the answers with their anomalies judged by what the stream has shown.

        An answer of a cell that has not seen enough comes back as it is.
        """
        names = [_cells(answer, survey) for answer, survey in zip(answers, surveys, strict=True)]
        cells = self._read(sorted({name for several in names for name in several}))
        return [_judged(answer, several, cells) for answer, several in zip(answers, names, strict=True)]

    def learn(self, answers: Sequence[Answer], surveys: Sequence[str | None]) -> None:
        """Add answers, as the networks gave them, to what the stream has shown."""
        depths: dict[str, list[float]] = defaultdict(list)
        for answer, survey in zip(answers, surveys, strict=True):
            if answer.anomaly_false_positive_rate > BULK_RATE:
                for name in _cells(answer, survey):
                    depths[name].append(-math.log(answer.anomaly_false_positive_rate))
        if not depths:
            return

        def add() -> None:
            with self._redis.pipeline(transaction=False) as pipeline:
                for name, seen in depths.items():
                    self._learn(keys=[self._key], args=[name, len(seen), repr(sum(seen))], client=pipeline)
                pipeline.expire(self._key, self._settings.ttl_s)
                pipeline.execute()

        self._call("learn", add)

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _read(self, names: Sequence[str]) -> dict[str, Cell]:
        if not names:
            return {}
        fields = [f"{name} {what}" for name in names for what in ("n", "depth")]
        found = self._call("read", lambda: cast("list[bytes | None]", self._redis.hmget(self._key, fields)))
        if found is None:
            return {}
        pairs = zip(names, found[::2], found[1::2], strict=True)
        return {name: cell for name, n, depth in pairs if (cell := _parsed(n, depth)) is not None}

    def _call(self, what: str, call: Callable[[], Any]) -> Any:
        """Make one call, or none while the breaker is open; None where there is no answer."""
        if not self._enabled:
            return None
        if not self._breaker.allows():
            self._on_failure()
            return None
        try:
            found = call()
        except (RedisError, OSError, ValueError) as error:
            self._breaker.failed()
            self._on_failure()
            log.warning("stream_reference_failed", call=what, error=type(error).__name__)
            return None
        self._breaker.succeeded()
        return found


def _cells(answer: Answer, survey: str | None) -> tuple[str, str, str]:
    return cell_names(survey, answer.spectype, answer.snr)


def _parsed(n: bytes | None, depth: bytes | None) -> Cell | None:
    """Read a cell, or None where it is missing or can't be one."""
    try:
        cell = Cell(int(n or b""), float(depth or b""))
    except ValueError:
        return None
    return cell if cell.valid else None


def _judged(answer: Answer, names: Sequence[str], cells: dict[str, Cell]) -> Answer:
    """Judge by the narrowest cell that has seen enough; by the answer's own reference where none has."""
    known = [(name, cells[name]) for name in names if name in cells and cells[name].n >= LEAST_SPECTRA]
    if not known:
        return answer
    name, cell = known[0]
    rate = cell.rate(answer.anomaly_false_positive_rate)
    return replace(
        answer,
        anomaly_false_positive_rate=rate,
        anomaly_score=-math.log10(rate),
        anomaly_flagged=rate < FLAG_RATE,
        anomaly_reference=f"{answer.anomaly_reference}, adapted to {cell.n} of {name}",
    )
