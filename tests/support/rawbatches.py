"""Record batches made byte by byte, sent as they are, and damaged where they lie: no client makes these.

Nothing here is the project's own, nor the Kafka client's: an encoder, a socket, and the broker's file.
"""

from __future__ import annotations

import gzip
import itertools
import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import lz4.frame
import snappy
import zstandard
from crc32c import crc32c

HEADER = struct.Struct(">qiibIhiqqqhii")
CHECKED_FROM = 21
ATTRIBUTES_AT = 21
COUNT_AT = 57
CODECS: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (0, bytes),
    "gzip": (1, gzip.compress),
    "snappy": (2, snappy.compress),
    "lz4": (3, lambda records: lz4.frame.compress(records, block_linked=False)),
    "zstd": (4, zstandard.ZstdCompressor().compress),
}
TIME_MS = int(time.time() * 1000)
"""Of every record: Kafka deletes what is older than its topic's retention, whenever it came."""
Pairs = Iterable[tuple[bytes, bytes | None]]


def varint(number: int) -> bytes:
    """A number as records have it: zigzag, seven bits a byte."""
    number = (number << 1) ^ (number >> 63)
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def blob(content: bytes | None) -> bytes:
    """Bytes behind their length."""
    return varint(-1) if content is None else varint(len(content)) + content


def record(delta: int, key: bytes | None, value: bytes | None, headers: Pairs = ()) -> bytes:
    """One record of a batch."""
    headers = list(headers)
    body = b"\0" + varint(0) + varint(delta) + blob(key) + blob(value) + varint(len(headers))
    body += b"".join(blob(name) + blob(content) for name, content in headers)
    return varint(len(body)) + body


def batch_of(packed: bytes, records: int, attributes: int = 0, base: int = 0) -> bytes:
    """A batch around records that are packed already."""
    rest = struct.pack(">hiqqqhii", attributes, records - 1, TIME_MS, TIME_MS, -1, -1, -1, records) + packed
    head = struct.pack(">ib", 0, 2) + struct.pack(">I", crc32c(rest))
    return struct.pack(">qi", base, len(head) + len(rest)) + head + rest


def batch(records: list[bytes], codec: str = "none", base: int = 0) -> bytes:
    """A batch as an honest producer makes it."""
    number, pack = CODECS[codec]
    return batch_of(pack(b"".join(records)), len(records), number, base)


def mended(made: bytes) -> bytes:
    """The same with a checksum that is right."""
    return made[:17] + struct.pack(">I", crc32c(made[CHECKED_FROM:])) + made[CHECKED_FROM:]


def all_mended(response: bytes) -> bytes:
    """The same with right checksums of all batches that are whole."""
    found, place = bytearray(response), 0
    while place + HEADER.size <= len(found):
        end = place + 12 + struct.unpack_from(">i", found, place + 8)[0]
        if not place + HEADER.size <= end <= len(found):
            break
        found[place:end] = mended(bytes(found[place:end]))
        place = end
    return bytes(found)


def bomb(codec: str, unpacked_bytes: int) -> bytes:
    """A batch of one record whose value is zeros, so many that nobody wants them."""
    behind = b"\0" + varint(0) + varint(0) + blob(b"bomb") + varint(unpacked_bytes)
    record_begins = varint(len(behind) + unpacked_bytes + 1) + behind
    pieces = itertools.chain([record_begins], _zeros(unpacked_bytes), [varint(0)])
    if codec == "gzip":
        packer = zlib.compressobj(1, wbits=31)
        packed = b"".join([*map(packer.compress, pieces), packer.flush()])
    elif codec == "zstd":
        zstd = zstandard.ZstdCompressor().compressobj()
        packed = b"".join([*map(zstd.compress, pieces), zstd.flush()])
    elif codec == "lz4":
        lz4f = lz4.frame.LZ4FrameCompressor(block_linked=False)
        packed = b"".join([lz4f.begin(), *map(lz4f.compress, pieces), lz4f.flush()])
    else:
        packed = snappy.compress(b"".join(pieces))
    return batch_of(packed, 1, CODECS[codec][0])


def _zeros(n: int) -> Iterator[bytes]:
    piece = bytes(1 << 20)
    for _ in range(n >> 20):
        yield piece
    yield bytes(n & ((1 << 20) - 1))


def send(bootstrap_servers: str, topic: str, made: Iterable[bytes], partition: int = 0) -> list[int]:
    """Have the broker keep batches as they are; gives the offset that each begins with."""
    host, _, port = bootstrap_servers.split(",")[0].rpartition(":")
    offsets = []
    with socket.create_connection((host, int(port)), 30) as connection:
        for batch_bytes in made:
            name = topic.encode()
            body = struct.pack(">hhih", 0, 7, 1, -1)  # Produce 7, no client id
            body += struct.pack(">hhi", -1, -1, 30_000)  # no transaction, all replicas
            body += struct.pack(">ih", 1, len(name)) + name
            body += struct.pack(">iii", 1, partition, len(batch_bytes)) + batch_bytes
            connection.sendall(struct.pack(">i", len(body)) + body)
            answer = _exactly(connection, struct.unpack(">i", _exactly(connection, 4))[0])
            error, offset = struct.unpack_from(">hq", answer, 4 + 4 + 2 + len(name) + 4 + 4)
            assert error == 0, f"the broker refused the batch with error {error}"
            offsets.append(offset)
    return offsets


def _exactly(connection: socket.socket, n: int) -> bytes:
    found = bytearray()
    while len(found) < n:
        more = connection.recv(n - len(found))
        assert more, "the broker closed the connection"
        found += more
    return bytes(found)


def damage(logs: Path, topic: str, offset: int, change: Callable[[bytes], bytes], partition: int = 0) -> None:
    """Change the batch that begins at an offset in the broker's own file, as a failing disk does."""
    (segment,) = (logs / f"{topic}-{partition}").glob("*.log")
    kept = segment.read_bytes()
    place = 0
    while (base := struct.unpack_from(">qi", kept, place))[0] != offset:
        place += 12 + base[1]
    before = kept[place : place + 12 + base[1]]
    after = change(before)
    assert len(after) == len(before) and after != before
    with segment.open("r+b") as file:
        file.seek(place)
        file.write(after)
