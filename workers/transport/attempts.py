"""How often a record has been tried, kept where every worker finds it: beside the committed offset.

A committed offset carries a short text. Before a worker begins on the records after that offset it writes
there that it begins, and the next commit takes that away. What is found there was begun and never finished.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    """

    starts: int = 0
    alone: int = 0

    @property
    def suspect(self) -> bool:
        """Whether the records after this offset should be tried one by one."""
        return self.starts >= SUSPECT_STARTS or self.alone > 0

    def begun(self) -> Attempts:
        """One more beginning."""
        return Attempts(self.starts + 1, self.alone)

    def begun_alone(self) -> Attempts:
        """One more attempt at the first record alone."""
        return Attempts(self.starts, self.alone + 1)

    def __str__(self) -> str:
        return f"starts={self.starts} alone={self.alone}"

    @classmethod
    def parse(cls, text: str | None) -> Attempts:
        """Read what a worker wrote; what others write there counts as nothing."""
        try:
            pairs = dict(pair.split("=", 1) for pair in (text or "").split())
            return cls(max(int(pairs.get("starts", 0)), 0), max(int(pairs.get("alone", 0)), 0))
        except ValueError:
            return cls()
