"""Entries are counted before they are made."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectraq.schemas import codec
from spectraq.schemas.message import Message
from spectraq.schemas.registry import newest
from spectraq.schemas.skim import MAX_ITEMS, TooManyItemsError, _Skim, check_items
from tests.support import wire_examples


def parsed(message: Message) -> object:
    """The schema that a message is written with."""
    schema = newest(type(message).__name__)
    assert schema is not None
    return schema.parsed


@pytest.mark.parametrize("message", wire_examples.one_of_each(), ids=lambda message: type(message).__name__)
def test_every_message_is_gone_over_to_its_end(message: Message) -> None:
    body = codec.encode(message)
    skim = _Skim(body, codec.FRAME.size, MAX_ITEMS, {})
    skim.over(parsed(message))
    assert skim._at == len(body)


def test_entries_of_arrays_and_maps_count_together() -> None:
    message = next(m for m in wire_examples.one_of_each() if type(m).__name__ == "Classification")
    maps = (message.class_probability, message.class_spread)
    subclasses = (message.subclass_probability, message.subclass_spread)
    entries = sum(map(len, (*maps, *subclasses))) + len(message.avro_values()["zwarn_names"])
    check_items(codec.encode(message), codec.FRAME.size, parsed(message), most=entries)
    with pytest.raises(TooManyItemsError):
        check_items(codec.encode(message), codec.FRAME.size, parsed(message), most=entries - 1)


@given(st.binary(max_size=300), st.sampled_from(wire_examples.one_of_each()))
def test_what_is_no_avro_passes(body: bytes, message: Message) -> None:
    with suppress(TooManyItemsError):
        check_items(body, 0, parsed(message))
