"""A thread that does one thing with each piece of work it is handed."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Work = TypeVar("Work")

PUT_TICK_S = 0.2


class Stage(Generic[Work]):
    """One step of the worker on a thread of its own, with room for one piece of work ahead.

    Parameters
    ----------
    name
        Of the thread.
    do
        What to do with each piece. What it raises ends the stage and is kept in `failure`.
    """

    def __init__(self, name: str, do: Callable[[Work], None]) -> None:
        self.failure: BaseException | None = None
        self._do = do
        self._inbox: queue.Queue[Work] = queue.Queue(maxsize=1)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def has_room(self) -> bool:
        """Whether `put` would return at once."""
        return not self._inbox.full()

    @property
    def idle(self) -> bool:
        """Whether nothing is being done and nothing waits."""
        return not self._inbox.unfinished_tasks

    def put(self, work: Work) -> None:
        """Hand over one piece, and wait for room; nothing is taken any more once the stage has stopped."""
        while not self._stopped.is_set():
            try:
                self._inbox.put(work, timeout=PUT_TICK_S)
            except queue.Full:
                continue
            return

    def stop(self, timeout_s: float) -> bool:
        """Stop after the piece in hand, and return whether it did within the timeout."""
        self._stopped.set()
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                try:
                    work = self._inbox.get(timeout=PUT_TICK_S)
                except queue.Empty:
                    continue
                self._do(work)
                self._inbox.task_done()
        except BaseException as error:
            self.failure = error
            self._stopped.set()
