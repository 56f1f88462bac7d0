"""What can't be analysed goes to a topic of its own, with its bytes, its origin and the reason."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping

import structlog

from spectraq.schemas.deadletter import DeadLetter, DeadLetterReason
from spectraq.workers.contract.framing import OUR_NUMBERS
from spectraq.workers.contract.outgoing import outgoing_message
from spectraq.workers.contract.trace_context import passed_on
from spectraq.workers.settings import Settings
from spectraq.workers.transport.messages import Outgoing, Record, headers_in_words
from spectraq.workers.transport.topics import ENVELOPE_BYTES


def outgoing_letter(
    letter: DeadLetter, settings: Settings, numbers: Mapping[str, int] = OUR_NUMBERS
) -> Outgoing:
    """Make the message of a dead letter, under the original's key; `numbers` as of `outgoing_message`."""
    trace = passed_on(letter.headers)
    letter = cut_to_size(letter, settings.kafka.max_message_bytes)
    return outgoing_message(settings.topics.dead_letters, letter.key, letter, trace, numbers)


VERSION = importlib.metadata.version("spectraq")

HEADERS_BYTES = ENVELOPE_BYTES // 4
KEY_BYTES = ENVELOPE_BYTES // 4
HEADERS = 100
"""Of an original's headers and key this much is kept, so that the letter is never too large for its topic."""

log = structlog.get_logger(__name__)


def dead_letter(record: Record, reason: str, message: str) -> DeadLetter:
    """Write the letter for one record, and log where it came from; never what was in it."""
    log.warning(
        "dead_letter",
        reason=str(reason),
        message=message,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        bytes=len(record.value),
        **({} if record.damage is None else {"last_offset": record.damage.last_offset}),
    )
    return DeadLetter(
        reason=DeadLetterReason(reason),
        message=message,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=record.headers,
        timestamp_ms=record.timestamp_ms,
        spectraq_version=VERSION,
        last_offset=None if record.damage is None else record.damage.last_offset,
    )


def cut_to_size(letter: DeadLetter, value_bytes: int) -> DeadLetter:
    """Cut what a stranger made too large for our topic; the letter then says so, and where the whole is.

    Parameters
    ----------
    value_bytes
        Of the original's value this much is kept.
    """
    headers = _first_headers(letter.headers)
    cuts = []
    if len(letter.value) > value_bytes:
        cuts.append(f"the first {value_bytes} of {len(letter.value)} bytes")
    if len(headers) < len(letter.headers):
        cuts.append(f"{len(headers)} of {headers_in_words(letter.headers)}")
    if letter.key is not None and len(letter.key) > KEY_BYTES:
        cuts.append(f"the first {KEY_BYTES} of {len(letter.key)} bytes of the key")
    if not cuts:
        return letter
    origin = f"{letter.topic}, partition {letter.partition}, offset {letter.offset}"
    return letter.model_copy(
        update={
            "cut": True,
            "message": f"{letter.message}; kept here are {' and '.join(cuts)}, the whole is in {origin}",
            "value": letter.value[:value_bytes],
            "headers": headers,
            "key": None if letter.key is None else letter.key[:KEY_BYTES],
        }
    )


def _first_headers(headers: tuple[tuple[str, bytes], ...]) -> tuple[tuple[str, bytes], ...]:
    kept = []
    room = HEADERS_BYTES
    for name, value in headers[:HEADERS]:
        room -= len(name.encode()) + len(value)
        if room < 0:
            break
        kept.append((name, value))
    return tuple(kept)
