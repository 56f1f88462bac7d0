"""What stands in a file, unpacked: in memory where it is small, on disk where somebody wants a path."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

from spectraq.workers.readers import limits
from spectraq.workers.readers.scratch import Scratch

IN_MEMORY_BYTES = 32 << 20
"""What unpacks to more goes to disk, and a plain file of more is not read at once."""


class Content:
    """The bytes of an open file.

    Parameters
    ----------
    path
        Where they lie; None where they are in memory alone.
    scratch
        Room for what is unpacked.
    held
        The bytes, where they were unpacked into memory.

    Attributes
    ----------
    size
        In bytes.
    """

    def __init__(self, path: Path | None, scratch: Scratch, held: bytearray | None = None) -> None:
        self._path, self._scratch, self._held = path, scratch, held
        self.size = len(held or b"") if held is not None or path is None else path.stat().st_size

    @cached_property
    def path(self) -> Path:
        """A file that holds them, written now where there is none."""
        if self._path is not None:
            return self._path
        file = self._scratch.file()
        file.write(self._held or b"")
        file.flush()
        return Path(file.name)

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        if self._held is not None:
            return bytes(self._held[:size])
        with self.path.open("rb") as file:
            return file.read(size)

    def whole(self) -> bytearray | None:
        """Return all of them; None where they are too many."""
        if self._held is None and self.size <= IN_MEMORY_BYTES:
            self._held = bytearray(self.path.read_bytes())
        return self._held


def unpacked(pieces: Iterable[bytes], packed_bytes: int, scratch: Scratch) -> Content:
    """Return what comes out of a packed file.

    Raises
    ------
    ReadError
        Where more comes out than honest packing would put in.
    """
    held, file = bytearray(), None
    for piece in limits.unpacked(pieces, packed_bytes):
        if file is not None:
            file.write(piece)
            continue
        held += piece
        if len(held) > IN_MEMORY_BYTES:
            file = scratch.file()
            file.write(held)
            held = bytearray()
    if file is None:
        return Content(None, scratch, held)
    file.flush()
    return Content(Path(file.name), scratch)
