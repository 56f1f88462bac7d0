"""Messages with pixels, newest first kept, bounded in bytes; and where the others lie on their topics.

Whose pixels they are is said by what is in a message and by nothing else: its spectrum's id and the digest of
its pixels. The key that it came under may be anybody's.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple


class Name(NamedTuple):
    """Which spectrum: the same id with other pixels is another one."""

    spectrum_id: str
    digest: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies."""

    topic: str
    partition: int
    offset: int
    at: float  # unix seconds of its timestamp


class Pixels:
    """Bodies by name, of at most `max_bytes` together, and places of at most `max_places`.

    Parameters
    ----------
    max_bytes
        Bodies beyond this are let go, those longest unused first; their places stay known.
    max_places
        Places beyond this are forgotten, oldest first.
    """

    def __init__(self, max_bytes: int, max_places: int) -> None:
        self._max_bytes, self._max_places = max_bytes, max_places
        self._bodies: OrderedDict[Name, bytes] = OrderedDict()
        self._places: OrderedDict[Name, Place] = OrderedDict()
        self._newest: OrderedDict[str, str] = OrderedDict()  # digests by id
        self.bytes = 0

    def put(self, name: Name, body: bytes, place: Place | None = None) -> None:
        """Keep a body in the place of an older one."""
        self.bytes += len(body) - len(self._bodies.pop(name, b""))
        self._bodies[name] = body
        while self.bytes > self._max_bytes:
            self.bytes -= len(self._bodies.popitem(last=False)[1])
        self._newest[name.spectrum_id] = name.digest
        self._newest.move_to_end(name.spectrum_id)
        if len(self._newest) > self._max_places:
            self._newest.popitem(last=False)
        if place is not None:
            self._places.pop(name, None)
            self._places[name] = place
            if len(self._places) > self._max_places:
                self._places.popitem(last=False)

    def body(self, name: Name) -> bytes | None:
        """Return a body that is kept."""
        body = self._bodies.get(name)
        if body is not None:
            self._bodies.move_to_end(name)
        return body

    def newest(self, spectrum_id: str) -> Name | None:
        """Return the spectrum that came last under an id."""
        digest = self._newest.get(spectrum_id)
        return None if digest is None else Name(spectrum_id, digest)

    def place(self, name: Name) -> Place | None:
        """Return where the message lies."""
        return self._places.get(name)
