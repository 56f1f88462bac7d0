"""How right lines, widths, indices and dispersions are, and their errors.

    python benchmarks/measurements.py --data DATA [--mocks 300] [--stream 240]

Mocks of known lines at their true class and redshift: by S/N of the line, the median ratio of measured and
true flux, median and scatter (1.48 median absolute deviations) of the difference over its error, and the
share that is seen at three sigma. Real SDSS and BOSS spectra, analysed from the pixels on: fluxes against
SDSS's own fits (third table of their files) where both are above five sigma and SDSS's width is a narrow
line's; velocity dispersions against SDSS's.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from astropy.io import fits
from rich.console import Console
from rich.table import Table

from spectraq.models.answer import Extra, Measurement
from spectraq.models.measurement import batch, populations
from spectraq.models.measurement.indices import Stars, indices
from spectraq.models.measurement.line_groups import NARROW
from spectraq.models.measurement.measure import measure
from spectraq.models.measurement.target import Target
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate
from spectraq.models.training.material import Family
from spectraq.models.training.material.galaxies import archetypes, stellar_populations
from spectraq.models.training.mocks.known_lines import KnownLines, galaxy, quasar
from spectraq.workers.contract.convert import observation
from spectraq.workers.readers import read

SEED = 7
STRENGTHS = ((0, 3), (3, 5), (5, 10), (10, 30), (30, np.inf))
SDSS_NAMES = {
    "OII": ("[O_II] 3725", "[O_II] 3727"), "Hbeta": ("H_beta",), "OIII_5008": ("[O_III] 5007",),
    "Halpha": ("H_alpha",), "NII_6585": ("[N_II] 6583",), "SII_6718": ("[S_II] 6716",),
    "SII_6733": ("[S_II] 6730",),
}  # fmt: skip
FOLDERS = ("spectra/sdss-*", "spectra/boss-*", "normal/sdss-blackholes")
CLEAR_SIGMA, NARROW_KM_S, SAME_Z = 5.0, 500.0, 0.003
Rows = dict[Any, list[tuple[float, ...]]]


def scatter(values: np.ndarray) -> float:
    """Return the standard deviation by the median absolute one."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def mocks(n: int, data: Path) -> tuple[Rows, Rows, list[float]]:
    """Return lines by kind and strength, other quantities by name, and seconds a spectrum."""
    stars, rng = populations.load(), np.random.default_rng(SEED)
    basis, first, _ = archetypes(data)
    flux = stellar_populations(data, basis, first)
    family = Family("galaxy_population", "GALAXY", flux, first, np.eye(len(flux), dtype=np.float32), ())
    lines, others, seconds = defaultdict(list), defaultdict(list), []
    for i in range(n):
        truth = quasar(rng) if i % 2 else galaxy(family, rng)
        start = time.process_time()
        measurement = measure(truth.target, 1e-5, None, stars)
        seconds.append(time.process_time() - start)
        spectype = truth.target.spectype
        for line in measurement.lines:
            true = truth.flux.get((line.name, line.component))
            if not true or line.flux is None or line.flux_error is None:
                continue
            bin_ = next(k for k, (_, high) in enumerate(STRENGTHS) if true / line.flux_error < high)
            pull = (line.flux - true) / line.flux_error
            lines[spectype, line.component, bin_].append(
                (line.flux / true, pull, float(line.upper_limit is None))
            )
        for name, value, true, error in _others(measurement, truth):
            others[spectype, name].append((value / true if true else np.nan, (value - true) / error))
    return lines, others, seconds


def _others(measurement: Measurement, truth: KnownLines) -> Iterator[tuple[str, float, float, float]]:
    """Yield name, value, truth and error of what is no flux."""
    seen = [line for line in measurement.lines if line.component == NARROW and line.sigma is not None]
    strongest = max(seen, key=lambda line: (line.flux or 0) / (line.flux_error or 1), default=None)
    if strongest is not None:
        yield "width of the strongest line", strongest.sigma, truth.sigma, strongest.sigma_error
        yield "offset of the strongest line", strongest.offset, truth.offset, strongest.offset_error
    quantities = measurement.quantities
    for name in ("Halpha", "Hbeta", "MgII", "CIV"):
        width = quantities.get(f"fwhm_{name.lower()}")
        if width is not None and width.value is not None:
            yield f"FWHM of {name}", width.value, truth.fwhm[name], width.error
    if truth.target.spectype == "GALAXY":
        clean = Stars.of(truth.target, np.zeros_like(truth.light), truth.light, 1.0)
        true = indices(Stars(clean.target, truth.light, clean.variance))
        for name, index in true.items():
            value = quantities[name]
            if value.value is not None and index.value is not None:
                yield name, value.value, index.value, value.error
        dispersion = quantities["velocity_dispersion"]
        if dispersion.value is not None:
            yield "velocity dispersion", dispersion.value, truth.dispersion, dispersion.error


