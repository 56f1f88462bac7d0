"""Faults that no signal from outside can time: death at one place of the code, and a clock that jumps."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

from kafka.record.default_records import DefaultRecordBatchBuilder

from spectraq.workers.transport import batches
from spectraq.workers.transport.group_options import Listener
from spectraq.workers.transport.offsets import GroupOffsets
from spectraq.workers.transport.producer import ExactlyOnce, Producer

BATCHES_BEFORE = 3
"""The fourth batch is the worker's last."""

REVOKED = "after_partitions_are_revoked"
"""Half-way through a rebalance: they are nobody's until this worker has joined once more."""

EVERY_S = 0.2
FARTHEST_S = 7200.0
"""Kafka takes no message that is more than an hour ahead of its own clock; some jumps go farther."""

MOMENTS: dict[str, tuple[type, str, str, bool]] = {
    "before_publish": (Producer, "_send", "", False),
    "after_publish": (Producer, "_send", "", True),  # at least once: before the commit; else in a transaction
    "with_the_offsets_in_the_transaction": (ExactlyOnce, "_wait", "adding the offsets", True),
    "after_the_transaction": (ExactlyOnce, "_wait", "committing the transaction", True),
    "after_the_commit": (GroupOffsets, "commit", "", True),
    REVOKED: (Listener, "on_partitions_revoked", "", True),
}
"""Class, method, an argument that the call must have, and whether death comes after it."""


def die_at(moment: str) -> None:
    """Have this process end, as by `kill -9`, the fourth time that it gets to a place; revoked, the first."""
    owner, name, argument, after = MOMENTS[moment]
    before = 0 if moment == REVOKED else BATCHES_BEFORE
    original: Callable[..., Any] = getattr(owner, name)
    calls = itertools.count()

    def deadly(*given: Any) -> Any:
        counts = not argument or argument in given
        last = counts and next(calls) >= before
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        found = original(*given)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    setattr(owner, name, deadly)


def die_unpacking(marker: bytes) -> None:
    """Have this process end, as by a fault of a codec, when it unpacks a batch that has a marker in it."""
    unpack = batches.unpack

    def deadly(codec: int, packed: memoryview, most_bytes: int) -> bytes:
        found = unpack(codec, packed, most_bytes)
        if marker in found:
            os.kill(os.getpid(), signal.SIGKILL)
        return found

    batches.unpack = deadly


def let_the_clock_jump() -> None:
    """Have the time of day jump to and fro for as long as this process lives, by up to two hours."""
    generator, true = random.Random(0), time.time
    shift = 0.0

    def wrong() -> float:
        return true() + shift

    def jump() -> None:
        nonlocal shift
        while True:
            time.sleep(EVERY_S)
            shift = generator.uniform(-FARTHEST_S, FARTHEST_S)

    time.time = wrong
    # the client took hold of the clock when it was imported
    append = DefaultRecordBatchBuilder.append
    append.__defaults__ = tuple(wrong if given is true else given for given in append.__defaults__)
    threading.Thread(target=jump, daemon=True).start()
