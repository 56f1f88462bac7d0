"""Messages on their way out, each with its topic and its key."""

from __future__ import annotations

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from spectraq.workers.contract.convert import Results
from spectraq.workers.contract.trace_context import passed_on
from spectraq.workers.settings import Topics
from spectraq.workers.transport.messages import Headers, Outgoing


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
    if results.measurement is not None:
        pairs.append((topics.measurements, results.measurement))
    key = results.classification.spectrum_id.encode()
    return [outgoing_message(topic, key, message, trace) for topic, message in pairs]


def outgoing_message(topic: str, key: bytes | None, message: Message, trace: Headers) -> Outgoing:
    """Make one message, with the headers that say what it is."""
    return Outgoing(topic, key, codec.encode(message), (*codec.headers(message), *trace))
