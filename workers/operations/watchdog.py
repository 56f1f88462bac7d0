"""A deadline for every call that has none of its own."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

EXIT_RESTART = 75
"""EX_TEMPFAIL of sysexits.h: nothing is wrong with the request, start this worker again."""

TICK_S = 0.25

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Call:
    what: str
    ticks_left: int


def end_process(reason: str) -> None:
    """End the process at once, so that whoever supervises it starts a fresh one; what was in hand is read
    again.

    A thread that is stuck in a client call can't be stopped in any other way.
    """
    log.critical("worker_restarts", reason=reason, exit_code=EXIT_RESTART)
    os._exit(EXIT_RESTART)


class Watchdog:
    """A thread that ends the process when a watched call does not return in time.

    Time is counted in ticks that this thread lives through, not by the clock: a process that was stopped for
    a minute, with its machine or by SIGSTOP, has not been stuck for a minute.

    Parameters
    ----------
    on_overdue
        Called with the reason when a call is overdue; ends the process.
    """

    def __init__(self, on_overdue: Callable[[str], None] = end_process) -> None:
        self._on_overdue = on_overdue
        self._calls: dict[int, _Call] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> Watchdog:
        """Begin to watch."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    @contextmanager
    def deadline(self, seconds: float, what: str) -> Iterator[None]:
        """Give the calls inside `seconds` to return; `what` names them in the log."""
        number = next(self._numbers)
        with self._lock:
            self._calls[number] = _Call(what, ticks_left=int(seconds / TICK_S) + 1)
        try:
            yield
        finally:
            with self._lock:
                del self._calls[number]

    def _run(self) -> None:
        while not self._stopped.wait(TICK_S):
            with self._lock:
                for call in self._calls.values():
                    call.ticks_left -= 1
                overdue = [call.what for call in self._calls.values() if call.ticks_left < 0]
            if overdue:
                self._on_overdue(f"no return from: {', '.join(overdue)}")
