"""`spectraq watch`: what passes on the topics, decoded."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import Config
from spectraq.workers.cli.terminal import print_json, print_line, stdout

if TYPE_CHECKING:
    from spectraq.schemas.message import Message
    from spectraq.workers.contract.writer_schemas import WriterSchemas
    from spectraq.workers.settings import Settings
    from spectraq.workers.transport.messages import Record

POLL_S = 0.25
FRAMES_PER_S = 4


class Kind(StrEnum):
    """A topic, by what it carries."""

    CLASSIFICATIONS = "classifications"
    REDSHIFTS = "redshifts"
    ANOMALIES = "anomalies"
    MODELS = "models"
    MEASUREMENTS = "measurements"
    CHANGES = "changes"
    DEAD_LETTERS = "dead-letters"
    SPECTRA = "spectra"
    VERDICTS = "verdicts"

    def topic(self, settings: Settings) -> str:
        """Return the topic's name."""
        name: str = getattr(settings.topics, self.value.replace("-", "_"))
        return name


RESULTS = (Kind.CLASSIFICATIONS, Kind.REDSHIFTS, Kind.ANOMALIES, Kind.MEASUREMENTS)


def watch(
    kinds: Annotated[
        list[Kind] | None,
        typer.Argument(help="Which topics; all results but models when left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a message.")] = False,
    from_beginning: Annotated[
        bool, typer.Option("--from-beginning", help="Begin with the oldest message kept.")
    ] = False,
    max_messages: Annotated[
        int | None, typer.Option("--max", help="End after this many messages.", min=1)
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="End after this many seconds without a message.", min=0)
    ] = None,
    flagged: Annotated[
        bool, typer.Option("--flagged", help="Of anomalies and changes, only those flagged.")
    ] = False,
    as_lines: Annotated[
        bool, typer.Option("--lines", help="One line a message, not a table, on a terminal too.")
    ] = False,
    config: Config = None,
) -> None:
    """Follow topics, decoded; nothing is committed and no worker is disturbed.

    On a terminal the results are a table with one row a spectrum; elsewhere, and for other topics, they
    are one line a message.

    Example: `spectraq watch`

    Example: `spectraq watch anomalies --flagged --from-beginning --timeout 5`

    Example: `spectraq watch changes --flagged`
    """
    from spectraq.workers.contract.writer_schemas import WriterSchemas
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.follower import Follower

    settings = load_settings(config)
    log.configure(settings.log)
    usual = RESULTS if settings.worker.publish_measurements else RESULTS[:-1]
    topics = [kind.topic(settings) for kind in kinds or usual]
    live = stdout.is_terminal and not (as_json or as_lines) and set(kinds or usual) <= set(RESULTS)
    with Follower(settings, topics, from_beginning) as follower, _shown(live, as_json, flagged) as show:
        schemas = WriterSchemas(settings.kafka)
        spectra = settings.topics.of_spectra
        decoded = ((record, decode(record, spectra, schemas)) for record in _records(follower, timeout))
        wanted = (pair for pair in decoded if not (flagged and _unflagged(pair[1])))
        for record, message in islice(wanted, max_messages):
            show(record, message)


def _unflagged(message: Message | str) -> bool:
    """Return whether a message is an anomaly or a change that is none."""
    return getattr(message, "flagged", True) is False or getattr(message, "changed", True) is False


@contextmanager
def _shown(live: bool, as_json: bool, flagged: bool) -> Iterator[Callable[[Record, Message | str], None]]:
    """Yield what shows a message: in the table of a terminal, as a line, or as JSON."""
    if not live:
        yield lambda record, message: _show(record, message, as_json)
        return
    from rich.live import Live

    from spectraq.workers.cli.livetable import LiveTable

    table = LiveTable(flagged)
    with Live(table, console=stdout, refresh_per_second=FRAMES_PER_S, vertical_overflow="crop"):
        yield table.take


def _records(follower: Any, timeout_s: float | None) -> Iterator[Record]:
    last = time.monotonic()
    while timeout_s is None or time.monotonic() - last < timeout_s:
        for record in follower.poll(POLL_S):
            yield record
            last = time.monotonic()


