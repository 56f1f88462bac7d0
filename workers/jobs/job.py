"""One job: spectra of files into the stream, and their answers counted, from wherever its journal ends.

In this order, so that a kill at any moment loses nothing: a spectrum is sent, Kafka acknowledges it, the
journal says so. What was acknowledged and not yet written down is found on the topic by its header when the
job goes on.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass

from kafka import TopicPartition

from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.errors import ReadError
from spectraq.workers.jobs.answers import Answers, job_header, recover
from spectraq.workers.jobs.journal import Counts, File, Journal
from spectraq.workers.jobs.pace import Pace
from spectraq.workers.jobs.progress import Progress
from spectraq.workers.readers.format import Item
from spectraq.workers.settings import Settings
from spectraq.workers.transport.connection import administrator
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.sender import Sender

TURN_S = 1.0
"""The journal is written, answers are counted and progress is shown as often."""

REST_S = 0.2
GRACE_S = 5.0
"""Results become visible to readers of committed messages within this of the workers' offsets."""

ReadFile = Callable[[str, int, Callable[[int], None]], Generator[Item]]
"""Reads a file from a row on, and tells its length."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job is to do.

    Attributes
    ----------
    topic
        Of spectra.
    files
        Paths in the order of reading, an error in the place of a name that stands for none.
    read
        Reads one.
    rate
        Spectra a second at most; None: no limit.
    most_waiting
        Spectra that may wait in Kafka before sending rests.
    wait
        Whether to wait for the answers.
    """

    topic: str
    files: list[str | ReadError]
    read: ReadFile
    rate: float | None
    most_waiting: int
    wait: bool


