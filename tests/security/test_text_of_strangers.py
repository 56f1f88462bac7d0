"""Text that a stranger wrote, on its way out: whatever it holds, each output shows it as text of one line."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import structlog
from astropy.table import Table
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet
from rich.console import Console

from spectraq.schemas.deadletter import DeadLetter
from spectraq.schemas.results import Anomaly, Classification, Provenance, Reason, Redshift
from spectraq.schemas.spectrum import Spectrum
from spectraq.schemas.text import UNPRINTABLE, unprintable
from spectraq.workers.cli import dlq, resultlines, terminal, watch
from spectraq.workers.cli.livetable import LiveTable
from spectraq.workers.cli.terminal_plot import drawing
from spectraq.workers.contract.convert import Results, Subject
from spectraq.workers.deadletters.browse import Letter
from spectraq.workers.files import result_table
from spectraq.workers.files.analyze_files import Answered, Unanswered
from spectraq.workers.operations import log
from spectraq.workers.operations.health import Health
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.readers import read
from spectraq.workers.settings import LogSettings
from spectraq.workers.transport.messages import Record
from spectraq.workers.web.night.entry import Entry, Row
from spectraq.workers.web.night.night import Night
from spectraq.workers.web.night.spectrum_json import entry_json, pixels_json
from spectraq.workers.web.server.broadcast import as_json

ALL = "".join(
    mark
    for mark in map(chr, (*range(0x3100), *range(0xD7F0, 0x10000, 7), *range(0xE0000, 0xE0080), 0x10FFFF))
    if unicodedata.category(mark) in UNPRINTABLE
)
"""Every control and format character, every separator of lines, and some of each other category."""
ORDINARY = "NGC 1068 – Ñ, 星"
HIDDEN = st.text(st.characters(categories=sorted(UNPRINTABLE)) | st.characters(), min_size=1, max_size=30)


def results(text: str) -> Answered:
    """Results of which every text is the same."""
    common = {
        "result_id": text,
        "spectrum_id": text,
        "provenance": Provenance(spectrum_digest=text, ensemble_digest=text, ensemble_version=text),
        "survey": text,
        "target_id": text,
        "snr": 1.0,
        "zwarn": 1,
        "zwarn_names": (text,),
        "spectype": text,
    }
    numbers = dict.fromkeys(("z", "zerr", "z_spread", "chi2", "rchi2", "deltachi2", "robustness"), 0.1)
    by_class = {"class_probability": {text: 1.0}, "class_spread": {text: 0.1}}
    by_subclass = {"subclass_probability": {text: 1.0}, "subclass_spread": {text: 0.1}}
    reason = Reason(kind=text, origin=text, strength=9.0, wavelength_min=1, wavelength_max=2, message=text)
    found = Results(
        Classification(subtype=text, **by_class, **by_subclass, **common),
        Redshift(subtype=text, npixels=1, coeff=(1.0,), candidates=(), **numbers, **common),
        Anomaly(
            z=0.1,
            score=9.0,
            false_positive_rate=0.001,
            flagged=True,
            reasons=(reason,),
            reference=text,
            **common,
        ),
    )
    return Answered(text, 0, Subject(text, text, text, text, flux_unit=text), found)


def spectrum(text: str) -> Spectrum:
    """A spectrum of which every free text is the same."""
    pixels = {"flux": np.arange(30.0), "loglam0": 3.6, "dloglam": 1e-3}
    return Spectrum(spectrum_id="a", **pixels, flux_unit=text, survey=text, target_id=text, source_file=text)


def letter(text: str) -> Letter:
    """A dead letter of which every text is the same."""
    raw = text.encode(errors="surrogatepass")
    given = {"message": text, "topic": text, "key": raw, "value": raw, "headers": [(text, raw)]}
    return Letter(
        0,
        0,
        0,
        DeadLetter(reason=text, partition=0, offset=0, timestamp_ms=0, spectraq_version=text, **given),
    )


def printed(call: Callable[[], object]) -> str:
    """What a call prints on both streams."""
    out, before = io.StringIO(), (sys.stdout, sys.stderr)
    sys.stdout = sys.stderr = out
    try:
        call()
    finally:
        sys.stdout, sys.stderr = before
    return out.getvalue()


def hidden(said: str) -> list[str]:
    return [mark for mark in said if mark != "\n" and unprintable(mark) is not None]


def live(answered: Answered) -> str:
    table = LiveTable()
    for message in (answered.results.classification, answered.results.redshift, answered.results.anomaly):
        table.take(Record("t", 0, 0, None, b"", (), 0), message)
    console = Console(file=io.StringIO(), width=300, height=10, force_terminal=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def every_terminal(text: str) -> Iterator[tuple[str, str]]:
    """What commands print of it, by name."""
    answered = results(text)
    kinds = (answered.results.classification, answered.results.redshift, answered.results.anomaly)
    yield "a line", printed(lambda: terminal.print_line(text))
    yield "an error", printed(lambda: terminal.print_error(text))
    yield "a note", printed(lambda: terminal.print_note(text))
    yield "a table", printed(lambda: terminal.print_table(("a",), [(text,)]))
    yield "JSON", printed(lambda: terminal.print_json({text: text}))
    yield "analyze", printed(lambda: resultlines.line(answered))
    yield "the live table", live(answered)
    for message in (*kinds, spectrum(text), letter(text).letter, text):
        yield f"watch {type(message).__name__}", printed(lambda m=message: terminal.print_line(watch.line(m)))
    yield "the drawing", printed(lambda: terminal.print_lines(drawing(spectrum(text), width=80)))
    yield "dlq", printed(lambda: terminal.print_json(dlq._summary(letter(text))))


def logged(form: str, text: str) -> str:
    """What the log says of it, as value, name, message of a library and in a traceback."""

    def call() -> None:
        log.configure(LogSettings(format=form, level="info"), slot="a")  # type: ignore[arg-type]
        logger = structlog.get_logger("test")
        logger.warning("it_failed", error=text, inner={text: [text]}, raised=ValueError(text))
        logging.getLogger("library").warning("says %s", text)
        try:
            raise ValueError(text)
        except ValueError:
            logger.exception("it_failed")

    return printed(call)


def test_no_command_and_no_log_shows_a_hidden_character_of_all_there_are(logging_restored: None) -> None:
    text = f"{ORDINARY}{ALL}"
    without_halves = "".join(mark for mark in text if unicodedata.category(mark) != "Cs")
    for where, said in every_terminal(without_halves):
        assert said, where
        assert hidden(said) == [], where
    for form in ("console", "json"):
        said = logged(form, text).replace("\x1b[", "")  # colours are the log's own
        assert hidden(said) == []
        assert len([line for line in said.splitlines() if "it_failed" in line]) == 2
    assert ORDINARY in logged("console", ORDINARY)


@settings(deadline=None, max_examples=30)
@given(text=HIDDEN)
def test_no_text_gives_orders_to_a_terminal(text: str) -> None:
    writable = text.encode(errors="ignore").decode() or "a"
    for where, said in every_terminal(writable):
        assert hidden(said) == [], where
    health = Health(Metrics())
    health.trouble("Kafka", text)
    assert hidden(health.readiness()[1]) == []


def strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from strings(inner)


@settings(deadline=None, max_examples=60)
@given(text=HIDDEN | st.just(f"{ORDINARY}{ALL}"))
def test_the_page_is_sent_no_hidden_character(text: str) -> None:
    writable = text.encode(errors="ignore").decode()
    night = Night(10)
    night.trouble = text
    answered = results(writable)
    entry = Entry(Row("a", "0" * 64))
    for result in (answered.results.classification, answered.results.redshift, answered.results.anomaly):
        entry.row.take(result)
    sent = [
        night.as_json() | {"source": text},
        entry_json(entry),
        pixels_json(spectrum(writable)),
        {text: (text,)},
    ]
    for body in (as_json(value) for value in sent):
        assert all(unprintable(said) is None for said in strings(json.loads(body)))
    assert json.loads(as_json({"a": ORDINARY})) == {"a": ORDINARY}


@pytest.mark.filterwarnings("ignore:Column 'anomaly_flagged' contains NULL")  # which has no answer
@pytest.mark.parametrize("suffix", result_table.SUFFIXES)
def test_no_table_holds_a_hidden_character(suffix: str, tmp_path: Path) -> None:
    text = "".join(mark for mark in f"a{ORDINARY}{ALL}" if unicodedata.category(mark) != "Cs")
    path = tmp_path / f"results{suffix}"
    result_table.write(
        path, [result_table.row(results(text)), result_table.row(Unanswered("\udcff\x1b", 1, text, text))]
    )
    table = parquet.read_table(path).to_pydict() if suffix == ".parquet" else Table.read(path)
    for column in ("file", "spectrum_id", "survey", "error", "anomaly_reasons"):
        for value in table[column]:
            assert hidden(str(value)) == []
    if suffix != ".fits":  # which holds ASCII alone
        assert ORDINARY in str(table["spectrum_id"][0])


def test_in_a_table_for_spreadsheets_no_text_is_a_formula(tmp_path: Path) -> None:
    formulas = ("=1+1", "@SUM(A1)", "+1+cmd|' /C calc'!A0", "-2+3", "=HYPERLINK(1)")
    plain = ("-39627", "+12.5", "-1e5", "J1=2", "a-b", "NGC 1068")
    path = tmp_path / "results.csv"
    result_table.write(path, [result_table.row(results(text)) for text in (*formulas, *plain)])
    ids = [line.split(",")[2].strip('"') for line in path.read_text().splitlines()[1:]]
    assert ids == [*(f"'{text}" for text in formulas), *plain]
    exact = tmp_path / "results.ecsv"
    result_table.write(exact, [result_table.row(results(text)) for text in formulas])
    assert list(Table.read(exact)["spectrum_id"]) == list(formulas)


@pytest.mark.parametrize(
    "name", [b"night\xff.csv", b"a\x1b[2Jb.csv", "\u202efits\u2028.csv".encode(), b"x" * 240 + b".csv"]
)
def test_a_file_of_an_odd_name_is_read_and_its_spectrum_is_called_by_what_can_be_shown(
    name: bytes, tmp_path: Path
) -> None:
    path = os.fsencode(tmp_path) + b"/" + name
    lines = ["wavelength,flux", *(f"{4000 + i},{i % 7}" for i in range(300))]
    with open(path, "w") as file:  # noqa: PTH123 - the name is bytes
        file.write("\n".join(lines))
    (found,) = read(os.fsdecode(path), note=lambda _: None)
    assert isinstance(found, Spectrum), found
    assert unprintable(found.spectrum_id) is None
    assert unprintable(found.source_file or "") is None
    found.model_dump_json()