def decode(
    record: Record, of_spectra: Collection[str] = (), schemas: WriterSchemas | None = None
) -> Message | str:
    """Return the message of a record, or why it is none.

    Parameters
    ----------
    record
        As it came.
    of_spectra
        Topics whose messages may be written in any way that a worker reads.
    schemas
        Says how to read what carries the number of its schema there; None: the numbers of ours are known.
    """
    from spectraq.schemas.codec import DecodeError
    from spectraq.schemas.codec import decode as message_of
    from spectraq.workers.contract.spectrum_body import spectrum_of
    from spectraq.workers.contract.writer_schemas import OURS
    from spectraq.workers.errors import UnreachableError

    schemas = schemas or OURS
    try:
        if record.topic not in of_spectra:
            return message_of(record.value, record.headers)
        schemas.begin_turn()
        return spectrum_of(record.value, record.headers, record.key, schemas=schemas)
    except DecodeError as error:
        return f"{error.reason}: {error}"
    except UnreachableError as error:
        return str(error)


def _show(record: Record, message: Message | str, as_json: bool) -> None:
    if not as_json:
        print_line(line(message))
        return
    value = {"error": message} if isinstance(message, str) else message.to_json_dict()
    key = None if record.key is None else record.key.decode(errors="replace")
    print_json(
        {
            "topic": record.topic,
            "partition": record.partition,
            "offset": record.offset,
            "key": key,
            "value": value,
        }
    )


def line(message: Message | str) -> str:
    """Return a message in one line."""
    from spectraq.schemas.change import Change
    from spectraq.schemas.deadletter import DeadLetter
    from spectraq.schemas.results import Anomaly, Classification, Measurement, ModelSpectrum, Redshift
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.schemas.verdict import Verdict

    match message:
        case Classification():
            probability = message.class_probability.get(message.spectype, float("nan"))
            kind = f"{message.spectype:6s} {message.subtype:12s}"
            return f"class    {message.spectrum_id:28s} {kind} p {probability:.3f}"
        case Redshift():
            warnings = f"  {' '.join(message.zwarn_names)}" if message.zwarn else ""
            return f"redshift {message.spectrum_id:28s} z {message.z:.6f} ± {message.zerr:.6f}{warnings}"
        case Anomaly():
            reasons = "; ".join(reason.message for reason in message.reasons)
            if message.judgement == "outside_reference":
                return f"unjudged {message.spectrum_id:28s} {reasons}"
            if not message.flagged:
                return f"normal   {message.spectrum_id:28s} rate {message.false_positive_rate:.3g}"
            return f"ANOMALY  {message.spectrum_id:28s} rate {message.false_positive_rate:.2g}  {reasons}"
        case ModelSpectrum():
            return f"model    {message.spectrum_id:28s} {message.flux.size} pixels at z {message.z:.5f}"
        case Measurement():
            return f"measured {message.spectrum_id:28s} {len(message.seen)} lines at z {message.z:.5f}"
        case Change():
            if not message.changed:
                said = "unchanged" if message.judgement == "compared" else "not comparable"
                return f"change   {message.spectrum_id:28s} {said}: {message.message}"
            rate = f"priority {message.priority:.2f} rate {message.false_positive_rate:.2g}"
            return f"CHANGED  {message.spectrum_id:28s} {rate}  {message.message}"
        case Verdict():
            words = f"  {message.comment!r}" if message.comment else ""
            of_flag = f" flag {message.anomaly}" if message.anomaly else ""
            said = f"{message.spectype:6s} z {message.z:.5f} quality {message.quality}{of_flag}"
            return f"verdict  {message.spectrum_id:28s} {said} by {message.author!r}{words}"
        case DeadLetter():
            origin = f"{message.topic} {message.place}"
            return f"dead     {origin:28s} {message.reason}: {message.message}"
        case Spectrum():
            survey = message.survey or ""
            return f"spectrum {message.spectrum_id:28s} {message.n_pixels} pixels  {survey}".rstrip()
    return f"unreadable: {message}"
