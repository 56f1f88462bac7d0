"""Whose fault it is that records were begun and never finished; Kafka's memory is a dictionary here."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kafka import TopicPartition
from pydantic import ValidationError

from spectraq.schemas.deadletter import DeadLetterReason
from spectraq.workers.service.crash_suspects import BATCHES_IN_HAND, Alone, Suspects
from spectraq.workers.settings import MOST_TRIES, Settings, WorkerSettings
from spectraq.workers.transport.crash_marks import SUSPECT_STARTS, Attempts, new_name
from spectraq.workers.transport.messages import Damage, Record
from spectraq.workers.transport.offsets import CommittedAt

OFFSET_METADATA_MAX_BYTES = 4096
"""Kafka's default of `offset.metadata.max.bytes`."""

PARTITION = TopicPartition("spectra", 0)
SETTINGS = Settings(worker=WorkerSettings(batch_spectra=4, max_tries=3))
MAX_TRIES = SETTINGS.worker.max_tries


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
    at = memory.at.attempts
    assert len(at.together | at.unpacking | at.alone) == others + 1


def test_a_spectrum_that_ends_one_process_after_the_other_is_given_up_after_so_many_tries_alone() -> None:
    memory = Memory()
    for _ in range(2 + MAX_TRIES):
        memory.begun(memory.process())
    last = memory.process()
    last.begin({PARTITION: memory.at})
    assert last.begin_on({PARTITION: 10}) == [PARTITION]
    last.sort([record(10)])
    assert last.next() == Alone(record(10), None)


def test_what_other_workers_began_meanwhile_counts_and_what_this_one_began_does_not() -> None:
    memory = Memory()
    mine = memory.process()
    for others in range(1, SUSPECT_STARTS + 1):
        memory.begun(mine)
        memory.begun(memory.process())
        assert len(memory.at.attempts.together) == min(others + 1, SUSPECT_STARTS)
    mine.begin({PARTITION: memory.at})
    assert mine.sort([record(10)]) == []


def test_a_batch_that_ends_one_process_after_the_other_while_it_is_unpacked_is_stepped_over() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS + MAX_TRIES):
        assert not memory.begun_unpacking(memory.process())
    assert memory.begun_unpacking(memory.process())


@pytest.mark.parametrize("others", range(SUSPECT_STARTS + MAX_TRIES))
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
        return not attempts.alone and memory.mark(partition, offset, attempts)

    patient = Suspects(SETTINGS, mark)
    for _ in range(50):
        memory.begun(patient)
    at = memory.at.attempts
    assert (len(at.together), len(at.unpacking), len(at.alone)) == (SUSPECT_STARTS, 1, 0)


def test_a_batch_that_was_unpacked_is_not_to_blame_for_what_ended_before() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS + MAX_TRIES - 1):
        memory.begun_unpacking(memory.process())
    memory.begun(memory.process())
    assert not memory.at.attempts.unpacking


def test_behind_what_a_worker_can_have_had_in_hand_batches_are_unpacked_together_again() -> None:
    memory = Memory()
    for _ in range(SUSPECT_STARTS):
        memory.begun(memory.process())
    survivor = memory.process()
    survivor.begin({PARTITION: memory.at})
    end = 10 + BATCHES_IN_HAND * SETTINGS.worker.batch_spectra
    for offset in range(10, end):
        assert survivor.begin_on({PARTITION: offset}) == [PARTITION]
        assert survivor.open(PARTITION, offset) is not None
        survivor.sort([record(offset)])
        assert survivor.next() == Alone(record(offset), 0)
    assert survivor.open(PARTITION, end) is None
    assert survivor.together == {PARTITION}
    assert survivor.sort([record(end)]) == [record(end)]


@pytest.mark.parametrize(
    "text", [None, "", "starts=2 alone=1", "starts=2 alone=1 unpacks=0", "a b=c", "alone=x,,-1", "alone="]
)
def test_what_an_older_worker_or_a_stranger_wrote_beside_an_offset_counts_as_nothing(
    text: str | None,
) -> None:
    assert Attempts.parse(text) == Attempts()