def real(data: Path) -> tuple[Rows, Rows]:
    """Return lines and velocity dispersions against SDSS's own, by name and class."""
    pipeline = Pipeline.load()
    lines, dispersions = defaultdict(list), defaultdict(list)
    for path in sorted(p for folder in FOLDERS for p in data.glob(f"{folder}/**/spec-*.fits")):
        with fits.open(path) as hdus:
            about = hdus[2].data
            known = {name: np.atleast_1d(about[name])[0] for name in about.names}
            table = hdus[3].data if len(hdus) > 3 and "LINEAREA" in (hdus[3].columns.names or ()) else None
            fitted = {} if table is None else {str(row["LINENAME"]).strip(): row for row in table}
            fitted = {
                name: [float(row[key]) for key in ("LINEAREA", "LINEAREA_ERR", "LINESIGMA")]
                for name, row in fitted.items()
            }
        spectrum = next(iter(read(path, note=lambda _: None)))
        (answer,) = pipeline.analyze([observation(spectrum, 100_000)], Extra.MEASUREMENT)
        same = str(known["CLASS"]).strip() == answer.spectype
        if not same or abs(answer.z - known["Z"]) > SAME_Z * (1 + answer.z) or answer.measurement is None:
            continue
        for name, ratio, pull in _against_sdss(answer.measurement, fitted):
            lines[name, answer.spectype].append((ratio, pull))
            lines[name, "all"].append((ratio, pull))
        value = answer.measurement.quantities.get("velocity_dispersion")
        if value is not None and value.value is not None and known["VDISP"] > 50 and known["VDISP_ERR"] > 0:
            pull = (value.value - known["VDISP"]) / np.hypot(value.error, known["VDISP_ERR"])
            span = "above 15" if answer.snr > 15 else "8-15"
            dispersions["velocity dispersion", span].append((value.value / known["VDISP"], pull))
    return lines, dispersions


def stream(n: int) -> dict[str, list[float]]:
    """Return CPU ms of the measuring of simulated spectra, by class and all together."""
    milliseconds = defaultdict(list)

    def timed(target: Target, *others: Any) -> Measurement:
        start = time.process_time()
        measurement = measure(target, *others)
        for name in (target.spectype, "all"):
            milliseconds[name].append(1000 * (time.process_time() - start))
        return measurement

    pipeline, observations = Pipeline.load(), [drawn.observation for drawn in simulate(n, SEED)]
    pipeline.analyze(observations[:4], Extra.MEASUREMENT)
    with mock.patch.object(batch, "measure", timed):
        for first in range(0, n, 40):
            pipeline.analyze(observations[first : first + 40], Extra.MEASUREMENT)
    return milliseconds


def _against_sdss(
    measurement: Measurement, fitted: dict[str, list[float]]
) -> Iterator[tuple[str, float, float]]:
    """Yield the ratio to SDSS's flux, and the difference over both errors, of lines that both see clearly."""
    ours = {line.name: line for line in measurement.lines if line.component == NARROW}
    for name, names in SDSS_NAMES.items():
        line, theirs = ours.get(name), [fitted[other] for other in names if other in fitted]
        if line is None or line.flux is None or len(theirs) < len(names) or min(t[1] for t in theirs) <= 0:
            continue
        flux, error = sum(t[0] for t in theirs), np.hypot.reduce([t[1] for t in theirs])
        clear = flux > CLEAR_SIGMA * error and line.flux > CLEAR_SIGMA * line.flux_error
        if clear and theirs[0][2] < NARROW_KM_S:
            yield name, line.flux / flux, (line.flux - flux) / np.hypot(error, line.flux_error)


def shown(title: str, names: tuple[str, ...], rows: Rows) -> Table:
    """Return a table: key, number, median ratio, median and scatter of the pull, and what else there is."""
    table = Table(*names, "number", "ratio", "pull", "scatter of the pull", "seen", title=title)
    for key, values in sorted(rows.items()):
        array = np.array(values)
        if len(array) < 3:
            continue
        seen = f"{array[:, 2].mean():.3f}" if array.shape[1] > 2 else ""
        ratio = array[:, 0][np.isfinite(array[:, 0])]
        cells = [f"{np.median(ratio):.3f}" if ratio.size else "", f"{np.median(array[:, 1]):+.2f}"]
        table.add_row(*map(_said, key), str(len(array)), *cells, f"{scatter(array[:, 1]):.2f}", seen)
    return table


def _said(part: Any) -> str:
    return part if isinstance(part, str) else f"{STRENGTHS[part][0]}-{STRENGTHS[part][1]:g}"


def main() -> None:
    """Measure mocks and real spectra, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mocks", type=int, default=300, help="half of them quasars")
    parser.add_argument("--stream", type=int, default=240, help="simulated spectra that are timed")
    options = parser.parse_args()
    console = Console(width=120)
    lines, others, seconds = mocks(options.mocks, options.data)
    console.print(shown("mocks, lines", ("class", "component", "S/N of the line"), lines))
    console.print(shown("mocks, other", ("class", "quantity"), others))
    by_class = [1000 * float(np.median(seconds[k::2])) for k in (0, 1)]
    console.print("CPU ms a spectrum: galaxies {:.0f}, quasars {:.0f}".format(*by_class))
    for name, taken in sorted(stream(options.stream).items()):
        console.print(f"CPU ms a simulated spectrum, {name}: {np.mean(taken):.1f} ({len(taken)} spectra)")
    lines, dispersions = real(options.data)
    console.print(shown("real spectra against SDSS's fits", ("line", "class"), lines))
    console.print(shown("real galaxies against SDSS's", ("quantity", "S/N"), dispersions))


if __name__ == "__main__":
    main()
