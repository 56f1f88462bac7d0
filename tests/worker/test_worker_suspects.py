"""Whose fault it is that records were begun and never finished; Kafka's memory is a dictionary here."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition

from schemas.deadletter import DeadLetterReason
from workers.settings import WorkerSettings
from workers.suspects import Alone, Suspects
from workers.transport.attempts import SUSPECT_STARTS, Attempts
from workers.transport.offsets import CommittedAt
from workers.transport.record import Damage, Record

PARTITION = TopicPartition("spectra", 0)
SETTINGS = WorkerSettings(batch_spectra=4, max_tries=3)


class Memory:
    """What is written beside the committed offset of one partition."""

    def __init__(self) -> None:
        self.at = CommittedAt(10, Attempts())

    def mark(self, partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        """Write."""
        self.at = CommittedAt(offset, attempts)
        return True

    def process(self) -> Suspects:
        """A worker that was just started."""
        return Suspects(SETTINGS, self.mark)

    def begun(self, suspects: Suspects) -> None:
        """Have a worker begin at the committed offset, without an end."""
        suspects.clear()
        suspects.begin({PARTITION: self.at})
        for partition in suspects.begin_on({PARTITION: self.at.offset}):
            suspects.open(partition, self.at.offset)
        if not suspects.sort([record(offset) for offset in range(10, 14)]):
            suspects.next()

    def begun_unpacking(self, suspects: Suspects) -> bool:
        """Have a worker begin at the committed offset, and end as soon as the batch is to be unpacked.

        Gives whether the batch is stepped over instead.
        """
        suspects.clear()
        suspects.begin({PARTITION: self.at})
        openings = [suspects.open(p, self.at.offset) for p in suspects.begin_on({PARTITION: self.at.offset})]
        return any(opening is not None and opening.unread for opening in openings)


def record(offset: int) -> Record:
    """A record of the partition."""
    return Record("spectra", 0, offset, b"key", b"value", (), 0)


@pytest.mark.parametrize("others", [0, 1, 2, 3])
def test_results_that_kafka_refuses_again_and_again_condemn_no_spectrum(others: int) -> None:
    memory = Memory()
    for _ in range(others):
        memory.begun(memory.process())
    patient = memory.process()
    for _ in range(50):
        memory.begun(patient)
    assert memory.at.attempts.starts + memory.at.attempts.alone == others + 1


def test_a_spectrum_that_ends_one_process_after_the_other_is_given_up_after_so_many_tries_alone() -> None:
    memory = Memory()
    for _ in range(2 + SETTINGS.max_tries):
        memory.begun(memory.process())
    last = memory.process()
    last.begin({PARTITION: memory.at})
    assert last.begin_on({PARTITION: 10}) == [PARTITION]
    last.sort([record(10)])
    assert last.next() == Alone(record(10), None)


def test_what_another_worker_began_meanwhile_counts() -> None:
    memory = Memory()
    mine, other = memory.process(), memory.process()
    memory.begun(mine)
    memory.begun(other)
    assert memory.at.attempts.starts == 2
    mine.begin({PARTITION: memory.at})
    assert mine.sort([record(10)]) == []


def test_a_batch_that_ends_one_process_after_the_other_while_it_is_unpacked_is_stepped_over() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS + SETTINGS.max_tries):
        assert not memory.begun_unpacking(memory.process())
    assert memory.begun_unpacking(memory.process())


@pytest.mark.parametrize("others", range(SUSPECT_STARTS + SETTINGS.max_tries))
def test_unpacking_a_batch_again_and_again_while_nothing_dies_steps_over_nothing(others: int) -> None:
    memory = Memory()
    for _ in range(others):
        memory.begun_unpacking(memory.process())
    patient = memory.process()
    for turn in range(50):
        if turn % 3:
            memory.begun(patient)
        else:
            assert not memory.begun_unpacking(patient)


def test_a_kafka_that_takes_some_marks_and_refuses_others_condemns_nothing() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS):
        memory.begun(memory.process())

    def mark(partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        return attempts.alone == 0 and memory.mark(partition, offset, attempts)

    patient = Suspects(SETTINGS, mark)
    for _ in range(50):
        memory.begun(patient)
    assert memory.at.attempts == Attempts(SUSPECT_STARTS, 0, 1)


def test_a_batch_that_was_unpacked_is_not_to_blame_for_what_ended_before() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS + SETTINGS.max_tries - 1):
        memory.begun_unpacking(memory.process())
    memory.begun(memory.process())
    assert memory.at.attempts.unpacks == 0


@pytest.mark.parametrize(
    "text", [None, "", "starts=2 alone=1", "starts=2 alone=1 unpacks=0 later=x", "a b=c"]
)
def test_what_an_older_or_a_newer_worker_or_a_stranger_wrote_beside_an_offset_can_be_read(
    text: str | None,
) -> None:
    wanted = Attempts(2, 1) if text and text.startswith("starts") else Attempts()
    assert Attempts.parse(text) == wanted
    assert Attempts.parse(str(Attempts(3, 2, 1))) == Attempts(3, 2, 1)


# -- the whole life of a group, in which processes die wherever chance has it ------------------------------

PARTITIONS = [TopicPartition("spectra", number) for number in range(3)]
BATCHES = 12
SIZES = (1, 2, 3, 4, 7)


class Died(Exception):
    """A process ended."""


class Moved(Exception):
    """The epoch moved, and nothing died."""


@dataclass
class Group:
    """A stream, some of which is deadly, and what a group of workers makes of it.

    Attributes
    ----------
    unlucky
        How often chance may strike between a mark and what it was written for; more often in a row, and
        nobody could tell it from guilt.
    kills
        How often it may kill a process at other places.
    murders
        Processes that deadly batches and records ended.
    peaceful
        Whether nothing else goes wrong.
    """

    chance: random.Random
    deadly_batches: int
    deadly_records: int
    unlucky: int = SETTINGS.max_tries - 1
    kills: int = 25
    murders: int = 0
    peaceful: bool = False
    batches: dict[TopicPartition, list[range]] = field(default_factory=dict)
    guilty: set[tuple[int, int]] = field(default_factory=set)  # partition and offset, of batches their first
    committed: dict[TopicPartition, CommittedAt] = field(default_factory=dict)
    answered: Counter[tuple[int, int]] = field(default_factory=Counter)
    condemned: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for partition in PARTITIONS:
            first = 0
            self.batches[partition] = []
            for _ in range(BATCHES):
                self.batches[partition].append(range(first, first + self.chance.choice(SIZES)))
                first = self.batches[partition][-1].stop + self.chance.choice((0, 0, 1))  # a marker
        places = [(partition, batch) for partition in PARTITIONS for batch in self.batches[partition]]
        picked = self.chance.sample(places, self.deadly_batches + self.deadly_records)
        self.deadly_ranges = [(p, batch) for p, batch in picked[: self.deadly_batches]]
        self.guilty = {(p.partition, batch.start) for p, batch in self.deadly_ranges}
        self.guilty |= {(p.partition, self.chance.choice(b)) for p, b in picked[self.deadly_batches :]}

    def mark(self, partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        """Write, unless Kafka is in the way; it may write all the same, and not say so."""
        if not self.peaceful and self.chance.random() < 0.05:
            if self.unlucky and self.chance.random() < 0.5:
                self.unlucky -= 1
                self.committed[partition] = CommittedAt(offset, attempts)
            return False
        self.committed[partition] = CommittedAt(offset, attempts)
        return True

    def commit(self, records: Sequence[Record]) -> None:
        """Publish and commit at once."""
        for record in records:
            self.committed[TopicPartition(record.topic, record.partition)] = CommittedAt(
                record.next_offset, Attempts()
            )

    def strike(self) -> None:
        """Kill the process, or move the epoch, now and then."""
        if self.peaceful:
            return
        if self.kills and self.chance.random() < 0.04:
            self.kills -= 1
            raise Died
        if self.chance.random() < 0.04:
            raise Moved

    def strike_between(self) -> None:
        """Kill the process where it could be mistaken for guilt."""
        if not self.peaceful and self.unlucky and self.chance.random() < 0.05:
            self.unlucky -= 1
            raise Died

    def murder(self) -> None:
        """End the process for a reason that comes again."""
        self.murders += 1
        raise Died

    def next_batch(self, partition: TopicPartition, position: int) -> range | None:
        """The batch that holds the offset, or comes next."""
        return next((batch for batch in self.batches[partition] if batch.stop > position), None)

    def unpack(self, partition: TopicPartition, position: int) -> list[Record]:
        """The records of the next batch."""
        batch = self.next_batch(partition, position)
        assert batch is not None
        if (partition, batch) in self.deadly_ranges:
            self.murder()
        return [record_of(partition, offset) for offset in batch if offset >= position]

    def analyse(self, records: Sequence[Record]) -> None:
        """Answer records, if none of them is deadly."""
        if any((r.partition, r.offset) in self.guilty and r.damage is None for r in records):
            self.murder()
        for record in records:
            if record.damage is None:
                self.answered[record.partition, record.offset] += 1
            else:
                self.condemned.append((record.partition, record.offset))
        self.commit(records)


def record_of(partition: TopicPartition, offset: int, last: int | None = None) -> Record:
    """A record; a batch that was stepped over where it has a last offset."""
    damage = None if last is None else Damage(DeadLetterReason.CRASHES, "", last)
    return Record(partition.topic, partition.partition, offset, None, b"", (), 0, damage)


def live(group: Group, suspects: Suspects) -> None:
    """Do as the worker's loop does, until all is done, the epoch moves, or the process dies."""
    suspects.clear()
    suspects.begin(dict(group.committed))
    positions = {p: group.committed[p].offset if p in group.committed else 0 for p in PARTITIONS}

    def waiting() -> dict[TopicPartition, int]:
        return {p: at for p, at in positions.items() if group.next_batch(p, at) is not None}

    def unless_moved(written: bool) -> None:
        if not written:
            raise Moved

    while waiting() or len(suspects):
        packed = {p: at for p, at in waiting().items() if group.chance.random() < 0.7}
        in_hand: list[Record] = []
        for partition in set(packed) & suspects.together:
            in_hand += (records := group.unpack(partition, packed[partition]))
            positions[partition] = records[-1].next_offset
        group.strike()
        if in_hand:
            group.analyse(suspects.sort(in_hand))
            group.strike()
            continue
        suspected = suspects.begin_on(packed)
        unless_moved(all(p in suspects.together or p in suspected for p in packed))
        if suspected and not len(suspects):
            open_one(group, suspects, positions, suspected[0], unless_moved)
        while len(suspects):
            go_on_alone(group, suspects, unless_moved)
            group.strike()


