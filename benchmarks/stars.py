"""How right temperature, gravity and metallicity of stars are, and their errors.

    python benchmarks/stars.py --data DATA [--library LIBRARY]

Stars that are no calibrators, as they are measured: Indo-US (among the data) and STELIB (beside the MILES
library) against the literature: median and spread (1.48 median absolute deviations) of the difference, spread
about zero, and spread of the difference over its error. Pairs of spectra of one star at two dates: spread of
the difference over the root of two, and over both errors. Real stars: how many have values, by survey, and
why not. Figures of held-out calibrators are on the card of the weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import time
from collections import Counter
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from spectraq.models import shipped
from spectraq.models.answer import Extra, Quantity
from spectraq.models.measurement import fitting_functions
from spectraq.models.measurement.stellar_parameters import NAMES, TEFF_RANGE, stellar_parameters
from spectraq.models.pipeline import Pipeline
from spectraq.models.training.measure import known_parameters as known
from spectraq.models.training.measure.known_parameters import spread
from spectraq.workers.contract.convert import observation
from spectraq.workers.readers import read

SURVEYS = ("lamost", "sdss", "boss")
Quantities = dict[str, Quantity]


def against_the_literature(
    source: str, folder: Path, rng: tuple[float, float] = TEFF_RANGE
) -> list[list[str]]:
    """Return a row for each parameter: stars with values, offset, spread, spread about zero, pull."""
    functions = fitting_functions.load()
    card = json.loads((shipped.FOLDER / fitting_functions.FILE).with_suffix(".json").read_text())
    shown = set(card["calibrators"])
    stars = [star for star in known.stars(source, folder) if np.isfinite(star.parameters).all()]
    stars = [star for star in stars if rng[0] < 10 ** star.parameters[0] < rng[1]]
    stars = [star for star in stars if star.name not in shown]
    said = [stellar_parameters(star.target(), "G", functions) for star in stars]
    truth = np.array([[10 ** star.parameters[0], *star.parameters[1:]] for star in stars])
    rows = []
    for k, name in enumerate(NAMES):
        off = [
            (q[name].value - t, q[name].error)
            for q, t in zip(said, truth[:, k], strict=True)
            if q[name].value
        ]
        difference, error = np.array(off).T
        figures = (np.median(difference), spread(difference - np.median(difference)), spread(difference))
        rows.append([source, name, f"{len(off)} of {len(stars)}", *(f"{x:.4g}" for x in figures)])
        rows[-1].append(f"{spread(difference / error):.2f}")
    return rows


def real(data: Path) -> tuple[dict[str, Quantities], float]:
    """Return what is said of every real star by path from `data`, and the CPU milliseconds a star."""
    pipeline, functions, found, spent = Pipeline.load(threads=1), fitting_functions.load(), {}, 0.0
    for base in ("normal", "spectra"):
        for row in csv.DictReader((data / base / "INDEX.csv").open()):
            path = f"{base}/{row['file']}"
            if row["cls"] != "STAR" or not row["file"].startswith(SURVEYS) or "gasnet3" in path:
                continue
            spectrum = next(iter(read(data / path, note=lambda _: None)))
            (answer,) = pipeline.analyze([observation(spectrum, 100_000)], Extra.MEASUREMENT)
            if answer.spectype == "STAR" and answer.measurement is not None:
                found[path] = answer.measurement.quantities
    pipeline.close()
    stars = [star.target() for star in known.stars(known.INDO_US, data)]
    for _ in range(3):
        start = time.process_time()
        for target in stars:
            stellar_parameters(target, "G", functions)
        spent = 1e3 * (time.process_time() - start) / len(stars)
    return found, spent


def pairs(data: Path, found: dict[str, Quantities]) -> list[list[str]]:
    """Return a row for each parameter: pairs, spread of one spectrum, pull."""
    both = [(row["file1"], row["file2"]) for row in csv.DictReader((data / "PAIRS.csv").open())]
    rows = []
    for name in NAMES:
        two = [(found[a][name], found[b][name]) for a, b in both if a in found and b in found]
        two = [(p, q) for p, q in two if p.value is not None and q.value is not None]
        difference = np.array([p.value - q.value for p, q in two])
        error = np.array([np.hypot(p.error, q.error) for p, q in two])
        figures = f"{spread(difference) / np.sqrt(2):.4g}", f"{spread(difference / error):.2f}"
        rows.append([name, str(len(two)), *figures])
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--library", type=Path)
    options = parser.parse_args()
    console = Console(width=160)
    table = Table("stars of", "", "with a value", "offset", "spread", "about zero", "pull")
    for source, folder in ((known.INDO_US, options.data), (known.STELIB, options.library)):
        for row in against_the_literature(source, folder) if folder else []:
            table.add_row(*row)
    console.print(table)
    found, spent = real(options.data)
    table = Table("pairs", "n", "spread of one", "pull")
    for row in pairs(options.data, found):
        table.add_row(*row)
    console.print(table)
    for survey in SURVEYS:
        said = [q for path, q in found.items() if path.split("/")[1].startswith(survey)]
        errors = [np.median([q[name].error for q in said if q[name].error] or [np.nan]) for name in NAMES]
        why = Counter(q["teff"].reason or "a value" for q in said)
        console.print(survey, len(said), "median errors", [f"{e:.3g}" for e in errors], dict(why))
    console.print(f"{spent:.2f} ms of one core a star")


if __name__ == "__main__":
    main()
