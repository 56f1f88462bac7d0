"""A feed that traces its spectra finds the results in the same trace."""

from __future__ import annotations

import pytest
from kafka import KafkaProducer

from spectraq.schemas import codec
from spectraq.workers.contract.trace_context import passed_on
from tests.support.feed import Feed, numbered
from tests.support.foreign import KINDS

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01".encode()


def test_results_and_dead_letters_are_in_the_trace_of_the_message(feed: Feed) -> None:
    producer = KafkaProducer(bootstrap_servers=feed.bootstrap_servers)
    topic = feed.settings().topics.spectra
    headers = [("traceparent", PARENT), ("tracestate", b"vendor=1")]
    for key, value in ((b"good", codec.encode(numbered(1))), (b"bad", b"no spectrum")):
        producer.send(topic, key=key, value=value, headers=headers)
    producer.flush()
    producer.close()
    feed.work()
    for kind in (*KINDS, "dead_letters"):
        (message,) = feed.read(kind)
        _, trace, span, flags = message.headers["traceparent"].decode().split("-")
        assert (trace, flags) == (TRACE, "01")
        assert span != SPAN
        assert message.headers["tracestate"] == b"vendor=1"


@pytest.mark.parametrize(
    "parent",
    [b"", b"nonsense", b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01", PARENT.upper(), PARENT + b"-x"],
)
def test_what_is_no_trace_context_goes_no_further(parent: bytes) -> None:
    assert passed_on([("traceparent", parent), ("tracestate", b"vendor=1")]) == ()


def test_a_state_too_long_to_pass_on_is_left_out() -> None:
    assert [name for name, _ in passed_on([("Traceparent", PARENT), ("tracestate", b"x" * 513)])] == [
        "traceparent"
    ]
