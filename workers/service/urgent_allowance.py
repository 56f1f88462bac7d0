"""How many urgent spectra a worker takes a second, so that the lane for them never starves the others."""

from __future__ import annotations

import time
from collections.abc import Callable

BURST_S = 1.0
"""What was not used in this long may be used at once."""


class Allowance:
    """A token bucket: one token a spectrum, refilled at a rate.

    Taking never fails; it may leave a debt, and while there is one the lane is closed.

    Parameters
    ----------
    rate
        Spectra a second; 0 for no limit.
    clock
        Seconds that never go back.
    """

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._tokens = rate * BURST_S
        self._counted_at = clock()

    @property
    def open(self) -> bool:
        """Whether more may be read."""
        if not self._rate:
            return True
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._counted_at) * self._rate, self._rate * BURST_S)
        self._counted_at = now
        return self._tokens > 0

    def take(self, spectra: int) -> None:
        """Count what was read."""
        self._tokens -= spectra
