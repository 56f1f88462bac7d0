"""How a worker asks Redis: no call waits long, none is repeated, and one breaker guards them all.

Redis is an aid, never a need: whatever goes wrong with a call is the same as finding nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha1
from typing import Any, TypeVar

import structlog
from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError
from redis.retry import Retry

from spectraq.workers.cache.breaker import Breaker
from spectraq.workers.errors import UnreachableError
from spectraq.workers.settings import RedisSettings

log = structlog.get_logger(__name__)

Reply = TypeVar("Reply")


class GuardedRedis:
    """A client of Redis, and the breaker that all its calls share.

    Parameters
    ----------
    settings
        Where Redis is, and how long it may take.
    on_failure
        Called whenever a call failed or was kept back by the breaker.
    """

    def __init__(self, settings: RedisSettings, on_failure: Callable[[], None] = lambda: None) -> None:
        self.settings = settings
        self.client = connect(settings)
        self.on_failure = on_failure
        self._breaker = Breaker(self._alive)

    @property
    def open(self) -> bool:
        """Whether Redis is being left alone because it failed."""
        return self._breaker.open

    def call(self, what: str, function: Callable[[], Reply]) -> Reply | None:
        """Make one call, or none while the breaker is open; None where there is no answer.

        Parameters
        ----------
        what
            Names the call in the log.
        function
            Asks `client`.
        """
        if not self.settings.enabled:
            return None
        if self._breaker.open:
            self.on_failure()
            return None
        try:
            reply = function()
        except (RedisError, OSError, ValueError) as error:
            # A server that is full, or may only be read, has answered at once, and can be read.
            if not isinstance(error, OutOfMemoryError | ReadOnlyError):
                self._breaker.failed()
            self.on_failure()
            log.warning("cache_failed", call=what, error=type(error).__name__, resting=self._breaker.open)
            return None
        self._breaker.succeeded()
        return reply

    def run_script(self, what: str, script: str, runs: Sequence[tuple[list[str], list[Any]]]) -> Any:
        """Run one Lua script several times in one round trip, and return their replies, or None.

        Parameters
        ----------
        what
            Names the call in the log.
        script
            Sent once, and again where the server has forgotten it.
        runs
            Keys and arguments of each time.
        """
        name = sha1(script.encode()).hexdigest()

        def run() -> list[Any]:
            with self.client.pipeline(transaction=False) as pipeline:
                for keys, arguments in runs:
                    pipeline.evalsha(name, len(keys), *keys, *arguments)
                return pipeline.execute()

        def run_known() -> list[Any]:
            try:
                return run()
            except NoScriptError:
                self.client.script_load(script)
                return run()

        return self.call(what, run_known)

    def close(self) -> None:
        """Let go of the connections."""
        self._breaker.close()
        self.client.close()

    def _alive(self) -> bool:
        try:
            self.client.ping()
        except (RedisError, OSError, ValueError):
            return False
        log.info("cache_answers")
        return True


def connect(settings: RedisSettings) -> Redis:
    """Make a client that never waits long and never repeats a call.

    Raises
    ------
    UnreachableError
        Where the address can't be one of Redis.
    """
    try:
        pool = ConnectionPool.from_url(
            settings.url.get_secret_value(),
            socket_timeout=settings.timeout_s,
            socket_connect_timeout=settings.timeout_s,
            retry=Retry(NoBackoff(), 0),
        )
        pool.connection_class(**pool.connection_kwargs)  # takes an option of the URL, or does not know it
    except (ValueError, TypeError):
        # the library's own message would repeat the URL, and the password in it
        raise UnreachableError(
            "redis.url is no address of Redis, or has an option that the client does not know;"
            " write redis://HOST:PORT/0, rediss://... or unix:///PATH"
        ) from None
    return Redis(connection_pool=pool)
