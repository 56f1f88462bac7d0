"""Messages on their way out, each with its topic and its key."""

from __future__ import annotations

from collections.abc import Mapping

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from spectraq.workers.contract.convert import Results
from spectraq.workers.contract.framing import OUR_NUMBERS
from spectraq.workers.contract.trace_context import passed_on
from spectraq.workers.topic_settings import Topics
from spectraq.workers.transport.messages import Headers, Outgoing


def outgoing_results(
    results: Results, topics: Topics, came_with: Headers = (), numbers: Mapping[str, int] = OUR_NUMBERS
) -> list[Outgoing]:
    """Make the messages of one spectrum, keyed by its id, in the trace that its message came with.

    `numbers` as of `outgoing_message`.
    """
    trace = passed_on(came_with)
    pairs: list[tuple[str, Message]] = [
        (topics.classifications, results.classification),
        (topics.redshifts, results.redshift),
        (topics.anomalies, results.anomaly),
    ]
    if results.model is not None:
        pairs.append((topics.models, results.model))
    if results.measurement is not None:
        pairs.append((topics.measurements, results.measurement))
    key = results.classification.spectrum_id.encode()
    return [outgoing_message(topic, key, message, trace, numbers) for topic, message in pairs]


def outgoing_message(
    topic: str,
    key: bytes | None,
    message: Message,
    trace: Headers,
    numbers: Mapping[str, int] = OUR_NUMBERS,
) -> Outgoing:
    """Make one message, with the headers that say what it is.

    Parameters
    ----------
    topic, key, message
        Of the message.
    trace
        Headers that carry the trace on.
    numbers
        What to write into the frame of each kind of record, by its name, in place of its schema's own number.
    """
    body = codec.encode(message, numbers.get(type(message).__name__))
    return Outgoing(topic, key, body, (*codec.headers(message), *trace))
