"""The command line: `spectraq`, the only console script, one module a command or group of commands.

Results go to stdout, logs and errors to stderr. Exit codes: 0 good, 1 failed, 2 wrong use, 130 interrupted.
Modules here import what is heavy (torch, kafka, astropy) inside their functions, so that help is quick.
"""

from __future__ import annotations

import gc
import os
import sys
import warnings
from typing import Annotated

import typer

from spectraq.workers.cli import (
    analyze,
    bench,
    check,
    compare,
    config,
    demo,
    dlq,
    filter,
    objects,
    publish,
    query,
    show,
    simulate,
    sink,
    status,
    topics,
    train,
    up,
    watch,
    web,
    worker,
)
from spectraq.workers.cli.terminal import print_error
from spectraq.workers.errors import SpectraqError
from spectraq.workers.operations.disk import explained

NEW_OBJECTS = 10_000
"""Objects between two searches for garbage, in place of 700: what is imported stays, and a twentieth of the
time that it takes went into such searches."""

app = typer.Typer(
    name="spectraq",
    help="Classes, redshifts and anomalies of optical spectra as they arrive.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)

FILES, STREAM, STACK = "Files", "Stream", "Set-up"

app.command(rich_help_panel=FILES)(analyze.analyze)
app.command(rich_help_panel=FILES)(compare.compare)
app.command(rich_help_panel=FILES)(simulate.simulate)
app.command(rich_help_panel=STREAM)(publish.publish)
app.command(rich_help_panel=STREAM)(worker.worker)
app.command(rich_help_panel=STREAM)(watch.watch)
app.command(rich_help_panel=STREAM)(show.show)
app.command(rich_help_panel=STREAM)(status.status)
app.command(rich_help_panel=STREAM)(web.web)
app.command(rich_help_panel=STREAM)(sink.sink)
app.command(rich_help_panel=STREAM)(query.query)
app.add_typer(filter.app, name="filter", rich_help_panel=STREAM)
app.add_typer(objects.app, name="objects", rich_help_panel=STREAM)
app.add_typer(dlq.app, name="dlq", rich_help_panel=STREAM)
app.add_typer(topics.app, name="topics", rich_help_panel=STREAM)
app.command(rich_help_panel=STACK)(demo.demo)
app.command(rich_help_panel=STACK, context_settings={"ignore_unknown_options": True})(up.up)
app.command(rich_help_panel=STACK)(check.check)
app.command(rich_help_panel=STACK)(config.config)
app.command(rich_help_panel=STACK)(bench.bench)
app.command(rich_help_panel=STACK)(train.train)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"spectraq {version('spectraq')}")
        raise typer.Exit


@app.callback()
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
    if not sys.warnoptions:
        warnings.simplefilter("ignore")  # of libraries, for those who write code; PYTHONWARNINGS shows them
    try:
        try:
            app()
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