def test_what_a_worker_writes_beside_an_offset_is_read_again_by_one_that_is_newer_too() -> None:
    written = Attempts(frozenset({"abcdefgh", "bcdefghi"}), frozenset(), frozenset({"abcdefgh"}))
    assert str(written) == "together=abcdefgh,bcdefghi alone=abcdefgh"
    assert Attempts.parse(f"later=x {written}") == written
    assert Attempts.parse(str(Attempts())) == Attempts()


def test_as_many_tries_as_can_be_set_fit_beside_an_offset() -> None:
    names = frozenset(new_name() for _ in range(MOST_TRIES))
    assert len(names) == MOST_TRIES
    assert len(str(Attempts(names, names, names))) < OFFSET_METADATA_MAX_BYTES
    with pytest.raises(ValidationError):
        WorkerSettings(max_tries=MOST_TRIES + 1)


# -- the whole life of a group, in which processes die wherever chance has it ------------------------------

PARTITIONS = [TopicPartition("spectra", number) for number in range(3)]
BATCHES = 12
SIZES = (1, 2, 3, 4, 7)
TURNS = 3000

Attempt = tuple[str, TopicPartition, int]
"""What was tried alone: "batch" or "record", and where."""


class Died(Exception):
    """A process ended."""


class Moved(Exception):
    """The epoch moved, and nothing died."""


class Lost(Exception):
    """The group gave up a process that lives, and its partitions go to others."""


@dataclass
class Group:
    """A stream, some of which is deadly, and what a group of workers makes of it.

    Attributes
    ----------
    unlucky
        How often chance may cut off a process from what it tries alone: kill it, or take the partition away
        before it could take its mark back.
    kills, moves
        How often it may kill a process, or move the epoch, at other places.
    deaths
        Processes that deadly batches and records ended.
    disturbances
        What chance did.
    """

    chance: random.Random
    deadly_batches: int
    deadly_records: int
    unlucky: int
    kills: int = 25
    moves: int = 50
    deaths: int = 0
    disturbances: int = 0
    batches: dict[TopicPartition, list[range]] = field(default_factory=dict)
    guilty: set[tuple[TopicPartition, int]] = field(default_factory=set)  # of batches the first offset
    committed: dict[TopicPartition, CommittedAt] = field(default_factory=dict)
    answered: Counter[tuple[TopicPartition, int]] = field(default_factory=Counter)
    condemned: list[tuple[Attempt, int]] = field(default_factory=list)  # with the next offset
    tried: set[Attempt] = field(default_factory=set)  # alone by the process that is at work, and not settled
    cut_off: Counter[Attempt] = field(default_factory=Counter)  # processes in the midst of it

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
        self.guilty = {(p, batch.start) for p, batch in self.deadly_ranges}
        self.guilty |= {(p, self.chance.choice(b)) for p, b in picked[self.deadly_batches :]}

    def mark(self, partition: TopicPartition, offset: int, attempts: Attempts) -> bool:
        """Write, unless Kafka is in the way; it may write all the same, and not say so."""
        refused = self.moves > 0 and self.chance.random() < 0.05
        self.moves -= refused
        self.disturbances += refused
        if not refused or self.chance.random() < 0.5:
            self.committed[partition] = CommittedAt(offset, attempts)
        return not refused

    def commit(self, records: Sequence[Record]) -> None:
        """Publish and commit at once."""
        for record in records:
            partition = TopicPartition(record.topic, record.partition)
            self.committed[partition] = CommittedAt(record.next_offset, Attempts())
        self.tried.clear()

    def strike(self) -> None:
        """Kill the process, or move the epoch, now and then."""
        assert not self.tried
        if self.kills and self.chance.random() < 0.04:
            self.kills -= 1
            self.disturbances += 1
            raise Died
        if self.moves and self.chance.random() < 0.04:
            self.moves -= 1
            self.disturbances += 1
            raise Moved

    def strike_between(self) -> None:
        """Cut the process off from what it tries alone, now and then."""
        if self.unlucky and self.chance.random() < 0.08:
            self.unlucky -= 1
            self.disturbances += 1
            raise self.chance.choice((Died, Lost))

    def murder(self) -> None:
        """End the process for a reason that comes again."""
        self.deaths += 1
        raise Died

    def given_up(self) -> None:
        """The process that is at work is cut off from what it tries alone, whatever the reason."""
        self.cut_off.update(self.tried)
        self.tried.clear()

    def next_batch(self, partition: TopicPartition, position: int) -> range | None:
        """The batch that holds the offset, or comes next."""
        return next((batch for batch in self.batches[partition] if batch.stop > position), None)

    def position(self, partition: TopicPartition) -> int:
        """Where a process begins."""
        return self.committed[partition].offset if partition in self.committed else 0

    @property
    def done(self) -> bool:
        """Whether everything is committed."""
        return all(self.next_batch(p, self.position(p)) is None for p in PARTITIONS)

    def unpack(self, partition: TopicPartition, position: int) -> list[Record]:
        """The records of the next batch."""
        batch = self.next_batch(partition, position)
        assert batch is not None
        if (partition, batch) in self.deadly_ranges:
            self.murder()
        return [record_of(partition, offset) for offset in batch if offset >= position]

    def analyse(self, records: Sequence[Record]) -> None:
        """Answer records, if none of them is deadly."""
        places = [(TopicPartition(r.topic, r.partition), r) for r in records]
        if any((p, r.offset) in self.guilty and r.damage is None for p, r in places):
            self.murder()
        for partition, found in places:
            if found.damage is None:
                self.answered[partition, found.offset] += 1
            else:
                self.condemned.append((("batch", partition, found.offset), found.next_offset))
        self.commit(records)


