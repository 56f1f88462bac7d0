"""Results that were written a while ago: their copies, as `at_least_once` makes them, are not written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from uuid import UUID


class Remembered:
    """The names of the results of one partition, as many offsets back as are looked at.

    Parameters
    ----------
    many
        Offsets that are looked back.
    """

    def __init__(self, many: int) -> None:
        self._many = many
        self._names: set[bytes] = set()
        self._order: deque[tuple[int, bytes]] = deque()

    def learn(self, known: Iterable[tuple[int, str]]) -> None:
        """Take offsets and names of results that are written, in order of the offsets."""
        for offset, result_id in known:
            self.is_new(offset, result_id)

    def is_new(self, offset: int, result_id: str) -> bool:
        """Return whether a result is not among those remembered, and remember it."""
        while self._order and self._order[0][0] < offset - self._many:
            self._names.discard(self._order.popleft()[1])
        name = _short(result_id)
        if name in self._names:
            return False
        if self._many:
            self._names.add(name)
            self._order.append((offset, name))
        return True


def _short(result_id: str) -> bytes:
    """Return the 16 bytes of a UUID; of a name that is none, its own."""
    try:
        return UUID(result_id).bytes
    except ValueError:
        return result_id.encode()
