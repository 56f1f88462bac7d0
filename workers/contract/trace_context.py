"""Trace context from a message to what becomes of it (W3C Trace Context, as OpenTelemetry puts it on Kafka).

A feed that traces its spectra finds the results in the same trace: the trace id stays, the span is the
worker's own. What is no trace context is left out, so that a stranger's header goes no further.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()
NAMES = PROPAGATOR.fields
PARENT, STATE = "traceparent", "tracestate"
SPAN_BITS = 64
MAX_STATE_BYTES = 512
"""As much of `tracestate` every system must pass on (W3C Trace Context, 3.3.1.5); the library takes more."""


def passed_on(headers: Iterable[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Return the headers that carry the trace of one message on to the next.

    Parameters
    ----------
    headers
        Of the message that came.

    Returns
    -------
    pairs
        `traceparent` with a span of our own, and a valid `tracestate`; nothing without a valid trace.
    """
    came = {name.lower(): value for name, value in headers if name.lower() in NAMES}
    if PARENT not in came:
        return ()
    if len(came.get(STATE, b"")) > MAX_STATE_BYTES:
        del came[STATE]
    carrier = {name: value.decode("ascii", "replace") for name, value in came.items()}
    context = trace.get_current_span(PROPAGATOR.extract(carrier)).get_span_context()
    if not context.is_valid:
        return ()
    span = trace.SpanContext(
        context.trace_id, _new_span_id(), False, context.trace_flags, context.trace_state
    )
    carried: dict[str, str] = {}
    PROPAGATOR.inject(carried, trace.set_span_in_context(trace.NonRecordingSpan(span)))
    return tuple((name, value.encode("ascii")) for name, value in carried.items())


def _new_span_id() -> int:
    """Return a random span id; all zeros would be none."""
    return secrets.randbelow((1 << SPAN_BITS) - 1) + 1
