"""A circuit breaker: stop calling what keeps failing, and try again a little later."""

from __future__ import annotations

import threading
import time

FAILURES = 3
"""One timeout may be a busy machine; three in a row are not."""

REST_S = 1.0
"""Left alone for this long, then one call is let through."""


class Breaker:
    """Open after three failures in a row; closed again by the first success."""

    def __init__(self, failures: int = FAILURES, rest_s: float = REST_S) -> None:
        self._allowed = failures
        self._rest_s = rest_s
        self._failures = 0
        self._open_until = 0.0
        self._lock = threading.Lock()

    @property
    def open(self) -> bool:
        """Whether calls are being kept back."""
        with self._lock:
            return self._failures >= self._allowed

    def allows(self) -> bool:
        """Whether to make a call now; while open, one call a rest is let through on trial."""
        with self._lock:
            if self._failures < self._allowed:
                return True
            now = time.monotonic()
            if now < self._open_until:
                return False
            self._open_until = now + self._rest_s
            return True

    def succeeded(self) -> None:
        """The call worked."""
        with self._lock:
            self._failures = 0

    def failed(self) -> None:
        """The call did not."""
        with self._lock:
            self._failures += 1
            if self._failures >= self._allowed:
                self._open_until = time.monotonic() + self._rest_s
