"""What a terminal is shown: the live table, and text of strangers as text."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from spectraq.models.answer import Extra
from spectraq.schemas.text import escaped
from spectraq.workers.cli.livetable import LiveTable
from spectraq.workers.demonstration.simulated import spectra as simulated
from spectraq.workers.settings import load_settings
from spectraq.workers.transport.messages import Record
from spectraq.workers.transport.sender import Sender
from spectraq.workers.web.sources.best_fits import Modelling
from tests.support.commandline import SPECTRAQ, CommandLine

Spectra = Callable[[int], Path]
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"


def test_text_of_strangers_gives_no_orders_to_the_terminal() -> None:
    shown = escaped(f"a{HOSTILE}")
    assert shown == r"a\x1b]0;owned\x07\x1b[2J\x9b31m\u202eevil"
    assert escaped("NGC 1068 Å ± é 星") == "NGC 1068 Å ± é 星"


def test_a_hostile_dead_letter_is_listed_and_shown_as_text(online: CommandLine) -> None:
    topic = online.environment["SPECTRAQ_TOPICS__SPECTRA"]
    address = {"bootstrap_servers": online.environment["SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS"]}
    with Sender(load_settings(kafka=address)) as publisher:
        publisher.send(topic, HOSTILE.encode(), f'{{"spectrum_id": "{HOSTILE}"'.encode())
    online("worker", "--until-drained")
    place = online.json("dlq", "list")["letters"][0]["letter"]
    said = "".join(
        online(*words).stdout
        for words in (
            ("dlq", "list"),
            ("dlq", "show", place),
            ("watch", "dead-letters", "--from-beginning", "--max", "1", "--timeout", "20"),
        )
    )
    assert "owned" in said
    assert [mark for mark in said if not mark.isprintable() and mark != "\n"] == []


def test_the_live_table_has_one_row_a_spectrum_and_fits_the_terminal() -> None:
    table = LiveTable()
    modelling = Modelling(load_settings().worker)
    answers = [modelling.results(spectrum, Extra.MODEL) for spectrum, _ in simulated(12, 3)]
    for number, results in enumerate(answers):
        for message in (results.redshift, results.anomaly, results.classification):
            table.take(Record("t", 0, number, None, b"", (), 0), message)
    table.take(Record("t", 0, 99, None, b"", (), 0), "unknown_schema: what is this?")
    console = Console(file=io.StringIO(), width=120, height=10, force_terminal=False)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert len(lines) == 8  # the summary, the heading, and the six newest
    assert "unreadable 1" in lines[0]
    counted = [int(number) for number in re.findall(r"(?:STAR|GALAXY|QSO) (\d+)", lines[0])]
    assert sum(counted) == 12
    for results, line in zip(answers[-6:], lines[2:], strict=True):
        assert results.redshift.spectrum_id in line
        assert f"{results.redshift.z:.5f}" in line
        assert results.classification.spectype in line


def test_watch_keeps_a_table_on_a_terminal(online: CommandLine, spectra: Spectra) -> None:
    online("publish", str(spectra(4)))
    online("worker", "--until-drained")
    inside, outside = pty.openpty()
    environment = (
        os.environ | online.environment | {"TERM": "xterm-256color", "COLUMNS": "140", "LINES": "30"}
    )
    command = [SPECTRAQ, "watch", "--from-beginning", "--timeout", "3"]
    with subprocess.Popen(command, env=environment, stdin=outside, stdout=outside, stderr=outside) as process:
        os.close(outside)
        said = bytearray()
        try:
            while part := os.read(inside, 65536):
                said += part
        except OSError:  # how a terminal ends on Linux
            pass
    os.close(inside)
    assert process.returncode == 0, said
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said.decode())
    last = text[text.rindex("spectra/s") :]
    assert "warnings, anomalies" in last
    rows = [line for line in last.splitlines() if re.match(r"\d\d:\d\d:\d\d ", line)]
    assert len(rows) == 4
    assert len({row.split()[1] for row in rows}) == 4
