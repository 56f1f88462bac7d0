"""Processes that share a pipeline's work on other cores.

Threads of one process wait for each other's Python between the many small steps of a spectrum; processes do
not. A partner is no more than a second pair of hands: until it is ready, when it is lost, and whatever goes
wrong in it, the work is done where it would be done without it.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import struct
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from spectraq.models.answer import Answer, Extra
from spectraq.models.observation import Observation
from spectraq.models.processes import wire

log = logging.getLogger(__name__)

PROGRAM = """
import json, sys
order = json.loads(sys.argv[1])
sys.path[:] = order["path"]
from spectraq.models.quick_torch import leave_compiler_out
leave_compiler_out()
from spectraq.models.processes_main import serve
serve(order)
"""
"""What a partner runs; the caller's own main module is not run a second time."""
ANSWER_S = 60.0
"""A partner that does not listen or answer for so long is ended."""
REST_S = 60.0
"""After one was lost the next is started so much later."""
POLL_S = 0.05
GONE = (OSError, EOFError)
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Networks:
    """Which networks are shared: `weights` and `members` as `Pipeline.load` takes them, `digest` of both.

    `further` is what a process may be asked for beside answers, as `Pipeline.load` takes it.
    """

    weights: Path | None
    members: Sequence[str] | None
    digest: str
    further: str | None = None


class Partner:
    """A process with networks of its own, on one core."""

    def __init__(self, networks: Networks) -> None:
        here, there = socket.socketpair()
        folder = str(networks.weights) if networks.weights else None
        order: dict[str, Any] = {"path": sys.path, "weights": folder, "members": networks.members}
        order["further"] = networks.further
        for way in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            here.setsockopt(socket.SOL_SOCKET, way, struct.pack("ll", int(ANSWER_S), 0))
        with there, ExitStack() as undone:
            undone.callback(here.close)
            order["descriptor"] = there.fileno()
            # A session of its own: Ctrl-C in a terminal is for its owner, at whose end it ends by itself.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", PROGRAM, json.dumps(order)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[there.fileno()],
                start_new_session=True,
            )
            undone.pop_all()
        self._connection = Connection(here.detach())
        self._digest, self._ready = networks.digest, False
        self.end: Callable[[], object] = weakref.finalize(self, _end, self._connection, self._process)

    def ready(self) -> bool:
        """Return whether it has loaded the same networks; raises OSError or EOFError where it ended."""
        if not self._ready and self._connection.poll():
            if self._connection.recv_bytes().decode() != self._digest:
                raise OSError("it has other networks")
            self._ready = True
        return self._ready

    def analyze(self, observations: Sequence[Observation], extra: Extra) -> list[Answer] | None:
        """Answer as `Pipeline.analyze`, None where that raised; raises OSError or EOFError where it ended."""
        answered = self._asked(wire.packed(observations, extra))
        return answered and wire.read(*answered)

    def further(self, request: Any) -> Any:
        """Return what the process makes of a request, None where that raised; both are JSON's."""
        answered = self._asked((json.dumps({"further": request}).encode(), b""))
        return answered and json.loads(answered[0])

    def _asked(self, parts: tuple[bytes, bytes]) -> tuple[bytes, bytes] | None:
        for part in parts:
            self._connection.send_bytes(part)
        if not self._connection.poll(ANSWER_S):
            raise TimeoutError(f"no answer within {ANSWER_S:.0f} s")
        description, arrays = self._connection.recv_bytes(), self._connection.recv_bytes()
        return (description, arrays) if description else None


def _end(connection: Connection, process: subprocess.Popen[bytes]) -> None:
    connection.close()
    process.kill()
    process.wait()


class Place:
    """Where a partner is found: none yet, one that starts, one that works, or none again for a while."""

    def __init__(self, networks: Networks) -> None:
        self._networks = networks
        self._partner: Partner | None = None
        self._not_before = 0.0

    def ready(self) -> bool:
        """Return whether a partner works here; one is started where there is none and it may help."""
        try:
            if self._partner is None and time.monotonic() >= self._not_before:
                self._partner = Partner(self._networks)
            return self._partner is not None and self._partner.ready()
        except GONE as error:
            self._lose(error)
            return False

    def done(self, work: Callable[[Partner], Done]) -> Done | None:
        """Have the partner do it; None where that can't be done now."""
        if not self.ready() or self._partner is None:
            return None
        try:
            return work(self._partner)
        except GONE as error:
            self._lose(error)
            return None

    def _lose(self, error: Exception) -> None:
        reason = str(error) or "it ended"
        log.warning("a process that shared the work was lost (%s): its share is done here", reason)
        self.leave()
        self._not_before = time.monotonic() + REST_S

    def leave(self) -> None:
        """End the partner."""
        if self._partner is not None:
            self._partner.end()
            self._partner = None


class Partners:
    """The partners of one pipeline; none where this system or this interpreter can't start any.

    Parameters
    ----------
    count
        Cores beside the first.
    """

    def __init__(self, networks: Networks, count: int) -> None:
        possible = os.name == "posix" and bool(sys.executable)
        self._places = [Place(networks) for _ in range(count if possible else 0)]
        self._free: SimpleQueue[Place] = SimpleQueue()
        for place in self._places:
            self._free.put(place)

    def answers(self, observations: Sequence[Observation], extra: Extra) -> list[Answer] | None:
        """Answer with a partner that is free; None where there is none now."""
        return self._done(lambda partner: partner.analyze(observations, extra))

    def further(self, request: Any) -> Any:
        """Return what a partner that is free makes of a request; None where there is none now."""
        return self._done(lambda partner: partner.further(request))

    def _done(self, work: Callable[[Partner], Done]) -> Done | None:
        try:
            place = self._free.get_nowait()
        except Empty:
            return None
        try:
            return place.done(work)
        finally:
            self._free.put(place)

    def start(self, timeout_s: float) -> int:
        """Start all of them now, and return how many are ready; not beside `answers`."""
        end = time.monotonic() + timeout_s
        while (ready := sum(place.ready() for place in self._places)) < len(self._places):
            if time.monotonic() > end:
                break
            time.sleep(POLL_S)
        return ready

    def close(self) -> None:
        """End all of them."""
        for place in self._places:
            place.leave()
