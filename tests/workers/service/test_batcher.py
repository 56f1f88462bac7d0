"""When a batch is due, and what it holds."""

from __future__ import annotations

import pytest
from kafka.structs import ConsumerGroupMetadata

from spectraq.workers.deadletters.write import dead_letter
from spectraq.workers.service.batcher import Batcher, Unreadable
from spectraq.workers.settings import WorkerSettings
from spectraq.workers.transport.messages import Record

MEMBERSHIP = ConsumerGroupMetadata("group", 1, "member", None)
LONG_S = 3600.0


def unreadable(offset: int) -> Unreadable:
    """Return a record that holds no spectrum."""
    record = Record("spectra", 0, offset, b"key", b"value", (), 0)
    return Unreadable(record, dead_letter(record, "truncated", "cut"))


def batcher(records: int, size: int = 4) -> Batcher:
    """Return one that was given some records in one poll, and lets them wait for an hour."""
    made = Batcher(WorkerSettings(batch_spectra=size, max_wait_s=LONG_S))
    made.add([unreadable(offset) for offset in range(records)], MEMBERSHIP)
    return made


@pytest.mark.parametrize("idle", [False, True])
def test_nothing_is_never_due(idle: bool) -> None:
    assert batcher(0).due_in_s(idle) is None


@pytest.mark.parametrize("records", range(1, 4))
def test_a_batch_that_is_not_full_waits_only_while_the_networks_work(records: int) -> None:
    few = batcher(records)
    working = few.due_in_s(idle=False)
    assert working is not None and LONG_S / 2 < working <= LONG_S
    assert few.due_in_s(idle=True) == 0
    assert len(few.take(epoch=1).items) == records


@pytest.mark.parametrize("records", [4, 5, 9])
def test_a_full_batch_is_due_at_once_and_leaves_the_rest(records: int) -> None:
    full = batcher(records)
    assert full.due_in_s(idle=False) == 0
    assert [item.record.offset for item in full.take(epoch=1).items] == [0, 1, 2, 3]
    assert len(full) == records - 4


def test_what_is_urgent_is_due_at_once_and_first() -> None:
    mixed = batcher(1)
    mixed.add([unreadable(7)], MEMBERSHIP, urgent=True)
    assert mixed.due_in_s(idle=False) == 0
    assert [item.record.offset for item in mixed.take(epoch=1).items] == [7]
    assert len(mixed) == 1
