"""`spectraq publish`: spectra of files into Kafka."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectraq.workers.cli.reading_options import Air, Files, Format, WavelengthUnit, complain, spectra
from spectraq.workers.cli.terminal import print_json, progress, stderr


def publish(
    files: Files,
    format: Format = None,
    air: Air = False,
    wavelength_unit: WavelengthUnit = None,
    rate: Annotated[float | None, typer.Option(help="Spectra a second at most.", min=0.001)] = None,
    priority: Annotated[
        bool, typer.Option("--priority", help="To the topic of urgent spectra (topics.priority).")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the count as JSON.")] = False,
) -> None:
    """Send spectra to the topic that workers read; what can't be read is said and left out.

    Example: `spectraq publish night-2026-11-23/ --rate 50`
    """
    from spectraq.workers.errors import SettingsError
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.sender import Sender
    from spectraq.workers.transport.topics import require_topics

    settings = load_settings(config)
    log.configure(settings.log)
    require_topics(settings)
    if priority and not settings.topics.priority:
        raise SettingsError(
            "settings: topics.priority: there is no topic for urgent spectra; name one, for the workers too,"
            " and make it with `spectraq topics create`"
        )
    topic = settings.topics.priority if priority else settings.topics.spectra
    unreadable = 0
    with Sender(settings, rate) as publisher, progress() as bar:
        task = bar.add_task("publishing", total=None)
        for item in spectra(files, format, air, wavelength_unit):
            if isinstance(item, Exception):
                unreadable += 1
                complain(item)
                continue
            publisher.publish(item, item.spectrum_id, topic)
            bar.advance(task)
    if as_json:
        print_json({"topic": topic, "published": publisher.sent, "unreadable": unreadable})
    else:
        typer.echo(f"published {publisher.sent} spectra to {topic}")
    if unreadable:
        stderr.print(f"spectraq: error: {unreadable} could not be read", highlight=False)
        raise typer.Exit(1)
