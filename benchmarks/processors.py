"""How far answers on one kind of processor are from those on another, as far as this one can do as others.

    python benchmarks/processors.py --data DATA

Analyses the labelled real spectra of DATA in processes of their own, under settings that make the libraries
multiply as lesser processors do, and compares with what they do when they are free to choose. `--write FILE`
keeps the answers of this processor, and `--read FILE` compares with those of another.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

SETTINGS: dict[str, dict[str, str]] = {
    "PyTorch without vectors": {"ATEN_CPU_CAPABILITY": "default"},
    "oneDNN with SSE4.1": {"ONEDNN_MAX_CPU_ISA": "SSE41"},
    "oneDNN with AVX2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL's code for all": {"MKL_CBWR": "COMPATIBLE"},
    "all three at their least": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "MKL_CBWR": "COMPATIBLE",
    },
}
Answers = list[dict[str, Any]]


def answered(data: Path) -> Answers:
    """Answer every labelled spectrum: the numbers that are compared."""
    from spectraq.models.pipeline import Pipeline
    from spectraq.workers.files.labelled_spectra import labelled

    found = Pipeline.load(threads=1).analyze([one.observation for one in labelled(data)])
    return [
        {
            "spectype": answer.spectype,
            "subtype": answer.subtype,
            "z": answer.z,
            "zerr": answer.zerr,
            "probability": list(answer.class_probability.values()),
            "warnings": answer.warnings,
            "flagged": answer.anomaly_flagged,
            "score": answer.anomaly_score,
        }
        for answer in found
    ]


def elsewhere(data: Path, settings: dict[str, str]) -> Answers:
    """Answer them in a process with other settings."""
    done = subprocess.run(
        [sys.executable, __file__, "--data", str(data), "--answers"],
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: Answers = json.loads(done.stdout)
    return found


def row(here: Answers, there: Answers) -> str:
    """Largest differences, and how many answers differ in what is no number."""

    def largest(values: list[float]) -> str:
        return f"{max(values):9.1e}"

    pairs = list(zip(here, there, strict=True))
    columns = [
        largest([abs(a["z"] - b["z"]) / a["zerr"] for a, b in pairs]),
        largest([abs(a["zerr"] / b["zerr"] - 1) for a, b in pairs]),
        largest([float(np.abs(np.subtract(a["probability"], b["probability"])).max()) for a, b in pairs]),
        largest([abs(a["score"] - b["score"]) for a, b in pairs]),
    ]
    columns += [
        f"{sum(json.dumps(a[name]) != json.dumps(b[name]) for a, b in pairs):9d}"
        for name in ("spectype", "subtype", "warnings", "flagged")
    ]
    columns.append(f"{sum(json.dumps(a) == json.dumps(b) for a, b in pairs):9d}")
    return " ".join(columns)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with spectra/INDEX.csv")
    parser.add_argument("--answers", action="store_true", help="print this process's answers as JSON and end")
    parser.add_argument("--write", type=Path, help="keep this processor's answers")
    parser.add_argument("--read", type=Path, help="compare with the answers of another processor")
    args = parser.parse_args()
    if args.answers:
        print(json.dumps(answered(args.data)))
        return
    here = elsewhere(args.data, {})
    if args.write:
        args.write.write_text(json.dumps(here))
    others = {name: elsewhere(args.data, settings) for name, settings in SETTINGS.items()}
    if args.read:
        others[args.read.name] = json.loads(args.read.read_text())
    print(f"{len(here)} spectra; largest difference, then number of answers that differ, then that are equal")
    heads = ("z/zerr", "zerr, rel.", "P(class)", "score", "class", "subtype", "zwarn", "flag", "equal")
    print(f"{'':26s} " + " ".join(f"{head:>9s}" for head in heads))
    for name, there in others.items():
        print(f"{name:26s} {row(here, there)}")


if __name__ == "__main__":
    main()
