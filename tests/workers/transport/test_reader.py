"""What the reader makes of a response, whatever is in it; the whole way is in tests/faults."""

from __future__ import annotations

import re
import struct
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import IsolationLevel
from kafka.record.legacy_records import LegacyRecordBatchBuilder

from spectraq.workers.transport.messages import MOST_HEADERS, Record
from spectraq.workers.transport.reader import PartitionRecords
from tests.support.rawbatches import COUNT_AT, HEADER, batch, mended, record, varint

ROOT = Path(__file__).parents[3]
END = 1000
MOST_BYTES = 1 << 20
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def partition(response: bytes, start: int = 0, end: int = END, **options: object) -> PartitionRecords:
    """What is asked for the records of a response."""
    return PartitionRecords(
        MOST_BYTES, end, start, TopicPartition("t", 0), SimpleNamespace(_buffer=response), **options
    )


def read(response: bytes, start: int = 0, end: int = END) -> list[Record]:
    return partition(response, start, end).take()


def spans(records: list[Record]) -> list[tuple[int, int]]:
    """First and last offset of what was stepped over."""
    return [(r.offset, r.damage.last_offset) for r in records if r.damage is not None]


def keys(n: int = 3, base: int = 0, codec: str = "none") -> bytes:
    """A batch of n records, each with its offset for a key."""
    return batch([record(i, b"%d" % (base + i), b"value") for i in range(n)], codec, base)


@pytest.mark.parametrize("codec", CODECS)
def test_of_a_batch_that_was_read_in_part_only_the_rest_is_read(codec: str) -> None:
    taken = read(keys(5, 10, codec) + keys(2, 15, codec), start=12)
    assert [(r.offset, r.key) for r in taken] == [(i, b"%d" % i) for i in range(12, 17)]


def test_the_names_of_headers_may_be_any_bytes() -> None:
    (taken,) = read(batch([record(0, b"k", b"v", [(b"\xff\xfe", b"1"), (b"ce_id", None)])]))
    assert taken.headers == (("\\xff\\xfe", b"1"), ("ce_id", b""))


def test_a_record_of_very_many_headers_costs_no_more_than_some() -> None:
    (taken,) = read(batch([record(0, b"k", b"v", [(b"", None)] * 100_000)], "zstd"))
    assert len(taken.headers) == MOST_HEADERS and taken.key == b"k"


@pytest.mark.parametrize("codec", CODECS)
def test_what_stands_before_the_damage_is_read(codec: str) -> None:
    records = [record(i, b"%d" % i, b"value") for i in range(3)]
    records[1] = records[1][:-1] + varint(-5)  # its number of headers
    taken = read(batch(records, codec) + keys(2, 3))
    assert [r.offset for r in taken if r.damage is None] == [0, 3, 4]
    assert spans(taken) == [(1, 2)]


@pytest.mark.parametrize(("count", "missing"), [(0, (0, 2)), (2, (2, 2)), (-1, (0, 2)), (2_000_000, (0, 2))])
def test_a_count_that_lies_costs_no_record_of_the_next_batch(count: int, missing: tuple[int, int]) -> None:
    made = keys(3)
    lying = mended(made[:COUNT_AT] + struct.pack(">i", count) + made[COUNT_AT + 4 :])
    taken = read(lying + keys(2, 3))
    assert spans(taken) == [missing]
    assert [r.offset for r in taken if r.damage is None][-2:] == [3, 4]


@pytest.mark.parametrize("end", [1, 2, 4, END])
def test_a_batch_that_holds_more_than_it_says_costs_no_record_of_the_next_one(end: int) -> None:
    made = keys(3)
    made = made[:23] + struct.pack(">i", 1) + made[27:COUNT_AT] + struct.pack(">i", 2) + made[COUNT_AT + 4 :]
    taken = read(mended(made) + keys(2, 2), end=end)
    assert [(r.offset, r.damage) for r in taken] == [(i, None) for i in range(4)]


