"""Help: every command has an example that is a right use of it, and shells can complete it."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from spectraq.workers.cli import app
from tests.support.commandline import SPECTRAQ


def commands(command: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command with its full name."""
    children = getattr(command, "commands", None)
    if children is not None:
        for name, child in children.items():
            yield from commands(child, (*words, name))
    else:
        yield " ".join(words), command


COMMANDS = dict(commands(typer.main.get_command(app)))


def examples(command: Any) -> list[list[str]]:
    """The words of each example in a command's help; of a line for the shell, those after `spectraq`."""
    found = re.findall(r"`([^`]*\bspectraq [^`]*)`", (command.help or "").partition("Example")[2])
    words = [shlex.split(line.split(" | ")[0]) for line in found]
    return [one[one.index("spectraq") + 1 :] for one in words]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_that_its_parser_takes(name: str) -> None:
    command = COMMANDS[name]
    found = examples(command)
    assert found, f"`spectraq {name}` has no example in its help"
    for words in found:
        used = next(other for other in COMMANDS if words[: len(other.split())] == other.split())
        assert name in " ".join(words)
        COMMANDS[used].make_context(used, words[len(used.split()) :])


def test_every_option_and_argument_says_what_it_is() -> None:
    silent = [
        f"{name}: {parameter.name}"
        for name, command in COMMANDS.items()
        for parameter in command.params
        if not getattr(parameter, "help", None)
    ]
    assert silent == []


@pytest.mark.parametrize(("shell", "words"), [("bash", "complete"), ("zsh", "compdef"), ("fish", "complete")])
def test_shells_can_complete_it(shell: str, words: str) -> None:
    environment = {"_SPECTRAQ_COMPLETE": f"source_{shell}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([SPECTRAQ], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert words in done.stdout


def test_what_is_completed_are_the_commands() -> None:
    environment = {
        "_SPECTRAQ_COMPLETE": "complete_bash",
        "COMP_WORDS": "spectraq wa",
        "COMP_CWORD": "1",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run([SPECTRAQ], env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["watch"]
