"""A child process that dies with its parent, even when the parent is killed."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from spectraq.workers.errors import StackError

PR_SET_PDEATHSIG = 1
LOG_LINES_SHOWN = 12

_libc = ctypes.CDLL(None, use_errno=True)


class Child:
    """One process, its log file, and ways to end it.

    Parameters
    ----------
    name
        For error messages and the log's file name.
    command
        Program and arguments.
    folder
        Working directory, and where `<name>.log` is appended to.
    environment
        Added to this process's own.

    Raises
    ------
    StackError
        When not called from the main thread: the kernel ends the child when the thread that started it ends.
    """

    def __init__(
        self, name: str, command: Sequence[str], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StackError(f"{name} must be started from the main thread, or it ends with the thread")
        self.name = name
        self.log = folder / f"{name}.log"
        parent = os.getpid()

        def die_with_parent() -> None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # the parent was gone before the line above
                os._exit(1)

        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                preexec_fn=die_with_parent,
                start_new_session=True,  # Ctrl-C is for the parent, which stops its children in order
            )

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process.poll() is None

    def require_running(self) -> None:
        """Raise `StackError` with the log's last lines when the process has ended."""
        if not self.running:
            code = self.process.returncode
            raise StackError(f"{self.name} ended with exit code {code}:\n{self.tail()}")

    def tail(self) -> str:
        """Return the last lines of the log."""
        with self.log.open(errors="replace") as lines:
            return "".join(deque(lines, LOG_LINES_SHOWN)).rstrip()

    def stop(self, timeout_s: float = 15.0) -> int:
        """End the process with SIGTERM, with SIGKILL when it takes longer, and return its exit code."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.kill()
        return self.process.wait()

    def kill(self) -> None:
        """End the process with SIGKILL."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()

    def freeze(self) -> None:
        """Stop the process from running, as a hung machine would."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.process.send_signal(signal.SIGCONT)
