"""Messages with pixels, newest first kept, bounded in bytes; and where the others lie on their topics."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies."""

    topic: str
    partition: int
    offset: int
    at: float  # unix seconds of its timestamp


class Pixels:
    """Bodies by spectrum id, of at most `max_bytes` together, and places of at most `max_places`.

    Parameters
    ----------
    max_bytes
        Bodies beyond this are let go, those longest unused first; their places stay known.
    max_places
        Places beyond this are forgotten, oldest first.
    """

    def __init__(self, max_bytes: int, max_places: int) -> None:
        self._max_bytes, self._max_places = max_bytes, max_places
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._places: OrderedDict[str, Place] = OrderedDict()
        self.bytes = 0

    def put(self, spectrum_id: str, body: bytes, place: Place | None = None) -> None:
        """Keep a body in the place of an older one."""
        self.bytes += len(body) - len(self._bodies.pop(spectrum_id, b""))
        self._bodies[spectrum_id] = body
        while self.bytes > self._max_bytes:
            self.bytes -= len(self._bodies.popitem(last=False)[1])
        if place is not None:
            self._places.pop(spectrum_id, None)
            self._places[spectrum_id] = place
            if len(self._places) > self._max_places:
                self._places.popitem(last=False)

    def body(self, spectrum_id: str) -> bytes | None:
        """Return a body that is kept."""
        found = self._bodies.get(spectrum_id)
        if found is not None:
            self._bodies.move_to_end(spectrum_id)
        return found

    def place(self, spectrum_id: str) -> Place | None:
        """Return where the message lies."""
        return self._places.get(spectrum_id)
