"""`spectraq publish`: spectra of files into Kafka."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.common_options import Config
from spectraq.workers.cli.reading_options import (
    Air,
    Files,
    Format,
    WavelengthUnit,
    complain,
    reader,
    spectra,
)
from spectraq.workers.cli.terminal import print_json, progress, stderr

if TYPE_CHECKING:
    from spectraq.schemas.spectrum import Spectrum
    from spectraq.workers.errors import ReadError
    from spectraq.workers.settings import Settings
    from spectraq.workers.transport.sender import Sender


def publish(
    files: Files,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    rate: Annotated[float | None, typer.Option(help="Spectra a second at most.", min=0.001)] = None,
    priority: Annotated[
        bool, typer.Option("--priority", help="To the topic of urgent spectra (topics.priority).")
    ] = False,
    journal: Annotated[
        Path | None,
        typer.Option(
            help="File by which the job goes on where it ended; waits for the answers, and counts them."
        ),
    ] = None,
    max_lag: Annotated[
        int, typer.Option(help="With --journal: rest while so many spectra wait in Kafka.", min=1)
    ] = 20_000,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="With --journal: wait for the answers.")
    ] = True,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
) -> None:
    """Send spectra to the topic that workers read; what can't be read is said and left out.

    Example: `spectraq publish night-2026-11-23/ --rate 50`

    Example: `spectraq publish survey/*.parquet --journal survey.job`
    """
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.sender import Sender
    from spectraq.workers.transport.topics import require_topics

    settings = load_settings(config)
    log.configure(settings.log)
    require_topics(settings)
    topic = _urgent(settings) if priority else settings.topics.spectra
    if journal is not None:
        from spectraq.workers.cli.publish_job import Way, publish_job

        read = reader(format, air, wavelength_unit)
        way = Way(read, rate, max_lag, wait)
        publish_job(settings, journal, files, topic, way, as_json)
        return
    with Sender(settings, rate) as sender:
        unreadable = _send(sender, spectra(files, format, air, wavelength_unit), topic)
    if as_json:
        print_json({"topic": topic, "published": sender.sent, "unreadable": unreadable})
    else:
        typer.echo(f"published {sender.sent} spectra to {topic}")
    if unreadable:
        stderr.print(f"spectraq: error: {unreadable} could not be read", highlight=False)
        raise typer.Exit(1)


def _urgent(settings: Settings) -> str:
    """Return the topic of urgent spectra."""
    from spectraq.workers.errors import SettingsError

    if not settings.topics.priority:
        raise SettingsError(
            "settings: topics.priority: there is no topic for urgent spectra; name one, for the workers too,"
            " and make it with `spectraq topics create`"
        )
    return settings.topics.priority


def _send(sender: Sender, items: Iterable[Spectrum | ReadError], topic: str) -> int:
    """Send what can be read, and return how many could not."""
    unreadable = 0
    with progress() as bar:
        task = bar.add_task("publishing", total=None)
        for item in items:
            if isinstance(item, Exception):
                unreadable += 1
                complain(item)
                continue
            sender.publish(item, item.spectrum_id, topic)
            bar.advance(task)
    return unreadable
