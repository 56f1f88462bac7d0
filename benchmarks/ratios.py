"""What everything costs, as ratios within one run, beside those of the last release.

    python benchmarks/ratios.py [--rounds 7] [--write]

Each row is the processor time of a piece of work over that of fixed arithmetic; commands are over an empty
Python; a worker without networks is over a loop that reads, decodes, encodes and writes the same messages,
by the clock. Works take turns with what they are compared to, and the median of the rounds counts, so that
other work on the machine touches both. `released.json` has the ratios of the last release by processor
(`--write` puts this run's there); exit code 1 where a row is a tenth above its own on the same processor.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch
from bare_loop import bare_rate
from throughput import bodies, rate

from spectraq.models.answer import Extra
from spectraq.models.pipeline import Pipeline
from spectraq.schemas import codec
from spectraq.schemas.spectrum import Spectrum
from spectraq.workers.cli.terminal import print_table
from spectraq.workers.demonstration import simulated
from spectraq.workers.local.stack import LocalStack
from spectraq.workers.operations import log
from spectraq.workers.readers import read
from spectraq.workers.settings import LogSettings, load_settings

SPECTRAQ = str(Path(sys.executable).with_name("spectraq"))
RELEASED = Path(__file__).with_name("released.json")
LOSS = 1.1
N = 64
"""Spectra a batch."""
MESSAGES = 1000
"""Spectra that the worker and the bare loop are given."""


@dataclass(frozen=True)
class Ratio:
    """What a piece of work takes over what it is compared to: median and scatter of the rounds."""

    over: str
    value: float
    scatter: float

    @classmethod
    def of(cls, over: str, rounds: list[float]) -> Ratio:
        """Return what several rounds say."""
        middle = median(rounds)
        return cls(over, middle, 1.4826 * median(abs(value / middle - 1) for value in rounds))


def arithmetic() -> Callable[[], object]:
    """Return products of matrices, transforms and steps of Python, some 20 ms of one core."""
    drawn = np.random.default_rng(0)
    matrix = torch.from_numpy(drawn.normal(size=(512, 512)).astype(np.float32))
    rows = torch.from_numpy(drawn.normal(size=(64, 4096)).astype(np.float32))

    def work() -> object:
        for _ in range(4):
            matrix @ matrix
            torch.fft.rfft(rows)
        return sum(number % 7 for number in range(50_000))

    return work


def works(folder: Path) -> dict[str, Callable[[], object]]:
    """Return what is compared to the fixed arithmetic, by name."""
    torch.set_num_threads(1)
    drawn = list(simulated.spectra(N, seed=2))
    spectra, observations = [spectrum for spectrum, _ in drawn], [made.observation for _, made in drawn]
    written = [codec.encode(spectrum) for spectrum in spectra]
    file = folder / "spectra.fits"
    subprocess.run([SPECTRAQ, "simulate", str(N), "--output", str(file)], check=True, capture_output=True)
    pipeline = Pipeline.load(threads=1)
    return {
        f"read a file of {N}": lambda: list(read(file)),
        f"encode {N}": lambda: [codec.encode(spectrum) for spectrum in spectra],
        f"decode {N}": lambda: [codec.decode(body, expect=Spectrum) for body in written],
        "analyse 1": lambda: pipeline.analyze(observations[:1]),
        f"analyse {N}": lambda: pipeline.analyze(observations),
        f"analyse {N}, with models": lambda: pipeline.analyze(observations, Extra.MODEL),
        f"analyse {N}, with measurements": lambda: pipeline.analyze(observations, Extra.MEASUREMENT),
    }


def in_turns(rounds: int, works: dict[str, Callable[[], object]]) -> Iterator[tuple[str, Ratio]]:
    """Yield what each work takes over the fixed arithmetic just before and after it."""
    unit = arithmetic()
    for name, work in works.items():
        work()  # the first run allocates
        found = []
        for _ in range(rounds):
            before, took, after = cpu_s(unit), cpu_s(work), cpu_s(unit)
            found.append(2 * took / (before + after))
        yield name, Ratio.of("arithmetic", found)


def cpu_s(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


def commands(rounds: int, folder: Path) -> Iterator[tuple[str, Ratio]]:
    """Yield what commands take over an empty Python."""
    file = folder / "one.npz"
    subprocess.run([SPECTRAQ, "simulate", "1", "--output", str(file)], check=True, capture_output=True)
    for name, command in (
        ("spectraq --help", [SPECTRAQ, "--help"]),
        ("spectraq analyze, 1 file", [SPECTRAQ, "analyze", str(file)]),
    ):
        child_s(command)  # the first run reads the disk
        found = [child_s(command) / child_s([sys.executable, "-c", "pass"]) for _ in range(rounds)]
        yield name, Ratio.of("python -c pass", found)


def child_s(command: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def stream(rounds: int) -> Iterator[tuple[str, Ratio]]:
    """Yield what the worker takes, without networks, over a loop of nothing but Kafka."""
    log.configure(LogSettings(level="error"))
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    messages = bodies(MESSAGES)
    with LocalStack(load_settings().local.data) as stack:
        for delivery in ("at_least_once", "exactly_once"):
            found = [bare_rate(stack, messages) / rate(stack, delivery, N, messages) for _ in range(rounds)]
            yield f"worker, {delivery}", Ratio.of("bare Kafka loop", found)


def processor() -> str:
    """Return what is multiplied on: ratios of another processor are others."""
    names = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    name = names[0].partition(":")[2].strip() if names else platform.processor() or platform.machine()
    return f"{name}, {torch.backends.cpu.get_cpu_capability()}"


def show(found: dict[str, Ratio], released: dict[str, float]) -> bool:
    """Print the table; return whether a row is a tenth above the last release's."""
    rows, lost = [], False
    for name, ratio in found.items():
        change = ratio.value / released[name] if name in released else None
        slower = change is not None and change > LOSS
        lost |= slower
        was = [f"{released[name]:.3g}", f"{change - 1:+.0%}"] if change is not None else ["", ""]
        scatter, remark = f"{ratio.scatter:.0%}", "slower" if slower else ""
        rows.append([name, ratio.over, f"{ratio.value:.3g}", scatter, *was, remark])
    print_table(("what", "over", "ratio#", "scatter#", "last release#", "change#", ""), rows)
    return lost


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--write", action="store_true", help="make this run's ratios those of the release")
    args = parser.parse_args()
    released = json.loads(RELEASED.read_text()) if RELEASED.exists() else {}
    here = processor()
    with tempfile.TemporaryDirectory() as name:
        folder, found = Path(name), {}
        measured = (
            lambda: in_turns(args.rounds, works(folder)),
            partial(commands, args.rounds, folder),
            partial(stream, min(args.rounds, 3)),
        )
        for part in measured:
            found.update(part())
    if args.write:
        released[here] = {name: round(ratio.value, 4) for name, ratio in found.items()}
        RELEASED.write_text(json.dumps(released, indent=2) + "\n")
    print(f"{here}{'' if here in released else ': no release was measured on it'}")
    return int(show(found, released.get(here, {})))


if __name__ == "__main__":
    sys.exit(main())
