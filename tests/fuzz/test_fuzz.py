"""Bytes that nobody foresaw: mutations of what is right, and every case that a fuzzer ever found."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS, seeds

CASES = sorted((Path(__file__).parent / "cases").glob("*-*"))
EXAMPLES = {"messages": 1000, "files": 400, "settings": 400, "batches": 700}
"""Some seconds each: whoever has minutes lets the fuzzer lead (`make fuzz`, which `.ci/run` does too)."""


@st.composite
def mutated(draw: st.DrawFn, target: str) -> bytes:
    """Something right with some bytes changed, left out, doubled or put in."""
    data = bytearray(draw(st.sampled_from(_seeds(target))))
    for _ in range(draw(st.integers(0, 6))):
        # most of a file is pixels; what steers a reader stands at the beginning
        reach = draw(st.sampled_from([64, 4096, len(data)]))
        place = draw(st.integers(0, max(0, min(reach, len(data)) - 1)))
        kind = draw(st.sampled_from(["byte", "cut", "remove", "insert", "double"]))
        length = draw(st.integers(1, 80))
        if kind == "byte" and data:
            data[place] = draw(st.integers(0, 255))
        elif kind == "cut":
            del data[place:]
        elif kind == "remove":
            del data[place : place + length]
        elif kind == "insert":
            data[place:place] = draw(st.binary(max_size=length))
        else:
            data[place:place] = data[place : place + length]
    return bytes(data)


_KNOWN: dict[str, list[bytes]] = {}


def _seeds(target: str) -> list[bytes]:
    if target not in _KNOWN:
        _KNOWN[target] = list(seeds(target))
    return _KNOWN[target]


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_right_is_taken(target: str) -> None:
    for seed in _seeds(target):
        TARGETS[target](seed)


@pytest.mark.parametrize("target", TARGETS)
def test_any_mutation_gives_an_answer_or_one_of_our_errors(target: str) -> None:
    @given(mutated(target))
    @settings(deadline=None, max_examples=EXAMPLES[target], suppress_health_check=list(HealthCheck))
    def holds(data: bytes) -> None:
        TARGETS[target](data)

    holds()


def test_what_a_fuzzer_found_stays_mended() -> None:
    for case in CASES:
        TARGETS[case.name.partition("-")[0]](case.read_bytes())
