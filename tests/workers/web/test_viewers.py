"""Many viewers: each frame is made once, and nobody waits for the slowest."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pytest

from spectraq.workers.web.server import broadcast
from spectraq.workers.web.server.broadcast import Broadcast

Value = TypeVar("Value")
VIEWERS = 50
FRAMES = 20


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast, "EVERY_S", 0.01)


def run(work: Coroutine[Any, Any, Value]) -> Value:
    """Run in a thread of its own: the browser's driver keeps a loop in this one."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(asyncio.run, work).result()


class Made:
    """Makes frames and counts them."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> dict[str, Any]:
        self.count += 1
        return {"number": self.count}


async def watch(sender: Broadcast, n: int) -> list[bytes]:
    """Read some frames as a viewer."""
    found = []
    async for frame in sender.frames():
        found.append(frame)
        if len(found) > n:  # the first says how soon to come back
            break
    return found[1:]


async def watched_by(viewers: int, stalled: int = 0) -> tuple[int, list[list[bytes]]]:
    """How many frames were made, and what each viewer got."""
    made = Made()
    sender = Broadcast(made)
    running = asyncio.create_task(sender.run())
    silent = [sender.frames() for _ in range(stalled)]
    for one in silent:
        await anext(one)
    got = await asyncio.gather(*(watch(sender, FRAMES) for _ in range(viewers)))
    running.cancel()
    for one in silent:
        await one.aclose()
    return made.count, list(got)


@pytest.mark.parametrize("viewers", [1, VIEWERS])
def test_a_frame_is_made_once_however_many_look(viewers: int) -> None:
    made, got = run(watched_by(viewers))
    assert FRAMES <= made <= FRAMES + 2
    assert [len(frames) for frames in got] == viewers * [FRAMES]
    assert all(frames == got[0] for frames in got)


def test_viewers_who_do_not_read_keep_nobody_waiting() -> None:
    made, got = run(watched_by(3, stalled=10))
    assert made <= FRAMES + 2
    assert [len(frames) for frames in got] == 3 * [FRAMES]


def test_with_nobody_there_no_frame_is_made() -> None:
    async def alone() -> int:
        made = Made()
        running = asyncio.create_task(Broadcast(made).run())
        await asyncio.sleep(0.2)
        running.cancel()
        return made.count

    assert run(alone()) == 0
