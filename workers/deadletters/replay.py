"""Which dead letters are worth another try, and the try: what has been answered is not answered twice.

Kafka alone remembers: a message that is sent again says in a header which one it repeats, and the results
say which spectra were answered since a letter was set aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from spectraq.schemas.codec import DecodeError, decode
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.results import Result
from spectraq.workers.contract.writer_schemas import WriterSchemas
from spectraq.workers.deadletters.browse import QUIET_S, Letter
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.registry_requests import RegistryAwayError
from spectraq.workers.transport.sender import Sender

REPLAY_HEADER = "spectraq-replay-of"
"""Says of a replayed message which one it repeats: topic:partition:offset."""


class Try(NamedTuple):
    """A letter, and why it is not sent again; an empty string where it is."""

    letter: Letter
    not_sent: str


def plan(settings: Settings, letters: Iterable[Letter], again: bool = False) -> list[Try]:
    """Decide of each letter whether it is sent again.

    Parameters
    ----------
    settings
        The settings in force.
    letters
        Those that are asked for.
    again
        Send what was sent or answered before, too.

    Raises
    ------
    UnreachableError
        Where Kafka does not answer.
    """
    chosen = list(letters)
    if not chosen:
        return []
    since_ms = min(letter.set_aside_ms for letter in chosen)
    sent = frozenset() if again else _sent(settings, since_ms)
    answered = {} if again else _answered(settings, since_ms)
    schemas = WriterSchemas(settings.kafka)
    tries = []
    for letter in chosen:
        why = ""
        if letter.letter.last_offset is not None:
            why = "it is a record batch that could not be read, not a message: send its spectra again"
        elif letter.letter.reason == DeadLetterReason.TOMBSTONE:
            why = "it is a tombstone: it has no value that could be sent"
        elif letter.letter.cut:
            why = "it was too large to be kept whole: send the original"
        elif letter.origin in sent:
            why = "it was sent again before"
        elif answered.get(_spectrum_id(letter, schemas), -1) >= letter.set_aside_ms:
            why = "a spectrum of this id was answered since"
        tries.append(Try(letter, why))
    return tries


def send(settings: Settings, tries: Iterable[Try]) -> None:
    """Send the original bytes of the letters that are to be sent to the topic of spectra.

    Raises
    ------
    DeliveryError
        Where Kafka did not acknowledge one; those before it were sent.
    """
    with Sender(settings) as publisher:
        for letter, not_sent in tries:
            if not not_sent:
                kept = [pair for pair in letter.letter.headers if pair[0] != REPLAY_HEADER]
                headers = [*kept, (REPLAY_HEADER, letter.origin.encode())]
                publisher.send(settings.topics.spectra, letter.letter.key, letter.letter.value, headers)


def _sent(settings: Settings, since_ms: int) -> frozenset[str]:
    """Return the origins of all messages that were sent again."""
    return frozenset(
        value.decode(errors="replace")
        for record in _records(settings, settings.topics.spectra, since_ms)
        for name, value in record.headers
        if name == REPLAY_HEADER
    )


def _answered(settings: Settings, since_ms: int) -> dict[str, int]:
    """Return the ids of the spectra that were answered, and when last."""
    answered = {}
    for record in _records(settings, settings.topics.classifications, since_ms):
        try:
            result = decode(record.value, record.headers)
        except DecodeError:
            continue
        if isinstance(result, Result):
            answered[result.spectrum_id] = record.timestamp_ms
    return answered


def _records(settings: Settings, topic: str, since_ms: int) -> Iterator[Record]:
    with Follower(settings, [topic], from_beginning=True) as follower:
        follower.seek_to_time(since_ms)
        while not follower.drained():
            yield from follower.poll(QUIET_S)


def _spectrum_id(letter: Letter, schemas: WriterSchemas) -> str:
    try:
        return letter.spectrum(schemas).spectrum_id
    except (DecodeError, RegistryAwayError):
        return ""
