"""What became of every spectrum, from the topics alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.feed import Feed
from tests.support.foreign import Message

MODES = pytest.mark.parametrize("delivery", ["at_least_once", "exactly_once"])
LONG = pytest.mark.parametrize(
    "delivery", [pytest.param("at_least_once", marks=pytest.mark.soak), "exactly_once"]
)
"""Both modes, for what takes ten seconds and more; the mode that fails in more ways is tried each time."""


@dataclass(frozen=True)
class Accounts:
    """The ledger of one stream, as a `read_committed` consumer that knows only the wire draws it up."""

    published: int
    once: int  # spectra with exactly one result of each kind
    twice: int  # spectra with more than one result of some kind
    dead: dict[str, int]  # dead letters by reason
    missing: tuple[str, ...]  # spectra with neither results nor a dead letter
    both: tuple[str, ...]  # spectra with results and a dead letter
    recognisable: bool  # whether each result that comes again has the bytes of the first

    def __str__(self) -> str:
        dead = ", ".join(f"{reason} {n}" for reason, n in sorted(self.dead.items())) or "none"
        return (
            f"{self.published} published: {self.once} answered once, {self.twice} more than once, "
            f"dead letters: {dead}, missing {len(self.missing)}"
        )

    def check(self, delivery: str) -> None:
        """Fail where the promise of a mode of delivery is broken."""
        assert not self.missing, f"{self}; missing are {self.missing[:5]}"
        assert not self.both, f"{self}; answered and dead are {self.both[:5]}"
        assert self.recognisable, f"{self}; a duplicate has not the bytes of the first"
        if delivery == "exactly_once":
            assert not self.twice, str(self)


def draw_up(feed: Feed, spectra: int) -> Accounts:
    """Read the topics and account for spectra 0 to n - 1."""
    wanted = {f"spectrum-{i}" for i in range(spectra)}
    read = [feed.read(kind) for kind in feed.kinds]
    counts = [Counter(m.fields["spectrum_id"] for m in messages) for messages in read]
    letters = feed.read("dead_letters")
    dead = Counter((m.key or b"").decode() for m in letters)
    answered = {name for name in wanted if all(count[name] for count in counts)}
    touched = {name for name in wanted if any(count[name] for count in counts)}
    twice = {name for name in wanted if any(count[name] > 1 for count in counts)} | {
        name for name, n in dead.items() if n > 1
    }
    return Accounts(
        published=spectra,
        once=len(answered - twice),
        twice=len(twice),
        dead=dict(Counter(m.fields["reason"] for m in letters)),
        missing=tuple(sorted(wanted - answered - set(dead))),
        both=tuple(sorted(touched & set(dead))),
        recognisable=all(recognisable(messages) for messages in read),
    )


def account(feed: Any, spectra: int, delivery: str) -> int:
    """Check that every spectrum has its results, none twice where that is promised; gives the duplicates."""
    wanted = {f"spectrum-{i}" for i in range(spectra)}
    duplicates = 0
    for kind in feed.kinds:
        messages = feed.read(kind)
        found = Counter(m.fields["spectrum_id"] for m in messages)
        assert set(found) == wanted, f"{kind}: lost {sorted(wanted - set(found))[:5]}"
        duplicates += len(messages) - spectra
        if delivery == "exactly_once":
            assert set(found.values()) == {1}, f"{kind}: twice {[k for k, n in found.items() if n > 1][:5]}"
        assert recognisable(messages), f"{kind}: a duplicate has not the bytes of the first"
    return duplicates


def recognisable(messages: list[Message]) -> bool:
    """Whether what comes again has key, value and headers of the first, to the last byte."""
    first: dict[str, Message] = {}
    return all(first.setdefault(m.fields["spectrum_id"], m).bytes == m.bytes for m in messages)
