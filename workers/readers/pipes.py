"""Pipes: what comes through one is written down first, as formats are read from more than one place."""

from __future__ import annotations

import stat
from pathlib import Path

from spectraq.workers.errors import ReadError
from spectraq.workers.readers.scratch import Scratch

PIPE_BYTES = 1 << 30
PIECE = 1 << 20


def at_rest(path: Path, scratch: Scratch) -> Path:
    """Return a file that can be read from any place: this one, or a copy of what comes through the pipe.

    Parameters
    ----------
    path
        A file, or a pipe such as /dev/stdin.
    scratch
        Room for the copy.

    Raises
    ------
    ReadError
        Where it is a folder, a terminal or another device, or a pipe that does not end.
    """
    mode = path.stat().st_mode
    if stat.S_ISREG(mode):
        return path
    if stat.S_ISDIR(mode):
        raise ReadError("this is a folder; name the files in it")
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        raise ReadError("this is a terminal or another device; give a file, or a pipe into /dev/stdin")
    copy = scratch.file()
    taken = 0
    with path.open("rb") as pipe:
        while piece := pipe.read(PIECE):
            taken += len(piece)
            if taken > PIPE_BYTES:
                raise ReadError(f"more than {PIPE_BYTES} bytes come through this pipe; write them to a file")
            copy.write(piece)
    copy.flush()
    return Path(copy.name)
