"""`spectraq check`: can everything be reached?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.terminal import print_json, print_line, stdout
from spectraq.workers.operations.masking import masked, masked_secret

if TYPE_CHECKING:
    from spectraq.workers.settings import Settings


def check(
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Try Kafka, the topics, Redis, the networks and the device: one line each, exit code 1 if one fails.

    Where a Schema Registry is set, it is tried, too.

    Example: `spectraq up -- spectraq check`
    """
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings

    settings = load_settings(config)
    log.configure(settings.log)
    parts = CHECKS if settings.kafka.schema_registry.url is None else CHECKS | {"registry": _registry}
    outcomes = {name: _tried(part, settings) for name, part in parts.items()}
    if as_json:
        print_json({name: {"ok": ok, "message": message} for name, (ok, message) in outcomes.items()})
    else:
        for name, (ok, message) in outcomes.items():
            mark = "[green]ok[/green]    " if ok else "[red]FAILED[/red]"
            stdout.print(f"{mark} {name:8s}", end=" ")
            print_line(message)
    if not all(ok for ok, _ in outcomes.values()):
        raise typer.Exit(1)


def _tried(part: Callable[[Settings], str], settings: Settings) -> tuple[bool, str]:
    try:
        return True, part(settings)
    # Whatever goes wrong with a part is what this command is there to say.
    except Exception as error:
        return False, masked(" ".join(str(error).split())) or type(error).__name__


def _kafka(settings: Settings) -> str:
    from spectraq.workers.transport.connection import administrator

    with administrator(settings.kafka) as client:
        brokers = client.describe_cluster()["brokers"]
    return f"{len(brokers)} broker{'s' if len(brokers) != 1 else ''} at {settings.kafka.bootstrap_servers}"


def _topics(settings: Settings) -> str:
    from spectraq.workers.transport.topics import list_topics, require_topics

    require_topics(settings)
    topics = list_topics(settings)
    return f"{len(topics)} topics, {topics[0].partitions} partitions of spectra"


def _redis(settings: Settings) -> str:
    from spectraq.workers.cache import server_version
    from spectraq.workers.cache.guarded_redis import connect

    if not settings.redis.enabled:
        return "switched off (redis.enabled): every spectrum is analysed anew"
    address = masked_secret(settings.redis.url.get_secret_value())
    client = connect(settings.redis)
    try:
        server = server_version.ask(client)
    except Exception as error:
        raise RuntimeError(f"{address} does not answer ({error}); check redis.url") from error
    finally:
        client.close()
    return f"{server} answers at {address}"


def _networks(settings: Settings) -> str:
    from spectraq.workers.inference import load_networks

    pipeline = load_networks(settings.worker)
    return f"{', '.join(pipeline.members)} (version {pipeline.version}, digest {pipeline.digest[:12]})"


def _device(settings: Settings) -> str:
    from spectraq.workers.inference import device

    return f"{device(settings.worker.device)} (worker.device is {settings.worker.device})"


def _registry(settings: Settings) -> str:
    from spectraq.workers.contract.framing import result_numbers
    from spectraq.workers.transport.schema_registry import SchemaRegistry

    SchemaRegistry(settings.kafka.schema_registry).check()
    numbers = result_numbers(settings)
    framed = f", results are framed with {len(numbers)} numbers of its own" if numbers else ""
    return f"answers at {settings.kafka.schema_registry.url}{framed}"


CHECKS: dict[str, Callable[[Settings], str]] = {
    "kafka": _kafka,
    "topics": _topics,
    "redis": _redis,
    "networks": _networks,
    "device": _device,
}
