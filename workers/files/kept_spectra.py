"""Spectra that wait for their results: in memory, and on disk what does not fit."""

from __future__ import annotations

import struct
from tempfile import SpooledTemporaryFile

from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum

IN_MEMORY_BYTES = 256 << 20
LENGTH = struct.Struct("<Q")


class KeptSpectra:
    """Spectra in the order in which they are kept, each given back once."""

    def __init__(self) -> None:
        self._file = SpooledTemporaryFile(IN_MEMORY_BYTES)  # noqa: SIM115 (closed by `close`)
        self._start = 0

    def close(self) -> None:
        """Let go of all that is kept."""
        self._file.close()

    def keep(self, spectrum: Spectrum) -> None:
        """Keep one more."""
        body = codec.encode(spectrum)
        self._file.seek(0, 2)
        self._file.write(LENGTH.pack(len(body)) + body)

    def next(self) -> Spectrum:
        """Return the first that was not given back yet."""
        self._file.seek(self._start)
        (length,) = LENGTH.unpack(self._file.read(LENGTH.size))
        body = self._file.read(length)
        spectrum = codec.decode(body, expect=Spectrum, max_bytes=length, max_pixels=length)
        self._start += LENGTH.size + length
        if self._start == self._file.seek(0, 2):
            # nothing waits: what comes without an end takes the room of a batch
            self._start = 0
            self._file.seek(0)
            self._file.truncate()
        return spectrum