def record_of(partition: TopicPartition, offset: int, last: int | None = None) -> Record:
    """A record; a batch that was stepped over where it has a last offset."""
    damage = None if last is None else Damage(DeadLetterReason.CRASHES, "", last)
    return Record(partition.topic, partition.partition, offset, None, b"", (), 0, damage)


def unless_moved(written: bool) -> None:
    """Begin again where a mark was refused."""
    if not written:
        raise Moved


def live(group: Group, suspects: Suspects, owned: Sequence[TopicPartition]) -> None:
    """Do as the worker's loop does, until all is done, the epoch moves, or the process dies."""
    suspects.clear()
    unless_moved(suspects.begin({p: at for p, at in group.committed.items() if p in owned}))
    positions = {p: group.position(p) for p in owned}

    def waiting() -> dict[TopicPartition, int]:
        return {p: at for p, at in positions.items() if group.next_batch(p, at) is not None}

    while waiting() or len(suspects):
        packed = {p: at for p, at in waiting().items() if group.chance.random() < 0.7}
        in_hand: list[Record] = []
        for partition in packed:
            if partition in suspects.together:
                in_hand += (records := group.unpack(partition, packed[partition]))
                positions[partition] = records[-1].next_offset
        group.strike()
        if in_hand:
            group.analyse(suspects.sort(in_hand))
            group.strike()
            continue
        suspected = suspects.begin_on(packed)
        unless_moved(all(p in suspects.together or p in suspected for p in packed))
        if suspected:
            open_next(group, suspects, positions, suspected[0])
        while len(suspects):
            go_on_alone(group, suspects)
            group.strike()


def open_next(
    group: Group, suspects: Suspects, positions: dict[TopicPartition, int], partition: TopicPartition
) -> None:
    """Unpack the next batch of a suspected partition."""
    at = positions[partition]
    batch = group.next_batch(partition, at)
    assert batch is not None
    first = max(batch.start, at)
    group.tried = {("batch", partition, first)}
    opening = suspects.open(partition, at)
    if opening is None:
        unless_moved(partition in suspects.together)
        group.tried.clear()  # it is suspected no longer
        return
    if opening.unread:
        records = [record_of(partition, first, batch[-1])]
    else:
        group.strike_between()
        records = group.unpack(partition, at)
        group.strike_between()
    assert suspects.sort(records) == []
    positions[partition] = records[-1].next_offset


