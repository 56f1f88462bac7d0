"""Redis refilled from the topic of objects."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog

from spectraq.schemas import codec
from spectraq.schemas.remembered import RememberedSpectrum
from spectraq.workers.cache.objects import ObjectMemory
from spectraq.workers.contract.remembering import remembered_of, said_of
from spectraq.workers.objects.opened import away, memory
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record

AT_ONCE = 64
"""Spectra that are written in one round trip."""
POLL_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Rebuilt:
    """What was read: spectra that were written, messages that forget one, and what is no record."""

    spectra: int = 0
    forgotten: int = 0
    unreadable: int = 0


def rebuild(settings: Settings, progress: Callable[[int], None] = lambda _: None) -> Rebuilt:
    """Write all that the topic of objects remembers into Redis, up to where it ends now.

    Parameters
    ----------
    progress
        Told how many messages were read.

    Raises
    ------
    UnreachableError
        Where Kafka or Redis does not answer.
    """
    done = Rebuilt()
    with memory(settings) as of, Follower(settings, [settings.topics.objects], True) as follower:
        ends = follower.ends()
        waiting: list[RememberedSpectrum] = []
        while not follower.reached(ends):
            records = follower.poll(POLL_S)
            for record in records:
                if record.tombstone:
                    _write(of, waiting, done)  # in the order of the topic
                    _forget(of, record, done)
                    continue
                read = _read(record, settings.kafka.max_message_bytes, done)
                waiting += [read] if read is not None else []
                if len(waiting) >= AT_ONCE:
                    _write(of, waiting, done)
            progress(len(records))
        _write(of, waiting, done)
    return done


def _write(of: ObjectMemory, waiting: list[RememberedSpectrum], done: Rebuilt) -> None:
    if not waiting:
        return
    rows = [(remembered_of(record), record.spectrum) for record in waiting]
    claims = of.claim(rows, [record.remembered_us for record in waiting])
    answered = [
        (row[0], said_of(record)) for row, record in zip(rows, waiting, strict=True) if record.spectype
    ]
    if claims is None or not of.settle(answered, []):
        raise away()
    done.spectra += len(waiting)
    waiting.clear()


def _forget(of: ObjectMemory, record: Record, done: Rebuilt) -> None:
    object_name, slash, name = (record.key or b"").decode("utf-8", "replace").rpartition("/")
    if not slash:
        done.unreadable += 1
    elif not of.forget([(object_name, name)]):
        raise away()
    else:
        done.forgotten += 1


def _read(record: Record, max_bytes: int, done: Rebuilt) -> RememberedSpectrum | None:
    """Return what a record remembers, None where it is none of ours."""
    try:
        return codec.decode(record.value, record.headers, expect=RememberedSpectrum, max_bytes=2 * max_bytes)
    except codec.DecodeError as error:
        done.unreadable += 1
        log.warning("object_unreadable", partition=record.partition, offset=record.offset, error=str(error))
        return None
