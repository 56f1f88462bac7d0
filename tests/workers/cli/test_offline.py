"""The command line where nothing can be reached, and where it is used wrongly."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spectraq.workers import readers
from tests.support.commandline import CommandLine

COMMANDS = (
    "analyze", "simulate", "publish", "worker", "watch", "show", "status", "dlq", "topics",
    "web", "demo", "up", "check", "config", "bench", "train",
)  # fmt: skip
HEAVY = ("torch", "kafka", "astropy", "redis", "fastapi", "numpy", "pydantic")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(offline: CommandLine, command: str) -> None:
    assert "Usage: spectraq" in offline(command, "--help").stdout


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys, spectraq.workers.cli; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unreachable_broker_is_one_line_that_says_what_to_do(offline: CommandLine) -> None:
    done = offline("status", code=1)
    lines = [line for line in done.stderr.splitlines() if line.startswith("spectraq: error:")]
    assert len(lines) == 1
    assert "127.0.0.1:1" in lines[0] and "spectraq up" in lines[0]


def test_check_says_what_failed(offline: CommandLine) -> None:
    offline.environment |= {"SPECTRAQ_WORKER__MEMBERS": '["nobody"]'}
    found = offline.json("check", code=1)
    assert not found["kafka"]["ok"] and not found["redis"]["ok"]
    assert "nobody" in found["networks"]["message"]
    assert found["device"]["ok"]


@pytest.mark.parametrize("words", [("web",), ("analyze", "spectra.fits", "--open")], ids=lambda w: w[0])
def test_without_its_packages_the_page_is_one_line_that_says_what_to_install(
    offline: CommandLine, words: tuple[str, ...]
) -> None:
    (offline.folder / "fastapi.py").write_text("raise ModuleNotFoundError('no', name='fastapi')\n")
    path = os.pathsep.join([str(offline.folder), os.environ.get("PYTHONPATH", "")])
    offline.environment |= {"PYTHONPATH": path}
    said = offline(*words, code=1).stderr.splitlines()
    assert said == ["spectraq: error: the page needs fastapi: pip install 'spectraq[web]'"]


def test_show_says_that_redis_does_not_answer(offline: CommandLine) -> None:
    assert "redis.url" in offline("show", "anything", code=1).stderr


def test_config_says_where_each_value_came_from_and_hides_secrets(offline: CommandLine) -> None:
    offline.environment |= {
        "SPECTRAQ_REDIS__URL": "redis://:swordfish@cache:6379/0",
        "SPECTRAQ_KAFKA__SASL_PASSWORD": "swordfish",
    }
    (offline.folder / "spectraq.toml").write_text("[worker]\nbatch_spectra = 32\n")
    found = offline.json("config")
    assert found["worker.batch_spectra"] == {"value": 32, "origin": "file spectraq.toml"}
    assert found["kafka.bootstrap_servers"]["origin"] == "environment SPECTRAQ_KAFKA__BOOTSTRAP_SERVERS"
    assert found["topics.partitions"]["origin"] == "default"
    assert found["redis.url"]["value"] == "redis://***@cache:6379/0"
    assert "swordfish" not in offline("config").stdout


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("SPECTRAQ_WORKER__BATCHES", "1", "SPECTRAQ_WORKER__BATCHES"),
        ("SPECTRAQ_WORKER__BATCH_SPECTRA", "0", "batch_spectra"),
    ],
)
def test_a_wrong_setting_is_named(offline: CommandLine, variable: str, value: str, named: str) -> None:
    offline.environment[variable] = value
    assert named in offline("config", code=1).stderr


def test_simulated_spectra_have_a_known_truth_and_are_read_without_assumptions(offline: CommandLine) -> None:
    for name in ("mocks.fits", "mocks.npz"):
        offline("simulate", "12", "--seed", "5", "--output", name, "--truth", "truth.csv", "--overwrite")
        notes: list[str] = []
        found = list(readers.read(offline.folder / name, note=notes.append))
        assert not [item for item in found if isinstance(item, Exception)]
        with (offline.folder / "truth.csv").open() as stream:
            truth = list(csv.DictReader(stream))
        assert [item.spectrum_id for item in found] == [row["spectrum_id"] for row in truth]
        assert {row["spectype"] for row in truth} <= {"STAR", "GALAXY", "QSO"}
        assert notes == []


def test_simulate_says_where_to_when_it_is_not_told(offline: CommandLine) -> None:
    offline("simulate", "3", code=2)
    offline("simulate", "3", "--output", "mocks.txt", code=2)


def test_up_needs_no_setting_to_be_right_about_kafka(offline: CommandLine, tmp_path: Path) -> None:
    done = offline("up", "--", "spectraq", "topics", "list")
    assert "spectraq.spectra" in done.stdout
