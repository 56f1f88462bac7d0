"""A worker as a process of its own, with networks of no numbers: what the faults are done to.

Settings come from the environment. Options: `--until-drained`, `--seconds S` a spectrum, `--dies-at POINT`,
`--dies-unpacking TEXT`, `--clock-jumps`, `--teaches DIGEST`.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from spectraq.workers.operations import log
from spectraq.workers.operations.health import Health, HealthServer
from spectraq.workers.operations.metrics import Metrics
from spectraq.workers.service.loop import run
from spectraq.workers.service.signals import stopped_by_signals
from spectraq.workers.settings import load_settings
from tests.support import moments
from tests.support.plumbing import Plumbing


def main() -> None:
    """Work until told to stop, and print the ledger."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--until-drained", action="store_true")
    parser.add_argument("--seconds", type=float, default=0.0)
    parser.add_argument("--dies-at", choices=moments.MOMENTS)
    parser.add_argument("--dies-unpacking", metavar="TEXT", help="a batch that holds it")
    parser.add_argument("--clock-jumps", action="store_true")
    parser.add_argument("--teaches", metavar="DIGEST", help="of networks that the stream learns from")
    options = parser.parse_args()
    if options.dies_at:
        moments.die_at(options.dies_at)
    if options.dies_unpacking:
        moments.die_unpacking(options.dies_unpacking.encode())
    if options.clock_jumps:
        moments.let_the_clock_jump()
    settings = load_settings()
    log.configure(settings.log, slot=settings.worker.slot)
    stop = stopped_by_signals()
    metrics = Metrics()
    health = Health(metrics)
    HealthServer(health, settings.worker).start()
    networks = Plumbing(options.teaches or "plumbing", options.seconds, teaches=bool(options.teaches))
    print(run(settings, networks, stop, until_drained=options.until_drained, metrics=metrics, health=health))


if __name__ == "__main__":
    main()
