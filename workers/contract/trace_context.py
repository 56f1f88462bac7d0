"""Trace context from a message to what becomes of it (W3C Trace Context, as OpenTelemetry puts it on Kafka).

A feed that traces its spectra finds the results in the same trace: the trace id stays, the span is the
worker's own. What is no trace context is left out, so that a stranger's header goes no further.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable

_TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
_NOTHING = (b"0" * 32, b"0" * 16)
SPAN_BYTES = 8
MAX_STATE_BYTES = 512
"""As much of `tracestate` every system must pass on (W3C Trace Context, 3.3.1.5)."""


def passed_on(headers: Iterable[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that carry the trace of one message on to the next.

    Parameters
    ----------
    headers
        Of the message that came.

    Returns
    -------
    pairs
        `traceparent` with a span of our own, and `tracestate` as it came; nothing without a valid trace.
    """
    found = {name.lower(): value for name, value in headers if name.lower() in ("traceparent", "tracestate")}
    match = _TRACEPARENT.fullmatch(found.get("traceparent") or b"")
    if match is None or match[1] == _NOTHING[0] or match[2] == _NOTHING[1]:
        return ()
    parent = b"00-%s-%s-%s" % (match[1], secrets.token_hex(SPAN_BYTES).encode(), match[3])
    state = found.get("tracestate") or b""
    if not state or len(state) > MAX_STATE_BYTES:
        return (("traceparent", parent),)
    return (("traceparent", parent), ("tracestate", state))
