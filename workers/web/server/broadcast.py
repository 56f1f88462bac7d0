"""One frame at a time for all viewers together, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from pydantic_core import to_json

from spectraq.schemas.text import escaped

EVERY_S = 0.5


class Broadcast:
    """Makes each frame once, whoever looks; with nobody there it makes none.

    A viewer that is slower than the frames skips some: each is the whole picture, so nothing is missing.

    Parameters
    ----------
    frame
        Returns what is to be shown.
    """

    def __init__(self, frame: Callable[[], dict[str, Any]]) -> None:
        self._frame = frame
        self._number = 0
        self._body = b""
        self._made = asyncio.Condition()
        self._closed = False
        self.viewers = 0

    async def run(self) -> None:
        """Make frames until cancelled."""
        while True:
            if self.viewers:
                body = await asyncio.to_thread(lambda: as_json(self._frame()))
                async with self._made:
                    self._number += 1
                    self._body = b"id: %d\nevent: frame\ndata: %s\n\n" % (self._number, body)
                    self._made.notify_all()
            await asyncio.sleep(EVERY_S)

    async def close(self) -> None:
        """Let every viewer go."""
        async with self._made:
            self._closed = True
            self._made.notify_all()

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the frames of one viewer."""
        self.viewers += 1
        try:
            yield b"retry: 1000\n\n"
            number = self._number
            while True:
                async with self._made:
                    while self._number == number and not self._closed:
                        await self._made.wait()
                    if self._closed:
                        return
                    number, body = self._number, self._body
                yield body
        finally:
            self.viewers -= 1


def as_json(value: Any) -> bytes:
    """Write JSON; what is not finite is null, and what can't be shown of a text is escaped in it."""
    return to_json(_shown(value), inf_nan_mode="null")


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(str(name)): _shown(inner) for name, inner in value.items()}
    return [_shown(inner) for inner in value] if isinstance(value, (list, tuple)) else value
