"""Where record batches begin and end in a response, and in the offsets of their partition.

Offset, length and format of a batch are not part of its checksum, so where a batch is damaged its neighbours
are asked first.
"""

from __future__ import annotations

import re
import struct

from spectraq.workers.transport.batches import HEADER, Header, UnreadableError, header_of

FRAME = struct.Struct(">qi")
"""Base offset, and the length of what follows; the same in every format."""

MAGIC_AT = 16
NEWEST_MAGIC = 2

NEXT = re.compile(rb"(?=\x00\x00.{6}\x00.{7}\x02)", re.DOTALL)
"""The frame of a batch of format 2, with an offset below 2^48 and a length below 2^24."""


def whole(buffer: memoryview, place: int) -> bool:
    """Return whether a batch that begins here ends within the buffer, too."""
    if len(buffer) - place < FRAME.size:
        return False
    length = FRAME.unpack_from(buffer, place)[1]
    return bool(0 <= length <= len(buffer) - place - FRAME.size)


def frame_at(buffer: memoryview, place: int) -> memoryview:
    """Return the bytes of the batch that begins here; all that is left where its length can't be right."""
    if not whole(buffer, place):
        return buffer[place:]
    return buffer[place : place + FRAME.size + FRAME.unpack_from(buffer, place)[1]]


def offset_at(buffer: memoryview, place: int) -> int:
    """Return the offset that the batch which begins here begins with; of formats 0 and 1, ends with."""
    return int(FRAME.unpack_from(buffer, place)[0])


def magic_of(frame: memoryview) -> int:
    """Return the format of a batch.

    Raises
    ------
    UnreadableError
        Where it is too short to have one.
    """
    if len(frame) <= MAGIC_AT:
        raise UnreadableError(f"it has {len(frame)} bytes, too few for any format")
    return int.from_bytes(frame[MAGIC_AT : MAGIC_AT + 1], signed=True)


def damaged(buffer: memoryview, place: int, first: int, end: int) -> tuple[memoryview, int]:
    """Return the bytes of a batch that can't be believed, and the last offset that is certainly its own.

    It is never further than what follows it in the buffer, and where nothing does, than what two fields of
    it say alike: what lies behind is not read.

    Parameters
    ----------
    buffer, place
        The response, and where in it the batch begins.
    first
        The offset that is next.
    end
        The one behind the partition's last record; negative where it is not known.
    """
    frame = frame_at(buffer, place)
    behind = place + len(frame) if whole(buffer, place) else _next_batch(buffer, place, first, end)
    frame = buffer[place:behind]
    if len(buffer) - behind > MAGIC_AT and 0 <= magic_of(buffer[behind:]) <= NEWEST_MAGIC:
        following = offset_at(buffer, behind)
        if _between(first + 1, following, end):
            return frame, following - 1
    if len(frame) > MAGIC_AT and magic_of(frame) in (0, 1):
        said = offset_at(frame, 0)
    elif len(frame) >= HEADER.size:
        header = Header(*HEADER.unpack_from(frame))
        said = header.base_offset + min(header.last_offset_delta, header.records - 1)
    else:
        said = first
    return frame, said if _between(first, said, end) else first


def _next_batch(buffer: memoryview, place: int, first: int, end: int) -> int:
    """Find where the next batch begins, behind one whose length is damaged; the buffer's end if nowhere."""
    for match in NEXT.finditer(buffer, place + 1):
        begin = match.start()
        if whole(buffer, begin) and _between(first + 1, offset_at(buffer, begin), end):
            try:
                header_of(frame_at(buffer, begin))
                return begin
            except UnreadableError:
                continue
    return len(buffer)


def _between(first: int, offset: int, end: int) -> bool:
    return first <= offset and not 0 <= end <= offset