def test_behind_a_batch_of_a_damaged_length_the_next_one_is_read() -> None:
    made = keys(3)
    for length in (1 << 30, -5, 0, 20, len(made) + 40):
        damaged = made[:8] + struct.pack(">i", length) + made[12:]
        (first,) = read(damaged + keys(2, 3))
        assert first.damage is not None and first.offset == 0
        # what comes next is asked for anew; where nothing shows where it begins, offset by offset
        assert first.next_offset == 3 or length in (0, 20)
        assert 1 <= first.next_offset <= 3


def test_what_a_damaged_header_says_is_believed_no_further_than_its_neighbour() -> None:
    made = bytearray(keys(3))
    struct.pack_into(">i", made, 23, 700)  # the delta of its last offset
    assert spans(read(bytes(made) + keys(2, 3))) == [(0, 2)]
    assert spans(read(bytes(made))) == [(0, 2)]  # the count of its records says less
    struct.pack_into(">i", made, COUNT_AT, 701)
    assert spans(read(bytes(made), end=3)) == [(0, 0)]  # the partition ends before that


@pytest.mark.parametrize("base", [-5, 0, 900, 5000, 1 << 62])
def test_an_offset_out_of_order_is_not_believed(base: int) -> None:
    response = struct.pack(">q", base) + keys(3, 10)[8:] + keys(2, 13)
    reader = partition(response, start=10)
    taken = reader.take()
    if base == 900:  # as after compaction: nothing says that it is wrong
        return
    assert spans(taken) == [(10, 12)] and reader.next_fetch_offset == 13


@pytest.mark.parametrize("end", range(7))
def test_what_was_added_since_kafka_looked_for_the_end_is_read(end: int) -> None:
    taken = read(keys(3) + keys(2, base=3), end=end)
    assert [(r.offset, r.damage) for r in taken] == [(i, None) for i in range(5)]
    half = read(keys(3) + keys(2, base=3), start=2, end=end)
    assert [(r.offset, r.damage) for r in half] == [(i, None) for i in range(2, 5)]


@pytest.mark.parametrize(
    "damaged",
    [b"\x00" * 12, b"\xff" * 40, keys(2, base=3)[:-3] + b"???"],
    ids=["nothing", "no length", "checksum"],
)
def test_what_is_damaged_beyond_the_end_is_asked_for_anew(damaged: bytes) -> None:
    """A message that comes to its offset later would be stepped over else."""
    reader = partition(keys(3) + damaged, end=3)
    assert [(r.offset, r.damage) for r in reader.take()] == [(i, None) for i in range(3)]
    assert reader.next_fetch_offset == 3
    assert spans(read(damaged, start=3, end=4))[0] == (3, 3)


def test_the_end_of_an_aborted_transaction_that_cannot_be_read_costs_no_committed_message() -> None:
    def of_a_transaction(made: bytes, control: bool = False) -> bytes:
        changed = bytearray(made)
        struct.pack_into(">h", changed, 21, 0x30 if control else 0x10)
        struct.pack_into(">qhi", changed, 43, 7, 0, 0)
        return mended(bytes(changed))

    marker = record(0, struct.pack(">hh", 0, 0), struct.pack(">hi", 0, 0))
    aborted = of_a_transaction(keys(3))
    end = of_a_transaction(batch([marker], base=3), control=True)
    committed = of_a_transaction(keys(2, 4))
    options = {
        "isolation_level": IsolationLevel.READ_COMMITTED,
        "aborted_transactions": [SimpleNamespace(producer_id=7, first_offset=0)],
    }
    well = partition(aborted + end + committed, **options).take()
    assert [(r.offset, r.damage) for r in well] == [(4, None), (5, None)]
    for damaged in (end[:-1] + b"\x55", mended(end[: HEADER.size] + bytes(len(end) - HEADER.size))):
        reader = partition(aborted + damaged + committed, **options)
        assert spans(reader.take()) == [(3, 3)]
        assert reader.next_fetch_offset == 4 and not reader  # asked for anew, with what was aborted