def go_on_alone(group: Group, suspects: Suspects) -> None:
    """Do the next record that is suspected."""
    before = set(group.tried)
    first = next(iter(suspects._waiting))
    attempt = ("record", TopicPartition(first.topic, first.partition), first.offset)
    group.tried.add(attempt)  # a mark that is refused may be there all the same
    following = suspects.next()
    if not isinstance(following, Alone):
        group.tried = group.tried if not following else before
        unless_moved(bool(following))
        assert not before, "what others are done with is still tried alone"
        group.analyse(following)
    elif following.tries is None:
        group.tried = before
        group.strike_between()
        group.condemned.append((attempt, following.record.next_offset))
        group.commit([following.record])
    else:
        group.tried = {attempt}
        group.strike_between()
        group.analyse([following.record])


def live_on(group: Group, processes: int) -> None:
    """Have processes live, one after the other, until the stream is done; partitions change hands between."""
    alive = [Suspects(SETTINGS, group.mark) for _ in range(processes)]
    for _ in range(TURNS):
        if group.done:
            return
        turn = group.chance.randrange(processes)
        owned = group.chance.sample(PARTITIONS, group.chance.randint(1, len(PARTITIONS)))
        try:
            live(group, alive[turn], owned)
        except Died:
            group.given_up()
            alive[turn] = Suspects(SETTINGS, group.mark)
        except Lost:
            group.given_up()
        except Moved:
            # before it lets go of a partition it takes its marks back, unless Kafka refuses that, too
            if alive[turn].begin({p: at for p, at in group.committed.items() if p in owned}):
                group.tried.clear()
            group.given_up()
    raise AssertionError("the stream does not end")


MANY = 50


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 1 << 32),
    deadly_batches=st.integers(0, 3),
    deadly_records=st.integers(0, 3),
    processes=st.integers(1, 5),
    unlucky=st.sampled_from((0, MAX_TRIES - 1, MANY)),
    peaceful=st.booleans(),
)
@example(seed=0, deadly_batches=1, deadly_records=0, processes=1, unlucky=0, peaceful=True)
@example(seed=684294948, deadly_batches=2, deadly_records=0, processes=1, unlucky=2, peaceful=True)
@example(seed=7674, deadly_batches=0, deadly_records=2, processes=3, unlucky=0, peaceful=False)
def test_only_what_is_deadly_or_was_alone_in_hand_at_so_many_ends_is_given_up_and_all_else_is_answered_once(
    seed: int, deadly_batches: int, deadly_records: int, processes: int, unlucky: int, peaceful: bool
) -> None:
    disturbances = {"kills": 0, "moves": 0} if peaceful else {}
    group = Group(random.Random(seed), deadly_batches, deadly_records, unlucky, **disturbances)
    live_on(group, processes)
    check(group)
    # a commit takes the mark away, so the first death may leave none; what chance does may end a suspicion
    until_suspected = 1 + SUSPECT_STARTS
    most = len(group.guilty) * (until_suspected + MAX_TRIES) + group.disturbances * until_suspected
    assert group.deaths <= most


def check(group: Group) -> None:
    """Each record has one fate, and the innocent are only given up where chance looked like guilt."""
    fates = Counter(group.answered)
    for (kind, partition, offset), following in group.condemned:
        assert group.cut_off[kind, partition, offset] >= MAX_TRIES
        fates.update((partition, o) for o in range(offset, following))
    assert fates == {(p, o): 1 for p in PARTITIONS for batch in group.batches[p] for o in batch}
    silent = {(p, o) for p, batch in group.deadly_ranges for o in batch} | group.guilty
    assert not silent & group.answered.keys()
