"""A number that moves whenever what is in hand stops being this worker's to finish."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Epoch:
    """The period in which one assignment of partitions and one producer hold.

    It moves when partitions are assigned, revoked or lost, when the membership of the group changes, and when
    a publication fails. Whoever holds records read in an older epoch drops them: the consumer goes back to
    the committed offsets of all its partitions, so they are read again by whoever owns them then.

    Moving it is all that a rebalance listener may do, since that runs on the client's I/O thread.

    Parameters
    ----------
    on_move
        Called with the reason, on whatever thread moves the epoch.
    """

    def __init__(self, on_move: Callable[[str], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._value = 0
        self._on_move = on_move

    @property
    def value(self) -> int:
        """The current epoch."""
        with self._lock:
            return self._value

    def move(self, reason: str) -> None:
        """End the current epoch."""
        with self._lock:
            self._value += 1
        if self._on_move is not None:
            self._on_move(reason)
