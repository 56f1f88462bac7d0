"""`spectraq worker`: read spectra from Kafka, publish what they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spectraq.workers.cli.common_options import Config

if TYPE_CHECKING:
    import threading

    from spectraq.workers.settings import Settings


def worker(
    delivery: Annotated[
        Literal["at_least_once", "exactly_once"] | None,
        typer.Option(help="What a reader may see after a crash: a result twice, or never twice."),
    ] = None,
    slot: Annotated[
        str | None, typer.Option(help="Name that survives a restart; each running worker needs its own.")
    ] = None,
    until_drained: Annotated[
        bool, typer.Option("--until-drained", help="End once all that is there now has been answered.")
    ] = False,
    device: Annotated[
        Literal["auto", "cpu", "cuda"] | None, typer.Option(help="Where the networks run.")
    ] = None,
    max_wait: Annotated[
        float | None,
        typer.Option(help="Seconds that a batch waits for more spectra while the networks work.", min=0),
    ] = None,
    config: Config = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the ledger as JSON at the end.")] = False,
) -> None:
    """Read spectra from Kafka, publish their classifications, redshifts and anomalies.

    SIGTERM or Ctrl-C finishes what is in hand and leaves; a second one leaves at once. At the end it prints
    the ledger: read = published + dead-lettered.

    Example: `spectraq worker --slot a --delivery exactly_once`
    """
    from spectraq.workers.operations import log
    from spectraq.workers.service.signals import stopped_by_signals
    from spectraq.workers.settings import load_settings

    options = {"delivery": delivery, "slot": slot, "device": device, "max_wait_s": max_wait}
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    settings = load_settings(config, worker=given)
    log.configure(settings.log, slot=settings.worker.slot)
    balance = _serve(settings, stopped_by_signals(), until_drained)
    typer.echo(json.dumps(balance.as_dict()) if as_json else str(balance))


def _serve(settings: Settings, stop: threading.Event, until_drained: bool) -> Any:
    from spectraq.workers.inference import load_networks, load_normal
    from spectraq.workers.operations.health import served_health
    from spectraq.workers.operations.metrics import Metrics
    from spectraq.workers.service.loop import run
    from spectraq.workers.transport.topics import ensure_topics

    metrics = Metrics()
    with served_health(metrics, settings.worker) as health:
        ensure_topics(settings)
        pipeline = load_networks(settings.worker)
        return run(
            settings,
            pipeline,
            stop,
            until_drained=until_drained,
            metrics=metrics,
            health=health,
            normal=load_normal(settings.worker),
        )
