"""What a reader gives: one message as it came, or a record batch of which no message could be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spectraq.schemas.deadletter import DeadLetterReason

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as Kafka takes it."""

    topic: str
    key: bytes | None
    value: bytes | None  # None deletes the key on a compacted topic
    headers: Headers = ()


PRIORITY_HEADER = ("priority", b"high")
"""Marks a message that was published as urgent; what decides is the topic that it is on."""


NO_TIMESTAMP_MS = -1
"""Kafka's own word for a time that is not known."""

MOST_HEADERS = 1000
"""Of one record; what follows is stepped over, so that empty headers don't become gigabytes of objects."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Why the messages of a record batch can't be read, and how far it reaches."""

    reason: DeadLetterReason
    why: str
    last_offset: int


@dataclass(frozen=True, slots=True)
class Record:
    """One message as it came, with its origin.

    Attributes
    ----------
    damage
        Where this is no message but a batch that could not be read: then `offset` is the first that is
        missing, `value` the batch as Kafka keeps it, and there is neither a key nor a header.
    tombstone
        Whether it has no value at all, which deletes its key on a compacted topic; `value` is empty then.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    timestamp_ms: int
    damage: Damage | None = None
    tombstone: bool = False

    @property
    def next_offset(self) -> int:
        """Where reading goes on behind it."""
        return (self.offset if self.damage is None else self.damage.last_offset) + 1


def headers_in_words(headers: Sequence[object]) -> str:
    """Return how many headers a record has, as far as it was read: "3 headers", "1000 headers or more"."""
    return f"{len(headers)} headers{' or more' if len(headers) >= MOST_HEADERS else ''}"
