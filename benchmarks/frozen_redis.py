"""What a Redis that stands still, or is not there, costs the stream: ratios within one run.

One worker with canned answers, as `throughput.py` has it, does the same backlog with Redis at work, away
(nobody listens) and frozen (SIGSTOP) for the whole time. They take turns; the median of the paired ratios
counts.
"""

from __future__ import annotations

import statistics

from throughput import asked, rate

from spectraq.workers.local.stack import LocalStack
from spectraq.workers.settings import load_settings

NOBODY = "redis://127.0.0.1:1/0"


def main() -> None:
    rounds, messages = asked(__doc__, 6000)
    with LocalStack(load_settings().local.data) as stack:
        to_healthy: list[float] = []
        to_away: list[float] = []
        for _ in range(rounds):
            healthy = rate(stack, "at_least_once", 64, messages)
            away = rate(stack, "at_least_once", 64, messages, NOBODY)
            stack.redis.child.freeze()
            try:
                frozen = rate(stack, "at_least_once", 64, messages)
            finally:
                stack.redis.child.thaw()
            to_healthy.append(frozen / healthy)
            to_away.append(frozen / away)
            print(f"healthy {healthy:.0f}/s, away {away:.0f}/s, frozen {frozen:.0f}/s")
    print(
        f"frozen / healthy = {statistics.median(to_healthy):.2f},"
        f" frozen / away = {statistics.median(to_away):.2f} (median of {rounds})"
    )


if __name__ == "__main__":
    main()
