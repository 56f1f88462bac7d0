"""What text is shown as it is, what is escaped, and what no identity may hold."""

from __future__ import annotations

import json
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spectraq.schemas import codec
from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.schemas.text import UNPRINTABLE, escaped, unprintable
from tests.support.wire_examples import spectrum, verdict

HIDDEN = st.characters(categories=sorted(UNPRINTABLE))
ORDINARY = (
    "NGC 1068 – Ñ, 星",
    "α Cen",
    "Ångström",
    "3C 273",
    "ज्ञान",
    "مجرة",
    "[O III] λ5007 ± 2σ",
    "🔭",
    "\u3000",
)


def test_of_all_of_unicode_nothing_hidden_is_left_and_nothing_else_is_changed() -> None:
    for code in range(sys.maxunicode + 1):
        mark = chr(code)
        shown = escaped(mark)
        if unicodedata.category(mark) in UNPRINTABLE:
            assert shown.isascii() and shown.isprintable() and shown.startswith("\\"), hex(code)
        else:
            assert shown == mark


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_of_all_languages_stays_and_names_spectra(text: str) -> None:
    assert escaped(text) == text
    assert spectrum(spectrum_id=text).spectrum_id == text


@given(st.text(max_size=20), HIDDEN, st.text(max_size=20))
def test_what_is_escaped_holds_nothing_hidden(before: str, mark: str, after: str) -> None:
    assert unprintable(escaped(before + mark + after)) is None


@given(HIDDEN)
def test_no_identity_holds_a_hidden_character(mark: str) -> None:
    for message, name in (
        (spectrum, "spectrum_id"),
        (lambda **c: verdict().model_copy(update=c), "spectrum_id"),
    ):
        with pytest.raises(ValidationError):
            message(**{name: f"NGC {mark}1068"})


@pytest.mark.parametrize("mark", ["\x85", "\x9b", "\u2028", "\u202e", "\u2066", "\u200b", "\ufeff", "\u061c"])
def test_a_message_whose_id_holds_one_is_refused_and_the_reason_names_it(mark: str) -> None:
    fields = {"spectrum_id": f"NGC{mark}1068", "flux": [1.0, 2.0], "loglam0": 3.6, "dloglam": 1e-4}
    with pytest.raises(codec.DecodeError, match=rf"character 4 is U\+{ord(mark):04X}") as caught:
        codec.decode(json.dumps(fields).encode())
    assert caught.value.reason is DeadLetterReason.WRONG_SHAPE


def test_the_reason_of_a_refusal_repeats_no_order_to_a_terminal_and_has_an_end() -> None:
    for name in ("\x1b[2J\nforged line\u202e", "x" * 100_000):
        fields = {"spectrum_id": "a", "flux": [1.0], "loglam0": 3.6, "dloglam": 1e-4, name: 1}
        with pytest.raises(codec.DecodeError) as caught:
            codec.decode(json.dumps(fields).encode())
        assert unprintable(str(caught.value)) is None
        assert len(str(caught.value)) < 1100
