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
    [
        b"",
        b"nonsense",
        b"\xff" * 55,
        b"00-" + b"0" * 32 + b"-" + b"1" * 16 + b"-01",
        PARENT.upper(),
        PARENT + b"-x",
    ],
)
def test_what_is_no_trace_context_goes_no_further(parent: bytes) -> None:
    assert passed_on([("traceparent", parent), ("tracestate", b"vendor=1")]) == ()


@pytest.mark.parametrize(("length", "kept"), [(512, 2), (513, 1)])
def test_a_state_too_long_to_pass_on_is_left_out(length: int, kept: int) -> None:
    state = b"a=" + b"x" * 254 + b",b=" + b"y" * (length - 259)
    assert len(state) == length
    assert len(passed_on([("Traceparent", PARENT), ("tracestate", state)])) == kept


@pytest.mark.parametrize("state", [b"\xff\x00junk", b"no member", b"a=1,a=2", b"a=1\r\nX: y"])
def test_a_state_that_is_none_is_left_out(state: bytes) -> None:
    assert [name for name, _ in passed_on([("traceparent", PARENT), ("tracestate", state)])] == [
        "traceparent"
    ]


def test_a_parent_of_a_later_version_is_passed_on_as_far_as_this_one_goes() -> None:
    ((_, parent),) = passed_on([("traceparent", b"01" + PARENT[2:] + b"-more")])
    assert parent.startswith(f"00-{TRACE}-".encode())
    assert parent.endswith(b"-01")
