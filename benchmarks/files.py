"""What a file costs `spectraq analyze`, start-up taken out, and what start-up costs; two checkouts in turns.

    python benchmarks/files.py FOLDER [--against CHECKOUT] [--few 100] [--many 500] [--rounds 3] [--packed]

Copies of a folder's spectra are analysed, so many and fewer of them; the difference over the difference in
files is what one costs, by the clock and in processor time of all processes. The medians of the rounds count,
and processor time is what to go by on a busy machine. Reading alone is measured in one process.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from statistics import median

HERE = Path(__file__).resolve().parents[1]
SUFFIXES = (".fits", ".fits.gz", ".fit")
CACHE = tempfile.TemporaryDirectory()
COMMAND = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from spectraq.workers.cli import main
main()
"""
READING = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from spectraq.workers.readers import read
files = sorted(Path(sys.argv[2]).iterdir())
list(read(files[0], note=lambda said: None))
start = time.process_time()
for file in files:
    list(read(file, note=lambda said: None))
print((time.process_time() - start) / len(files))
"""


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock and of the processor."""

    clock: float
    processor: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--against", type=Path)
    parser.add_argument("--few", type=int, default=100)
    parser.add_argument("--many", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--packed", action="store_true", help="gzip the copies")
    wanted = parser.parse_args()
    checkouts = [HERE, *([wanted.against.resolve()] if wanted.against else [])]
    with tempfile.TemporaryDirectory() as scratch:
        folders = {
            count: copies(wanted.folder, count, Path(scratch) / str(count), wanted.packed)
            for count in (1, wanted.few, wanted.many)
        }
        for checkout in checkouts:
            analyzed(checkout, folders[1])  # compiled now
        rounds: list[list[list[float]]] = []
        for _ in range(wanted.rounds):
            rounds.append([measured(checkout, folders) for checkout in checkouts])
            report(checkouts, rounds)


def report(checkouts: list[Path], rounds: list[list[list[float]]]) -> None:
    """Print the medians of the rounds so far."""
    print(
        "checkout, ms a file by the clock and of the processor, of which reading; one file, help: s of both"
    )
    for place, checkout in enumerate(checkouts):
        of_checkout = [one[place] for one in rounds]
        medians = ", ".join(f"{median(column):.3g}" for column in zip(*of_checkout, strict=True))
        print(checkout.name, medians, flush=True)


def copies(folder: Path, count: int, target: Path, packed: bool) -> Path:
    """Fill a folder with so many copies of a folder's spectra, in turn."""
    target.mkdir()
    files = sorted(file for file in folder.rglob("*") if file.name.endswith(SUFFIXES))
    for number, file in enumerate(islice(cycle(files), count)):
        copy = target / f"{number:06d}-{file.name}"
        if packed and not file.name.endswith(".gz"):
            copy.with_name(f"{copy.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
        else:
            shutil.copyfile(file, copy)
    return target


def measured(checkout: Path, folders: dict[int, Path]) -> list[float]:
    """Return ms a file, ms of the processor, ms of reading; then seconds of one file and of help, of both."""
    one, few, many = sorted(folders)
    small, large = (analyzed(checkout, folders[count]) for count in (few, many))
    single, helped = analyzed(checkout, folders[one]), run(checkout, "--help")
    reading = subprocess.run(
        [sys.executable, "-c", READING, str(checkout), str(folders[few])],
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
    )
    ms = 1000 / (many - few)
    return [
        ms * (large.clock - small.clock),
        ms * (large.processor - small.processor),
        1000 * float(reading.stdout),
        single.clock,
        single.processor,
        helped.clock,
        helped.processor,
    ]


def analyzed(checkout: Path, folder: Path) -> Cost:
    return run(checkout, "analyze", str(folder), "--json")


def run(checkout: Path, *arguments: str) -> Cost:
    """Run a checkout's command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-c", COMMAND, str(checkout), *arguments]
    subprocess.run(command, check=True, capture_output=True, env=environment())
    clock, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(clock, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def environment() -> dict[str, str]:
    """Return one in which Python keeps what it compiles, as it does for a user."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": CACHE.name,
    }


if __name__ == "__main__":
    main()
