"""The command line: `spectraq`, the only console script, one module a command or group of commands.

Results go to stdout, logs and errors to stderr. Exit codes: 0 good, 1 failed, 2 wrong use, 130 interrupted.
Modules here import what is heavy (torch, kafka, astropy) inside their functions, so that help is quick.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Iterable
from importlib import import_module
from typing import Annotated

import typer

from spectraq.models.quick_torch import leave_compiler_out
from spectraq.workers.cli.terminal import print_error
from spectraq.workers.errors import SpectraqError
from spectraq.workers.operations.disk import explained

NEW_OBJECTS = 10_000
"""Objects between two searches for garbage, in place of 700: what is imported stays, and a twentieth of the
time that it takes went into such searches."""

FILES, STREAM, STACK = "Files", "Stream", "Set-up"
COMMANDS = {
    "analyze": FILES,
    "compare": FILES,
    "simulate": FILES,
    "publish": STREAM,
    "worker": STREAM,
    "watch": STREAM,
    "show": STREAM,
    "status": STREAM,
    "web": STREAM,
    "sink": STREAM,
    "query": STREAM,
    "filter": STREAM,
    "objects": STREAM,
    "dlq": STREAM,
    "topics": STREAM,
    "demo": STACK,
    "up": STACK,
    "check": STACK,
    "config": STACK,
    "bench": STACK,
    "train": STACK,
}
"""Commands in the order of the help, with the part of it that they stand in: a module each."""
GROUPS = ("filter", "objects", "dlq", "topics")
"""Those that have commands of their own."""


def command_line(names: Iterable[str] = COMMANDS, with_options: bool = True) -> typer.Typer:
    """Return the command line with some of its commands, of which a run needs one.

    Parameters
    ----------
    names
        Of `COMMANDS`.
    with_options
        False for commands that can only be listed.
    """
    made = typer.Typer(
        name="spectraq",
        help="Classes, redshifts and anomalies of optical spectra as they arrive.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    made.callback()(root)
    for name in names:
        module, panel = import_module(f"{__name__}.{name}"), COMMANDS[name]
        if name in GROUPS:
            made.add_typer(module.app, name=name, rich_help_panel=panel)
        elif with_options:
            settings = {"ignore_unknown_options": True} if name == "up" else None
            made.command(rich_help_panel=panel, context_settings=settings)(getattr(module, name))
        else:
            made.command(name, rich_help_panel=panel, help=getattr(module, name).__doc__)(_nothing)
    return made


def _nothing() -> None:
    """Stand for a command that is listed."""


def _wanted() -> typer.Typer:
    """Return as much of the command line as the words that were given need."""
    words = sys.argv[1:]
    if words and words[0] in COMMANDS:
        return command_line(words[:1])
    return command_line(with_options=bool(words) and words not in (["--help"], ["-h"]))


def __getattr__(name: str) -> typer.Typer:
    """Return the whole command line as `app`."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return command_line()


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"spectraq {version('spectraq')}")
        raise typer.Exit


def root(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Classes, redshifts and anomalies of optical spectra as they arrive."""


def main() -> None:
    """Run the command line; an error of ours is one line on stderr."""
    # A spectrum's matrices are small: more threads than one take a third more of the cores, and sum in
    # another order on each machine. Cores are shared spectrum by spectrum. It is read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    gc.set_threshold(NEW_OBJECTS)
    if sys.argv[1:2] != ["train"]:  # whose optimizers know the compiler
        leave_compiler_out()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, for those who write code; PYTHONWARNINGS shows them
    try:
        try:
            _wanted()()
        finally:
            sys.stdout.flush()
    except SpectraqError as error:
        print_error(str(error))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output has had enough, as `spectraq watch | head` does.
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        said = explained(error)
        if said is None:
            raise
        # What could not be written to stdout would be tried again, and complained about, at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        print_error(said)
        sys.exit(1)
