"""How often a record has been tried, kept where every worker finds it: beside the committed offset.

A committed offset carries a short text. Before a worker begins on the records after that offset it writes
there that it begins, and the next commit takes that away. What is found there was begun and never finished.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

SUSPECT_STARTS = 2
"""Beginnings without an end after which records are tried one by one. One kill -9 is no reason to be slow."""


@dataclass(frozen=True, slots=True)
class Attempts:
    """What became of earlier attempts at the records after a committed offset.

    Attributes
    ----------
    starts
        Times that a worker began to read here and did not get as far as a commit.
    alone
        Times that the first record was tried with nothing else in hand, and no commit followed.
    unpacks
        Times that the record batch was unpacked with nothing else in hand, and no record came of it.
    """

    starts: int = 0
    alone: int = 0
    unpacks: int = 0

    @property
    def suspect(self) -> bool:
        """Whether the records after this offset should be tried one by one."""
        return self.starts >= SUSPECT_STARTS or self.alone > 0 or self.unpacks > 0

    def begun(self) -> Attempts:
        """One more beginning."""
        return replace(self, starts=self.starts + 1)

    def begun_alone(self) -> Attempts:
        """One more attempt at the first record alone."""
        return replace(self, alone=self.alone + 1)

    def begun_unpacking(self) -> Attempts:
        """One more attempt at unpacking the batch."""
        return replace(self, unpacks=self.unpacks + 1)

    def unpacked(self) -> Attempts:
        """The batch was unpacked."""
        return replace(self, unpacks=0)

    def __str__(self) -> str:
        return f"starts={self.starts} alone={self.alone} unpacks={self.unpacks}"

    @classmethod
    def parse(cls, text: str | None) -> Attempts:
        """Read what a worker wrote; what others write there counts as nothing."""
        try:
            pairs = dict(pair.split("=", 1) for pair in (text or "").split())
            return cls(*(max(int(pairs.get(name, 0)), 0) for name in ("starts", "alone", "unpacks")))
        except ValueError:
            return cls()
