"""Messages on their way out, each with its topic and its key."""

from __future__ import annotations

from dataclasses import dataclass

from schemas import codec
from schemas.deadletter import DeadLetter
from schemas.message import Message
from workers.answers import Results
from workers.deadletters import cut_to_size
from workers.settings import Settings, Topics
from workers.trace import passed_on

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message as Kafka takes it."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers = ()


def outgoing_results(results: Results, topics: Topics, came_with: Headers = ()) -> list[Outgoing]:
    """Make the messages of one spectrum, keyed by its id, in the trace that its message came with."""
    trace = passed_on(came_with)
    pairs: list[tuple[str, Message]] = [
        (topics.classifications, results.classification),
        (topics.redshifts, results.redshift),
        (topics.anomalies, results.anomaly),
    ]
    if results.model is not None:
        pairs.append((topics.models, results.model))
    key = results.classification.spectrum_id.encode()
    return [_outgoing(topic, key, message, trace) for topic, message in pairs]


def outgoing_letter(letter: DeadLetter, settings: Settings) -> Outgoing:
    """Make the message of a dead letter, under the key of the original."""
    trace = passed_on(letter.headers)
    letter = cut_to_size(letter, settings.kafka.max_message_bytes)
    return _outgoing(settings.topics.dead_letters, letter.key, letter, trace)


def _outgoing(topic: str, key: bytes | None, message: Message, trace: Headers) -> Outgoing:
    return Outgoing(topic, key, codec.encode(message), (*codec.headers(message), *trace))
