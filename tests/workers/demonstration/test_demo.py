"""The demonstration, as `make demo ONCE=1` runs it."""

from __future__ import annotations

import re

from tests.support.commandline import CommandLine


def test_the_demonstration_ends_by_itself_with_a_balanced_ledger(offline: CommandLine) -> None:
    done = offline("demo", "--once", "--spectra", "82", "--rate", "200")
    ledger = re.search(r"read (\d+) = published (\d+) \+ dead-lettered (\d+)", done.stdout)
    assert ledger is not None
    read, published, dead = map(int, ledger.groups())
    assert (read, published, dead) == (84, 82, 2)
    assert "balanced" in done.stdout
    assert "against the known truth: class right" in done.stdout


def test_the_demonstration_runs_on_files(offline: CommandLine, spectra: object) -> None:
    path = spectra(5)  # type: ignore[operator]
    done = offline("demo", str(path), "--once")
    assert "read 5 = published 5 + dead-lettered 0" in done.stdout
