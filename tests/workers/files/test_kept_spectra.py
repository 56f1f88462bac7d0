"""Spectra that wait come back as they were, in their order, and leave nothing behind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spectraq.workers.files.kept_spectra import KeptSpectra
from tests.support.feed import numbered


@given(st.lists(st.booleans(), max_size=40))
def test_each_comes_back_once_in_order_whenever_it_is_asked_for(asked: list[bool]) -> None:
    kept = KeptSpectra()
    waiting, number = [], 0
    for ask in asked:
        if ask and waiting:
            assert kept.next() == waiting.pop(0)
        else:
            waiting.append(numbered(number))
            kept.keep(waiting[-1])
            number += 1
    while waiting:
        assert kept.next() == waiting.pop(0)
    assert kept._file.tell() == 0
    kept.close()
