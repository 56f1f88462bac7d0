"""`spectraq status`: how far the workers are, and how fast."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from spectraq.workers.cli.common_options import AsJson, Config
from spectraq.workers.cli.terminal import print_json, print_table, stdout

if TYPE_CHECKING:
    from spectraq.workers.settings import Settings
    from spectraq.workers.transport.lag import GroupLag, PartitionLag

SAMPLE_S = 1.0


def status(
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Show topics, partitions, lag, workers and rates; takes about a second, to see the rates.

    Example: `spectraq status --json | jq .lag`
    """
    from spectraq.workers.operations import log
    from spectraq.workers.settings import load_settings
    from spectraq.workers.transport.lag import group_lag
    from spectraq.workers.transport.topics import require_topics

    settings = load_settings(config)
    log.configure(settings.log)
    require_topics(settings)
    before, start = _ends(settings), time.monotonic()
    committed = _committed(group_lag(settings))
    time.sleep(SAMPLE_S)
    after = _ends(settings)
    elapsed = time.monotonic() - start
    group = group_lag(settings)
    rates = {topic: (after[topic] - before[topic]) / elapsed for topic in after}
    analysed = (_committed(group) - committed) / elapsed
    if as_json:
        print_json(_as_json(group, after, rates, analysed))
    else:
        _print(group, after, rates, analysed)


def _ends(settings: Settings) -> dict[str, int]:
    from spectraq.workers.transport.follower import Follower
    from spectraq.workers.transport.topics import topic_names

    ends = dict.fromkeys(topic_names(settings), 0)
    with Follower(settings, list(ends)) as follower:
        for partition, end in follower.ends().items():
            ends[partition.topic] += end
    return ends


def _committed(group: GroupLag) -> int:
    return sum(partition.committed or 0 for partition in (*group.partitions, *group.urgent))


def _as_json(
    group: GroupLag, ends: dict[str, int], rates: dict[str, float], analysed: float
) -> dict[str, Any]:
    return {
        "group": group.group_id,
        "state": group.state,
        "members": group.members,
        "lag": group.lag,
        "ownerless": group.ownerless,
        "analysed_per_s": round(analysed, 2),
        "partitions": [asdict(p) | {"lag": p.lag} for p in group.partitions],
        "urgent": [asdict(p) | {"lag": p.lag} for p in group.urgent],
        "topics": {topic: {"end": end, "per_s": round(rates[topic], 2)} for topic, end in ends.items()},
    }


def _row(lane: str, p: PartitionLag) -> tuple[Any, ...]:
    committed = "-" if p.committed is None else p.committed
    return f"{lane}{p.partition}", p.begin, p.end, committed, p.lag, p.member or "-"


def _print(group: GroupLag, ends: dict[str, int], rates: dict[str, float], analysed: float) -> None:
    rows = [(topic, end, f"{rates[topic]:.1f}") for topic, end in ends.items()]
    print_table(("topic", "end offsets#", "per s#"), rows)
    stdout.print()
    print_table(
        ("partition#", "begin#", "end#", "committed#", "lag#", "worker"),
        [_row("", p) for p in group.partitions] + [_row("urgent ", p) for p in group.urgent],
    )
    if group.ownerless:
        several = "s" if len(group.ownerless) > 1 else ""
        stdout.print(
            f"\nnobody reads partition{several} {', '.join(group.ownerless)}: workers share such out again "
            "within seconds; where it lasts, see SpectraqOwnerless in docs/operations.md",
            highlight=False,
        )
    workers = len(group.members)
    stdout.print(
        f"\n{group.group_id}: {workers} worker{'s' if workers != 1 else ''},"
        f" lag {group.lag}, {analysed:.1f} spectra/s",
        highlight=False,
    )
