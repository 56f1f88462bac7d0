"""Which server answers where Redis is expected, and whether anybody still mends it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis import Redis

OLDEST_MENDED = {"redis": (7, 2), "valkey": (7, 2)}
"""Holes in older ones are left open by their authors."""
NAMES = {"redis": "Redis", "valkey": "Valkey"}


@dataclass(frozen=True)
class Server:
    """A server by its own account.

    Attributes
    ----------
    name
        "redis", "valkey", or what another calls itself.
    version
        Such as "8.1.8".
    """

    name: str
    version: str

    @property
    def mended(self) -> bool:
        """Whether its authors still mend it, as far as is known here."""
        numbers = tuple(int(part) for part in self.version.split(".")[:2] if part.isdigit())
        return numbers >= OLDEST_MENDED.get(self.name, numbers)

    def __str__(self) -> str:
        said = f"{NAMES.get(self.name, self.name)} {self.version}"
        if self.mended:
            return said
        oldest = ".".join(map(str, OLDEST_MENDED[self.name]))
        return f"{said} (warning: its authors mend nothing before {oldest}; take a newer one)"


def ask(client: Redis) -> Server:
    """Ask a server who it is, with a command that needs no right."""
    asked: Any = client.execute_command  # untyped in the library
    reply = asked("HELLO")
    if isinstance(reply, list):
        reply = dict(zip(reply[::2], reply[1::2], strict=True))
    told = {_text(key): _text(value) for key, value in reply.items()}
    return Server(told["server"], told["version"])


def _text(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
