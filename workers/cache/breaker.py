"""A circuit breaker: stop calling what keeps failing; a thread of its own finds out when it is back.

While it is open nobody who works waits for a trial: `alive` is asked beside them, after rests that grow. Then
calls are let through on trial, until so many in a row have worked; the first that fails opens it again.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable

FAILURES = 3
RECENT = 8
"""One timeout may be a busy machine; three of the last eight calls are not. Not three in a row: of a server
that can be read and not written, every other call works."""

FIRST_REST_S = 1.0
LONGEST_REST_S = 10.0


class Breaker:
    """Open after three failures among eight calls; closed again once `alive` says so.

    Parameters
    ----------
    alive
        Tells whether calls may work again; asked on a thread of its own, and free to take its time.
    first_rest_s, longest_rest_s
        Rests before `alive` is asked: each is twice the one before, up to the longest, less up to half by
        chance, so that many workers don't ask at once. Eight calls in a row that worked start them anew.
    """

    def __init__(
        self,
        alive: Callable[[], bool],
        first_rest_s: float = FIRST_REST_S,
        longest_rest_s: float = LONGEST_REST_S,
    ) -> None:
        self._alive = alive
        self._first_rest_s, self._longest_rest_s = first_rest_s, longest_rest_s
        self._rest_s = first_rest_s
        self._recent: deque[bool] = deque(maxlen=RECENT)
        self._resting = self._on_trial = False
        self._closed = threading.Event()
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether calls are being kept back."""
        with self._lock:
            return self._resting

    def succeeded(self) -> None:
        """Count a call that worked."""
        with self._lock:
            if self._resting:  # it was on its way when the others failed
                return
            self._recent.append(True)
            if self._on_trial and len(self._recent) == RECENT:
                self._on_trial = False
                self._rest_s = self._first_rest_s

    def failed(self) -> None:
        """Count a call that did not work."""
        with self._lock:
            if self._resting:
                return
            self._recent.append(False)
            if self._on_trial or self._recent.count(False) >= FAILURES:
                self._recent.clear()
                self._resting = True
                threading.Thread(target=self._await_life, name="breaker", daemon=True).start()

    def close(self) -> None:
        """Ask no more."""
        self._closed.set()

    def _await_life(self) -> None:
        while not self._closed.wait(self._next_rest()):
            if self._alive():
                with self._lock:
                    self._resting, self._on_trial = False, True
                return

    def _next_rest(self) -> float:
        with self._lock:
            rest_s = self._rest_s
            self._rest_s = min(2 * rest_s, self._longest_rest_s)
        return rest_s * random.uniform(0.5, 1.0)
