"""The coverage-guided fuzzer: `make fuzz`, or `python tests/fuzz/fuzz.py messages --seconds 600`.

What makes a target fail, hang or eat memory is written to tests/fuzz/cases, where the tests find it for good.
With `--seed` it goes the same way each time.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import astropy.time  # noqa: F401 (what of astropy only FITS files need is instrumented: all takes too long)
import atheris

HERE = Path(__file__).parent
CASES = HERE / "cases"
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["spectraq", "fastavro", "astropy.io.fits"]):
    from tests.fuzz import targets

SLOWEST_S = 20
MEMORY_MB = 4096


def main() -> None:
    """Fuzz one target for a while; ends with exit code 0 where nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=targets.TARGETS)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="0: another way each time")
    parser.add_argument("--corpus", type=Path, help="folder that what was learnt is kept in")
    wanted = parser.parse_args()
    CASES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        corpus = wanted.corpus or Path(temporary)
        corpus.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(targets.seeds(wanted.target)):
            (corpus / f"seed-{number}").write_bytes(seed)
        options = [
            f"-max_total_time={wanted.seconds}",
            f"-seed={wanted.seed}",
            f"-timeout={SLOWEST_S}",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-artifact_prefix={CASES / wanted.target}-",
            "-max_len=65536",
            "-verbosity=1",
            "-print_final_stats=1",
        ]
        atheris.Setup([sys.argv[0], *options, str(corpus)], targets.TARGETS[wanted.target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
