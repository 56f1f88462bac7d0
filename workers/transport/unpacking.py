"""Unpacks what a producer packed, up to a bound: a few kilobytes may make gigabytes.

Each codec is asked for a piece at a time, so that no more than the bound and one piece is ever in memory. The
Kafka client unpacks whatever it is given, to whatever size that has.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import lz4.frame
import snappy
import zstandard

PIECE_BYTES = 1 << 20
GZIP_MEMBERS = 100
"""Streams that may follow each other; one is usual, and what is left is copied for each."""

PREAMBLE_BYTES = 5
XERIAL = b"\x82SNAPPY\x00"
XERIAL_HEADER_BYTES = 16
"""Java's snappy writes blocks behind a header of its own; others write one block and no header."""


class UnpackError(Exception):
    """What was packed can't be unpacked."""


class TooMuchError(UnpackError):
    """It unpacks to more than is taken."""


def unpack(codec: int, packed: memoryview, most_bytes: int) -> bytes:
    """Return the records of a batch as they were before they were packed.

    Parameters
    ----------
    codec
        Of the batch's attributes: 1 gzip, 2 snappy, 3 lz4, 4 zstd.
    packed
        What follows the batch's header.
    most_bytes
        The largest size that is taken.

    Raises
    ------
    UnpackError
        Where the codec is unknown or its data is damaged.
    TooMuchError
        Where there is more than `most_bytes`.
    """
    if codec not in CODECS:
        raise UnpackError(f"there is no codec {codec}")
    name, pieces = CODECS[codec]
    unpacked = []
    size = 0
    try:
        for piece in pieces(packed, most_bytes):
            size += len(piece)
            if size > most_bytes:
                raise TooMuchError(f"its {len(packed)} bytes of {name} make more than {most_bytes}")
            unpacked.append(piece)
    except UnpackError:
        raise
    except Exception as error:  # each library has its own
        raise UnpackError(f"its {name} is damaged: {error}") from None
    return unpacked[0] if len(unpacked) == 1 else b"".join(unpacked)


def _gzip(packed: memoryview, most_bytes: int) -> Iterator[bytes]:
    rest: bytes | memoryview = packed
    for _ in range(GZIP_MEMBERS):
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            piece = member.decompress(rest, PIECE_BYTES)
            rest = member.unconsumed_tail
            if not piece and not rest and not member.eof:
                raise UnpackError("its gzip ends too early")
            yield piece
        rest = member.unused_data
        if not rest:
            return
    raise UnpackError(f"its gzip has more than {GZIP_MEMBERS} members")


def _snappy(packed: memoryview, most_bytes: int) -> Iterator[bytes]:
    if packed[: len(XERIAL)] != XERIAL:
        yield _snappy_block(packed, most_bytes)
        return
    place = XERIAL_HEADER_BYTES
    while place < len(packed):
        (size,) = struct.unpack_from(">i", packed, place)
        place += 4
        if not 0 <= size <= len(packed) - place:
            raise UnpackError(f"its snappy has a block of {size} bytes where {len(packed) - place} are left")
        yield _snappy_block(packed[place : place + size], most_bytes)
        place += size


def _snappy_block(block: memoryview, most_bytes: int) -> bytes:
    """Unpack one block; it begins with the size that it will have, for which the library makes room."""
    size = 0
    for place, byte in enumerate(block[:PREAMBLE_BYTES]):
        size |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            break
    if size > most_bytes:
        raise TooMuchError(f"a block of {len(block)} bytes of snappy makes {size}, more than {most_bytes}")
    return bytes(snappy.uncompress(bytes(block)))


def _lz4(packed: memoryview, most_bytes: int) -> Iterator[bytes]:
    frame = lz4.frame.LZ4FrameDecompressor()
    piece = frame.decompress(packed, max_length=PIECE_BYTES)
    while True:
        yield piece
        if frame.eof:
            return
        if frame.needs_input or not piece:
            raise UnpackError("its lz4 ends too early")
        piece = frame.decompress(b"", max_length=PIECE_BYTES)


def _zstd(packed: memoryview, most_bytes: int) -> Iterator[bytes]:
    with (
        io.BytesIO(packed) as source,
        zstandard.ZstdDecompressor().stream_reader(source, read_across_frames=True) as stream,
    ):
        while piece := stream.read(PIECE_BYTES):
            yield piece


CODECS: dict[int, tuple[str, Callable[[memoryview, int], Iterator[bytes]]]] = {
    1: ("gzip", _gzip),
    2: ("snappy", _snappy),
    3: ("lz4", _lz4),
    4: ("zstd", _zstd),
}
