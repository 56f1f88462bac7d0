"""What stands in a file, unpacked: in memory where it is small, on disk where somebody wants a path."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import IO

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

    def __init__(self, path: Path | None, scratch: Scratch, held: bytes | None = None) -> None:
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

    @property
    def is_small(self) -> bool:
        """Whether all of it may be taken into memory."""
        return self._held is not None or self.size <= IN_MEMORY_BYTES

    def head(self, size: int) -> bytes:
        """Return the first bytes."""
        with self.open() as file:
            return file.read(size)

    def open(self) -> IO[bytes]:
        """Open it: in memory, having read all of it the first time, where it is small."""
        if self._held is None:
            if not self.is_small:
                return self.path.open("rb")
            self._held = self.path.read_bytes()
        return BytesIO(self._held)


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
        return Content(None, scratch, bytes(held))
    file.flush()
    return Content(Path(file.name), scratch)