def open_one(
    group: Group,
    suspects: Suspects,
    positions: dict[TopicPartition, int],
    partition: TopicPartition,
    unless_moved: Callable[[bool], None],
) -> None:
    """Unpack the next batch of a suspected partition."""
    opening = suspects.open(partition, positions[partition])
    unless_moved(opening is not None)
    assert opening is not None
    if opening.unread:
        batch = group.next_batch(partition, positions[partition])
        assert batch is not None
        records = [record_of(partition, max(batch.start, positions[partition]), batch[-1])]
    else:
        group.strike_between()
        records = group.unpack(partition, positions[partition])
    assert suspects.sort(records) == []
    positions[partition] = records[-1].next_offset


def go_on_alone(group: Group, suspects: Suspects, unless_moved: Callable[[bool], None]) -> None:
    """Do the next record that is suspected."""
    found = suspects.next()
    if not isinstance(found, Alone):
        unless_moved(bool(found))
        group.analyse(found)
    elif found.tries is None:
        group.condemned.append((found.record.partition, found.record.offset))
        group.commit([found.record])
    else:
        group.strike_between()
        group.analyse([found.record])


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    deadly_batches=st.integers(0, 3),
    deadly_records=st.integers(0, 3),
    processes=st.integers(1, 3),
    peaceful=st.booleans(),
)
@example(seed=0, deadly_batches=1, deadly_records=0, processes=1, peaceful=True)
def test_wherever_processes_die_only_what_is_deadly_is_given_up_and_all_else_is_answered_once(
    seed: int, deadly_batches: int, deadly_records: int, processes: int, peaceful: bool
) -> None:
    chance = random.Random(seed)
    group = Group(chance, deadly_batches, deadly_records, peaceful=peaceful)
    alive = [Suspects(SETTINGS, group.mark) for _ in range(processes)]
    for _ in range(1000):
        turn = chance.randrange(processes)  # partitions change hands whenever the epoch moves
        try:
            live(group, alive[turn])
            break
        except Died:
            alive[turn] = Suspects(SETTINGS, group.mark)
        except Moved:
            pass
    else:
        raise AssertionError("the stream does not end")
    assert set(group.condemned) == group.guilty and len(group.condemned) == len(group.guilty)
    silent = {(p.partition, offset) for p, batch in group.deadly_ranges for offset in batch} | group.guilty
    wanted = {(p.partition, o) for p in PARTITIONS for batch in group.batches[p] for o in batch} - silent
    assert group.answered == dict.fromkeys(wanted, 1)
    if peaceful and len(group.guilty) == 1:
        # a commit takes the mark away, so the first death may leave none
        assert group.murders <= 1 + SUSPECT_STARTS + SETTINGS.max_tries
