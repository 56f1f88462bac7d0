"""Whether flags of real spectra are told as the sky's or the instrument's as a person tells them.

Judges the spectra of `models/training/measure/judged_by_eye.py` alone. Needs the folder of real spectra
beside the checkout. Run as `python benchmarks/origins.py`; less than half a minute of one core.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from spectraq.models.pipeline import Pipeline
from spectraq.models.training.measure.judged_by_eye import JUDGED, UNCLEAR
from spectraq.workers.files.labelled_spectra import NORMAL, SPECTRA, labelled

DATA = Path(__file__).parents[2] / "shared" / "data"


def main() -> None:
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    known = [one for folder in (SPECTRA, NORMAL) for one in labelled(DATA, folder) if one.name in JUDGED]
    answers = Pipeline.load(threads=1).analyze([one.observation for one in known])
    right: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for one, answer in zip(known, answers, strict=True):
        whose, what = JUDGED[one.name]
        if not answer.anomaly_flagged or whose == UNCLEAR:
            print(f"{one.name}: {whose}, {what}; flagged: {answer.anomaly_flagged}")
            continue
        first = answer.anomaly_reasons[0]
        total[one.source] += 1
        right[one.source] += first.origin == whose
        if first.origin != whose:
            print(f"{one.name}: {whose}, {what}; told: {first.kind}, {first.message}")
    for source, n in total.items():
        print(f"{source}: {right[source]} of {n}")
    print(f"origin right of {right.total()} of {total.total()}")


if __name__ == "__main__":
    main()
