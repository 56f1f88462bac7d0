"""`spectraq sink`: results to tables, each once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectraq.workers.cli.common_options import Config

if TYPE_CHECKING:
    from spectraq.workers.settings import Settings

Url = Annotated[
    str | None,
    typer.Argument(
        metavar="DIR_OR_URL",
        help="Folder or address of the tables; else the setting `archive.url`.",
        show_default=False,
    ),
]


def sink(
    url: Url = None,
    models: Annotated[bool, typer.Option("--models", help="Keep best fits, too: 150 kB a spectrum.")] = False,
    compact: Annotated[
        bool, typer.Option("--compact", help="Only make small files large ones, and end; needs no Kafka.")
    ] = False,
    until_drained: Annotated[
        bool, typer.Option("--until-drained", help="End once all that is there now is written.")
    ] = False,
    config: Config = None,
) -> None:
    """Write results, measurements and dead letters to Delta Lake tables, each message once.

    Begins where the tables end, whatever happened before. Several sinks share the partitions.

    Example: `spectraq sink archive/`

    Example: `spectraq sink archive/ --until-drained`
    """
    from spectraq.workers.archive.extra import require_archive_packages
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    given: dict[str, Any] = {"models": True} if models else {}
    settings = load_settings(config, archive=given)
    log.configure(settings.log, slot=settings.worker.slot)
    require_archive_packages()
    from spectraq.workers.archive.storage import archive_url

    where = archive_url(url, settings.archive)
    if compact:
        _compact(settings, where)
    else:
        _serve(settings, where, until_drained)


def _compact(settings: Settings, where: str) -> None:
    from spectraq.workers.archive.catalogue import tables_of
    from spectraq.workers.archive.compaction import compact
    from spectraq.workers.archive.storage import storage_options

    storage = storage_options(settings.archive)
    for name, done in compact(list(tables_of(where, storage)), where, settings.archive, storage):
        removed, added, deleted = (done[f"files_{what}"] for what in ("removed", "added", "deleted"))
        typer.echo(f"{name}: {removed} files made {added}, {deleted} old ones deleted")


def _serve(settings: Settings, where: str, until_drained: bool) -> None:
    from spectraq.workers.archive.metrics import SinkMetrics
    from spectraq.workers.archive.sink import run
    from spectraq.workers.operations.health import served_health
    from spectraq.workers.service.signals import stopped_by_signals

    metrics = SinkMetrics()
    with served_health(metrics, settings.worker) as health:
        stop = stopped_by_signals()
        written = run(settings, where, stop, until_drained=until_drained, metrics=metrics, health=health)
    typer.echo(str(written))
