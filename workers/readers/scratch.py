"""Room on disk for what a file unpacks to."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import IO

PREFIX = "spectraq-"


class Scratch:
    """Temporary files of an open file; nothing is made before it is asked for, as most files need none.

    Parameters
    ----------
    stack
        What is closed with the file; all goes then.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    def file(self) -> IO[bytes]:
        """Return a new file, open for writing; its `name` is its path."""
        return self._stack.enter_context(tempfile.NamedTemporaryFile(prefix=PREFIX))

    @cached_property
    def folder(self) -> Path:
        """A folder."""
        return Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix=PREFIX)))
