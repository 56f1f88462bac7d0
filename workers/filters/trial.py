"""An expression tried: on what is on the topics, or on answers of files; nothing is written anywhere."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from spectraq.schemas.codec import DecodeError
from spectraq.workers.errors import UnreachableError
from spectraq.workers.filters.expression import EvaluationError, Expression, Verdict, Vocabulary
from spectraq.workers.filters.passage import Fields
from spectraq.workers.filters.result_fields import Work, fields_of, work_of
from spectraq.workers.filters.result_records import LEAD, ResultRecord
from spectraq.workers.settings import Settings
from spectraq.workers.transport.follower import Follower
from spectraq.workers.transport.messages import Record

MJD_ZERO = date(1858, 11, 17)
LATEST_MJD = 100_000
NO_NIGHT = "unknown"
SILENT_S = 10.0
"""A topic that gives nothing for so long, though its end is not reached, is waited for no more."""


@dataclass(slots=True)
class Night:
    """What became of the spectra of a night."""

    read: int = 0
    passed: int = 0


@dataclass(slots=True)
class Trial:
    """What an expression said of spectra.

    Attributes
    ----------
    nights
        By UTC date of the exposure.
    undecided
        Spectra that lack a value that it needs.
    errors
        How often an evaluation failed, by what was said.
    """

    expression: Expression
    vocabulary: Vocabulary
    nights: dict[str, Night] = field(default_factory=dict)
    undecided: int = 0
    errors: Counter[str] = field(default_factory=Counter)

    def passes(self, fields: Mapping[str, Fields | None]) -> bool:
        """Return whether the results of a spectrum pass, and count them.

        Parameters
        ----------
        fields
            Of each result by the name of its record; None or left out: it is missing.
        """
        night = self.nights.setdefault(night_of(fields[LEAD.kind]), Night())
        night.read += 1
        activation = self.vocabulary.activation(fields.get, self.expression.used)
        try:
            verdict = self.expression.evaluate(activation)
        except EvaluationError as error:
            self.errors[str(error)] += 1
            return False
        self.undecided += verdict is Verdict.UNDECIDED
        night.passed += verdict is Verdict.PASSED
        return verdict is Verdict.PASSED

    @property
    def read(self) -> int:
        """How many spectra it was asked of."""
        return sum(night.read for night in self.nights.values())

    @property
    def passed(self) -> int:
        """How many passed."""
        return sum(night.passed for night in self.nights.values())


def night_of(lead: Fields | None) -> str:
    """Return the UTC date of an exposure."""
    mjd = None if lead is None else lead["mjd"]
    if mjd is None or not 0 < mjd < LATEST_MJD:
        return NO_NIGHT
    return (MJD_ZERO + timedelta(days=int(mjd))).isoformat()


def last_results(
    settings: Settings,
    records: Mapping[str, ResultRecord],
    last: int,
    done: Callable[[int], None] = lambda messages: None,
) -> Iterator[dict[str, dict[str, Any] | None]]:
    """Yield the results of about the last spectra of the stream, by the name of the record, in their order.

    Parameters
    ----------
    settings
        The settings in force.
    records
        Every kind of result by name.
    last
        How many spectra; of each partition its share.
    done
        Called with how many messages came.

    Raises
    ------
    UnreachableError
        Where Kafka does not answer, lacks a topic, or gives nothing though there is more.
    """
    here = {record.topic: record for record in records.values() if not record.absent}
    spectra: dict[Work, Record] = {}
    parts: dict[tuple[Work, str], Record] = {}
    for message in _last_messages(settings, list(here), last, done):
        kind = here[message.topic]
        try:
            work = work_of(message)
        except DecodeError:
            continue
        if kind.record is LEAD:
            spectra[work] = message
        else:
            parts[work, kind.name] = message
    for work, lead in list(spectra.items())[-last:]:
        of_spectrum = {kind.name: parts.get((work, kind.name)) for kind in here.values()}
        of_spectrum[LEAD.kind] = lead
        fields = {name: _read(of, records[name]) for name, of in of_spectrum.items()}
        if fields[LEAD.kind] is not None:
            yield fields


def _last_messages(
    settings: Settings, topics: list[str], last: int, done: Callable[[int], None]
) -> Iterator[Record]:
    with Follower(settings, topics) as follower:
        ends, begins = follower.ends(), follower.begins()
        share = -(-last * len(topics) // max(len(ends), 1))
        for partition, end in ends.items():
            # a transaction's mark takes an offset, too: twice as far back is as many messages in any case
            follower.seek(partition, max(begins[partition], end - 2 * share))
        heard = time.monotonic()
        while not follower.reached(ends):
            messages = follower.poll(0.25)
            if messages:
                heard = time.monotonic()
                done(len(messages))
            elif time.monotonic() - heard > SILENT_S:
                raise UnreachableError("Kafka gives no more of the results, though there are more")
            yield from messages


def _read(record: Record | None, kind: ResultRecord) -> dict[str, Any] | None:
    if record is None:
        return None
    try:
        return fields_of(record, kind.record)
    except DecodeError:
        return None
