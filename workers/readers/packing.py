"""Packed files, unpacked piece by piece: gzip, bzip2, xz and zstd, however many streams lie end to end."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import IO, Any, Protocol

import zstandard

PIECE = 1 << 20
ZSTD_PIECE = 1 << 10
"""Packed bytes that are taken at once: no more than 32 MiB can come out of them."""
WORKSPACE = 256 << 20
"""What a file may ask to have remembered of what came before: as much as any level of xz and zstd needs."""
HEAD = 10

FAULTS = (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError, OSError)
"""What damaged packing raises; a file that ends too early raises `EOFError`."""


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


def unpacker(head: bytes) -> Callable[[IO[bytes]], Iterator[bytes]] | None:
    """Return what unpacks a file that begins so, by its first `HEAD` bytes; None where it is plain."""
    if head.startswith(b"\x1f\x8b"):
        return _gzip
    if head.startswith(b"BZh") and head[4:10] == b"1AY&SY":
        return lambda file: _streams(file, bz2.BZ2Decompressor)
    if head.startswith(b"\xfd7zXZ\x00"):
        return lambda file: _streams(file, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=WORKSPACE))
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd
    return None


def _gzip(file: IO[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=file) as packed:
        while piece := packed.read(PIECE):
            yield piece


def _streams(file: IO[bytes], new: Callable[[], _Decompressor]) -> Iterator[bytes]:
    stream = new()
    data = file.read(PIECE)
    while True:
        yield stream.decompress(data, PIECE)
        data = b""
        if stream.eof:
            data = (stream.unused_data or file.read(PIECE)).lstrip(b"\0")  # xz pads with zeros
            if not data:
                return
            stream = new()
        elif stream.needs_input:
            data = file.read(PIECE)
            if not data:
                raise EOFError("the packed data end in the middle")


def _zstd(file: IO[bytes]) -> Iterator[bytes]:
    unpack = zstandard.ZstdDecompressor(max_window_size=WORKSPACE)
    stream: Any = unpack.decompressobj()
    while data := file.read(ZSTD_PIECE):
        while data:
            if stream.eof:
                stream = unpack.decompressobj()
            yield stream.decompress(data)
            data = stream.unused_data if stream.eof else b""
    if not stream.eof:
        raise EOFError("the packed data end in the middle")
