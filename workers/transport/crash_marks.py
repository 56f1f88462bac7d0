"""Which processes took up the records after a committed offset and never finished, kept where all find it.

A committed offset carries a short text. Before a process begins on the records after that offset it adds its
name there, and the next commit takes all names away. A process that finds its own name lives, and takes it
back: so a name that others find is that of a process that ended, or lost the partition, half-way.
"""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass, fields, replace

SUSPECT_STARTS = 2
"""Beginnings without an end after which records are tried one by one. One kill -9 is no reason to be slow."""


NAME_LENGTH = 8


def new_name() -> str:
    """Return a name for this process that no other has."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(NAME_LENGTH))


@dataclass(frozen=True, slots=True)
class Attempts:
    """What became of earlier attempts at the records after a committed offset.

    Attributes
    ----------
    together
        Processes that began to read here, and did not get as far as a commit.
    unpacking
        Those that took up the record batch with nothing else in hand, and were not seen to unpack it.
    alone
        Those that took up the first record with nothing else in hand, and no commit followed.
    """

    together: frozenset[str] = frozenset()
    unpacking: frozenset[str] = frozenset()
    alone: frozenset[str] = frozenset()

    @property
    def suspect(self) -> bool:
        """Whether the records after this offset should be tried one by one."""
        return len(self.together) >= SUSPECT_STARTS or bool(self.unpacking or self.alone)

    def begun(self, process: str) -> Attempts:
        """Return these and a process that begins to read."""
        return replace(self, together=self.together | {process})

    def begun_unpacking(self, process: str) -> Attempts:
        """Return these and a process that takes up the batch alone."""
        return replace(self, unpacking=self.unpacking | {process})

    def begun_alone(self, process: str) -> Attempts:
        """Return these and a process that takes up the first record alone."""
        return replace(self, alone=self.alone | {process})

    def unpacked(self) -> Attempts:
        """Return these where the batch can be unpacked."""
        return replace(self, unpacking=frozenset())

    def without(self, process: str) -> Attempts:
        """Return these without a process, which takes back what it began."""
        return Attempts(self.together - {process}, self.unpacking - {process}, self.alone - {process})

    def __str__(self) -> str:
        named = ((field.name, sorted(getattr(self, field.name))) for field in fields(self))
        return " ".join(f"{name}={','.join(processes)}" for name, processes in named if processes)

    @classmethod
    def parse(cls, text: str | None) -> Attempts:
        """Read what a worker wrote; what others write there counts as nothing."""
        pairs = dict(re.findall(r"(\w+)=(\S*)", text or ""))
        return cls(*(_names(pairs.get(field.name, "")) for field in fields(cls)))


def _names(text: str) -> frozenset[str]:
    return frozenset(name for name in text.split(",") if re.fullmatch(f"[a-z]{{{NAME_LENGTH}}}", name))
