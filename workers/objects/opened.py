"""The memory of objects as a command opens it: it waits longer than a worker, and says when Redis is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from redis.exceptions import RedisError

from spectraq.workers.cache.guarded_redis import GuardedRedis
from spectraq.workers.cache.objects import ObjectMemory, object_redis
from spectraq.workers.contract.object_choice import Seen
from spectraq.workers.contract.object_names import object_id_of
from spectraq.workers.errors import SettingsError, UnreachableError
from spectraq.workers.settings import Settings

PATIENCE_S = 10.0


@contextmanager
def memory(settings: Settings) -> Iterator[ObjectMemory]:
    """Open the serving copy.

    Raises
    ------
    SettingsError
        Where Redis is turned off.
    UnreachableError
        Where its address can't be one.
    """
    if not settings.redis.enabled:
        raise SettingsError("settings: redis.enabled is false, so there is no memory of objects to look at")
    own = object_redis(settings) or settings.redis
    patient = own.model_copy(update={"timeout_s": max(own.timeout_s, PATIENCE_S)})
    redis = GuardedRedis(patient)
    try:
        yield ObjectMemory(redis, settings.objects.radius_arcsec)
    except (RedisError, OSError) as error:
        raise away(error) from error
    finally:
        redis.close()


def away(error: Exception | None = None) -> UnreachableError:
    """Return the error of a Redis that gave no answer."""
    why = f" ({type(error).__name__})" if error else ""
    return UnreachableError(
        f"Redis does not answer{why}; check objects.url and redis.url, or start one with `spectraq up`"
    )


def spectra_of(of: ObjectMemory, name: str) -> list[Seen]:
    """Return the remembered spectra of an object, the oldest first.

    Raises
    ------
    UnreachableError
        Where Redis does not answer.
    """
    found = of.of_ids([object_id_of(name)])
    if found is None:
        raise away()
    return sorted(next(iter(found.values())), key=lambda seen: seen[0])


def spectra_near(of: ObjectMemory, ra: float, dec: float, radius_arcsec: float) -> list[Seen]:
    """Return the remembered spectra of all objects around a position (deg, ICRS), the oldest first.

    Raises
    ------
    UnreachableError
        Where Redis does not answer.
    """
    ids = of.near(ra, dec, radius_arcsec)
    found = of.of_ids(ids) if ids is not None else None
    if found is None:
        raise away()
    return sorted((seen for each in found.values() for seen in each), key=lambda seen: seen[0])
