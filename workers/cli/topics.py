"""`spectraq topics`: make and list the topics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.terminal import print_json, print_table, stdout

if TYPE_CHECKING:
    from spectraq.workers.transport.topics import Topic

app = typer.Typer(help="Make and list the topics.", no_args_is_help=True)


@app.command()
def create(config: Config = None, as_json: AsJson = False) -> None:
    """Create the topics that are missing; those that are there stay as they are.

    Where a Schema Registry is set, the schemas of what is on them are registered there.

    Example: `SPECTRAQ_TOPICS__PARTITIONS=16 spectraq topics create`
    """
    from spectraq.workers.contract.framing import register_schemas
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.topics import ensure_topics

    settings = load_settings(config)
    topics = ensure_topics(settings)
    numbers = {subject.name.removesuffix("-value"): subject.number for subject in register_schemas(settings)}
    _show(topics, as_json, numbers)


@app.command(name="list")
def list_them(config: Config = None, as_json: AsJson = False) -> None:
    """List our topics; exit code 1 when one is missing.

    Example: `spectraq topics list --json`
    """
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.topics import list_topics

    topics = list_topics(load_settings(config))
    _show(topics, as_json)
    if not all(topic.partitions for topic in topics):
        raise typer.Exit(1)


@app.command()
def acls(
    role: Annotated[str, typer.Argument(help="worker, publisher, viewer, web, sink, filter or objects.")],
    principal: Annotated[str, typer.Argument(help="Who is to have the rights, such as User:worker.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Give them, as whoever the settings say asks.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Say the least that a role needs of Kafka, as arguments of `kafka-acls.sh`; or give it.

    Example: `spectraq topics acls worker User:worker`
    """
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.connection import administrator
    from spectraq.workers.transport.rights import ROLES, grant

    if role not in ROLES:
        raise typer.BadParameter(f"{role!r} is none of {', '.join(ROLES)}", param_hint="ROLE")
    settings = load_settings(config)
    rights = ROLES[role](settings)
    if apply:
        with administrator(settings.kafka) as client:
            grant(client, principal, rights)
    if as_json:
        print_json([{"arguments": right.command(principal), "why": right.why} for right in rights])
        return
    for right in rights:
        stdout.print(right.command(principal), markup=False, highlight=False, soft_wrap=True)


def _show(topics: list[Topic], as_json: bool, numbers: dict[str, int] | None = None) -> None:
    """Print the topics, and the number of each one's schema where a registry gave it one."""
    if as_json:
        print_json(
            [
                {
                    "name": topic.name,
                    "partitions": topic.partitions,
                    "replication": topic.replication,
                    "created": topic.created,
                    **({"schema_id": numbers[topic.name]} if numbers else {}),
                }
                for topic in topics
            ]
        )
        return
    columns = ("topic", "partitions#", "replicas#", "state")
    rows = [(topic.name, topic.partitions, topic.replication, _state(topic)) for topic in topics]
    if numbers:
        print_table((*columns, "schema#"), [(*row, numbers[row[0]]) for row in rows])
    else:
        print_table(columns, rows)


def _state(topic: Topic) -> str:
    if not topic.partitions:
        return "missing: spectraq topics create"
    return "created" if topic.created else "there"