class Job:
    """A plan and its journal.

    Parameters
    ----------
    settings
        In force.
    plan
        What to do.
    journal
        What is done.
    complain
        Takes what can't be read.
    show
        Takes the progress, once a second.

    Raises
    ------
    UnreachableError, DeliveryError
        Where Kafka does not answer; the job may go on later.
    SpectraqError
        Where the journal is of another cluster or topic, or a file has changed.
    """

    def __init__(
        self,
        settings: Settings,
        plan: Plan,
        journal: Journal,
        complain: Callable[[ReadError], None],
        show: Callable[[Progress], None],
    ) -> None:
        self._settings, self._plan, self._journal = settings, plan, journal
        self._complain, self._show = complain, show
        self._progress = Progress(plan.files)
        self._ends: dict[TopicPartition, int] = {}
        self._read_whole: deque[tuple[int, File, int]] = (
            deque()
        )  # once so many are acknowledged: file, its rows
        self._last_turn = 0.0
        self.missing = 0  # names that stand for no file
        self.found = 0  # spectra that a kill had kept from the journal

    def run(self) -> Counts:
        """Send what was not sent, wait for the answers where that is wanted, and return the ledger."""
        self._bind()
        self._ahead = self._journal.rows_ahead()
        pace = Pace(self._settings, self._plan.most_waiting)
        with pace, Answers(self._settings, self._journal) as answers:
            self._pace, self._answers = pace, answers
            self._progress.begin(self._journal.counts())
            try:
                with Sender(self._settings, self._plan.rate, self._acknowledged) as sender:
                    self._sender = sender
                    self._send_all()
                self._turn()
                if self._plan.wait:
                    self._wait()
            except BaseException:
                self._journal.forget()  # counts and positions go together; what was sent is found again
                raise
        return self._journal.counts()

    def _bind(self) -> None:
        topics = self._settings.topics
        names = (self._plan.topic, topics.redshifts, topics.dead_letters)
        with administrator(self._settings.kafka) as client:
            cluster = str(client.describe_cluster()["cluster_id"])
        with Follower(self._settings, names) as follower:
            ends = follower.ends()
        where = {"cluster": cluster, "topic": names[0], "results": names[1], "letters": names[2]}
        if self._journal.bind(where, ends):
            self.found = recover(self._settings, self._journal, self._plan.topic)
        self._ends = self._journal.positions(self._plan.topic)

    def _send_all(self) -> None:
        for path in self._plan.files:
            if isinstance(path, ReadError):
                self._miss(path)
                continue
            try:
                file = self._journal.file(path)
            except OSError as error:
                self._miss(ReadError(f"it can't be opened: {error.strerror}", file=path))
                continue
            if file.whole:
                self._progress.opened(path, file.rows)
            else:
                self._send_file(path, file)
            self._turn_if_due()
        self._sender.flush()
        self._note_whole()
        for path in set(self._journal.unfinished_files()) - set(map(str, self._plan.files)):
            self._miss(ReadError("this job began with it, and it is not among the files now", file=path))

    def _miss(self, error: ReadError) -> None:
        self.missing += 1
        self._complain(error)

    def _send_file(self, path: str, file: File) -> None:
        rows = 0

        def told(length: int) -> None:
            nonlocal rows
            rows = length
            self._journal.note_rows(file.number, length)
            self._progress.opened(path, length)

        row = file.done
        with closing(self._plan.read(path, file.done, told)) as items:
            for item in items:
                self._one(item, file, row)
                row += 1
                self._turn_if_due()
        if rows:
            self._read_whole.append((self._sender.taken, file, rows))

    def _one(self, item: Item, file: File, row: int) -> None:
        if isinstance(item, ReadError):
            self._journal.note_unreadable(file.number, item.row, str(item))
            self._complain(item)
        elif (file.number, row) not in self._ahead:
            self._rest_while_ahead()
            self._publish(item, file, row)

    def _publish(self, spectrum: Spectrum, file: File, row: int) -> None:
        mark = (file.number, row, spectrum.spectrum_id.encode())
        header = job_header(self._journal, file.number, row)
        self._sender.publish(spectrum, spectrum.spectrum_id, self._plan.topic, (header,), mark)

    def _acknowledged(self, mark: tuple[int, int, bytes], partition: int, offset: int) -> None:
        file, row, key = mark
        self._journal.note_sent(file, row, key)
        self._journal.note_done(file, row + 1)
        place = TopicPartition(self._plan.topic, partition)
        self._ends[place] = max(self._ends.get(place, 0), offset + 1)
        self._progress.sent += 1

    def _note_whole(self) -> None:
        while self._read_whole and self._read_whole[0][0] <= self._sender.sent:
            _, file, rows = self._read_whole.popleft()
            self._journal.note_done(file.number, rows, whole=True)

    def _rest_while_ahead(self) -> None:
        while self._pace.is_ahead(self._sender.taken):
            self._progress.resting = True
            time.sleep(REST_S)
            self._sender.settle()
            self._turn_if_due()
        self._progress.resting = False

    def _turn_if_due(self) -> None:
        if time.monotonic() - self._last_turn >= TURN_S:
            self._turn()

    def _turn(self, wait_s: float = 0.0) -> None:
        """Write the journal, count answers, ask how many wait, show how far it is."""
        self._note_whole()
        self._progress.ended += self._answers.take(TURN_S / 2, wait_s)
        self._journal.move(self._ends)
        self._journal.commit()
        self._pace.look(self._sender.taken)
        self._progress.workers = self._pace.workers
        self._progress.waiting = 0 if self._pace.group is None else self._pace.group.lag
        self._show(self._progress)
        self._last_turn = time.monotonic()

    def _wait(self) -> None:
        """Wait until all has come to an end, or the workers have passed it without an answer."""
        self._progress.all_sent = True
        passed: float | None = None
        while self._is_missing_any():
            self._turn(TURN_S)
            if not (self._pace.has_passed(self._ends) and self._answers.drained()):
                passed = None
            elif passed is None:
                passed = time.monotonic()
            elif time.monotonic() - passed > GRACE_S:
                return

    def _is_missing_any(self) -> bool:
        # answers that come twice make this too many, and never too few; the journal knows it exactly
        return self._progress.ended < self._progress.sent or self._journal.counts().unanswered > 0