@pytest.mark.parametrize("magic", [0, 1])
@pytest.mark.parametrize("codec", [0, 1, 2, 3])
def test_message_sets_of_old_are_read_and_stepped_over_where_damaged(magic: int, codec: int) -> None:
    builder = LegacyRecordBatchBuilder(magic=magic, compression_type=codec, batch_size=1 << 16)
    for offset in range(3):
        builder.append(offset, timestamp=5, key=b"%d" % offset, value=b"value")
    try:
        made = bytes(builder.build())
        made = (struct.pack(">q", 2) if codec else made[:8]) + made[8:]  # as a broker has it
    except RuntimeError:
        return  # the client can't write lz4 of Kafka 0.8, nor is it read
    taken = read(made)
    assert [(r.offset, r.key, r.damage) for r in taken] == [(i, b"%d" % i, None) for i in range(3)]
    assert taken[0].timestamp_ms == (5 if magic else -1)
    assert spans(read(made[:-1] + b"\x55")) != []


def test_a_poll_gives_no_more_than_there_is_room_for() -> None:
    reader = partition(b"".join(batch([record(0, b"k", bytes(900_000))], "zstd", i) for i in range(50)))
    reader.room = 4 << 20
    assert [len(reader.take(64)) for _ in range(3)] == [5, 5, 5]


def test_a_thousand_bombs_cost_no_memory() -> None:
    script = """
import re
from pathlib import Path
from types import SimpleNamespace
from kafka import TopicPartition
from tests.support.rawbatches import bomb
from spectraq.workers.transport.reader import PartitionRecords

def peak():  # the kernel's other measure has that of the parent, too
    return int(re.search("VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1]) >> 10
for codec, size in (("zstd", 900 << 20), ("gzip", 300 << 20), ("lz4", 300 << 20)):
    made = bomb(codec, size)
    before = peak()
    for _ in range(1000 if codec == "zstd" else 20):
        response = SimpleNamespace(_buffer=made)
        (taken,) = PartitionRecords(4 << 20, 9, 0, TopicPartition("t", 0), response).take()
        assert taken.damage.reason == "batch_too_large", taken.damage
    print(codec, len(made), peak() - before)
    assert peak() - before < 40, (codec, before, peak())
"""
    paths = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], env=paths, capture_output=True, text=True, check=False
    )
    print(done.stdout)
    assert done.returncode == 0, done.stderr


def test_all_that_reads_a_topic_reads_with_this_reader() -> None:
    makers = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "workers").rglob("*.py")
        if re.search(r"KafkaConsumer\(|connect\(\s*KafkaConsumer", path.read_text())
    ]
    assert makers == ["workers/transport/reader.py"]


@pytest.mark.parametrize("codec", CODECS)
def test_one_batch_at_a_time_is_unpacked_where_that_is_asked_for(codec: str) -> None:
    part = partition(keys(3, 0, codec) + keys(5, 3, codec) + keys(1, 8, codec))
    part.one_batch = True
    taken = [([r.offset for r in part.take(n)], part.more) for n in (1, 3, 5)]
    assert taken == [([0, 1, 2], True), ([3, 4, 5, 6, 7], True), ([8], False)]


def test_the_rest_of_a_batch_that_was_read_in_part_is_one_batch_too() -> None:
    part = partition(keys(5) + keys(2, 5))
    assert len(part.take(5)) == 5
    part.one_batch = True
    assert [r.offset for r in part.take()] == [5, 6]
    assert not part.more


def test_of_an_empty_response_or_a_batch_that_is_cut_there_is_nothing_to_unpack() -> None:
    assert not partition(b"").more
    part = partition(keys(3) + keys(5, 3)[:-1])
    part.one_batch = True
    assert part.more and len(part.take()) == 3 and not part.more


def test_a_batch_that_is_not_to_be_unpacked_is_stepped_over_by_its_header() -> None:
    made = keys(4, 3, "zstd")
    part = partition(keys(3) + made + keys(2, 7), start=0)
    part.one_batch = True
    part.take()
    part.unread = True
    (stepped_over,) = part.take()
    part.unread = False
    assert stepped_over.damage is not None
    assert (stepped_over.damage.reason, stepped_over.offset, stepped_over.damage.last_offset) == (
        "crashes",
        3,
        6,
    )
    assert stepped_over.value == made
    assert [r.offset for r in part.take()] == [7, 8]
