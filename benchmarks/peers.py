"""Our figures on labelled real spectra by class and S/N, in the definitions that others publish theirs in.

    python benchmarks/peers.py --data DATA [--members classifier-1,encoder]

delta is |z - label| / (1 + label); "MAD" is the median of |delta - median(delta)| (GaSNet-III); GF(t) is
the fraction with delta < t, whatever the class; "right" the fraction of classes named right. Labels with a
warning are left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from spectraq.models.pipeline import Pipeline
from spectraq.workers.files.labelled_spectra import labelled

SNR = ((0.0, 5.0), (5.0, 15.0), (15.0, np.inf))
THRESHOLDS = (3e-4, 0.0033, 0.015)


def main() -> None:
    """Answer every labelled spectrum and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--members")
    options = parser.parse_args()
    spectra = [spectrum for spectrum in labelled(options.data) if spectrum.trusted]
    pipeline = Pipeline.load(members=options.members.split(",") if options.members else None)
    answers = pipeline.analyze([spectrum.observation for spectrum in spectra])
    truth = np.array([spectrum.z for spectrum in spectra])
    spectype = np.array([spectrum.spectype for spectrum in spectra])
    survey = np.array([spectrum.survey for spectrum in spectra])
    delta = np.abs(np.array([answer.z for answer in answers]) - truth) / (1 + truth)
    right = np.array([answer.spectype for answer in answers]) == spectype
    snr = np.array([answer.snr for answer in answers])
    table = Table(
        "class", "of", "spectra", "right", "median delta", "MAD", *(f"GF({t:g})" for t in THRESHOLDS)
    )
    for name in ("GALAXY", "QSO", "STAR"):
        mine = spectype == name
        groups = {"all": mine}
        groups |= {f"S/N {low:g}-{high:g}": mine & (snr >= low) & (snr < high) for low, high in SNR}
        groups |= {one: mine & (survey == one) for one in np.unique(survey[mine])}
        for label, rows in groups.items():
            if rows.sum() < 3:
                continue
            d = delta[rows]
            figures = [np.median(d), np.median(np.abs(d - np.median(d)))]
            fractions = [(d < threshold).mean() for threshold in THRESHOLDS]
            table.add_row(
                name,
                label,
                str(rows.sum()),
                f"{right[rows].mean():.3f}",
                *(f"{value:.1e}" for value in figures),
                *(f"{value:.3f}" for value in fractions),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
