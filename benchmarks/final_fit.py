"""How near the final fit comes to the noise and to the truth, and what it leaves of an unknown line.

    python benchmarks/final_fit.py --data DATA [--every 1]

Real spectra: chi2 a degree of freedom with the survey's own noise and no model error, of the best fit and of
the final fit; median and 90th percentile. Mocks: squared error against the noiseless truth in units of the
noise's variance, likewise. Lines: emission of S/N 10 is put where no known line is, and its flux measured in
what the final fit leaves; 10th percentile, median. Cost: processor time of the final fit by class, on one
core, and over that of the analysis which goes before it: the ratio is what to compare between machines.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from denoising import SEED, SNR, error, gridded
from rich.console import Console
from rich.table import Table

from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import FinalFit, final_fit
from spectraq.models.final_fit.shapes import NARROW
from spectraq.models.grid.axis import N_PIXELS, pixel_of, z_of
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.lines import wavelength
from spectraq.models.pipeline import Pipeline
from spectraq.models.tensors import rows_of
from spectraq.models.training import material
from spectraq.models.training.mocks import MockSky
from spectraq.models.training.mocks.surveys import NoiseShapes
from spectraq.workers.files.labelled_spectra import NORMAL, LabelledSpectrum, labelled, noise

BATCH = 48
LINE_SNR = 10.0
LINE_SIGMA_PIXELS = 2.5
CLEAR_PIXELS = 60
"""A line that is put in lies this far from every line that is known."""
Rows = dict[tuple[str, str], list[tuple[float, ...]]]


def span(snr: float) -> str:
    """Return the range of S/N that one belongs to."""
    low, high = next((low, high) for low, high in SNR if low <= snr < high)
    return f"{low}-{high}" if high < SNR[-1][1] else f"above {low}"


def fitted(pipeline: Pipeline, batch: Gridded) -> tuple[BatchAnalysis, FinalFit]:
    """Return the analysis and the final fits of a gridded batch."""
    with torch.inference_mode():
        analysis = pipeline.analysis(batch, everything=True)
        return analysis, final_fit(analysis, FINE)


FINE = details.load()


def real(pipeline: Pipeline, spectra: Sequence[LabelledSpectrum]) -> tuple[Rows, Rows]:
    """Return chi2 before and after, and the part of an unknown line's flux that is left, by class and S/N."""
    chi2, lines = defaultdict(list), defaultdict(list)
    rng = np.random.default_rng(SEED)
    for start in range(0, len(spectra), BATCH):
        part = spectra[start : start + BATCH]
        batch = grid_batch([spectrum.observation for spectrum in part])
        analysis, final = fitted(pipeline, batch)
        ivar = analysis.prepared.noise_ivar
        left = analysis.prepared.flux - analysis.fit.model
        best = (ivar * left.square()).sum(1) / (batch.ivar > 0).sum(1)
        right = [i for i, spectrum in enumerate(part) if _right(analysis, i, spectrum.spectype, spectrum.z)]
        for i in right:
            key = (f"{part[i].survey} {part[i].spectype}", span(float(analysis.prepared.snr[i])))
            chi2[key].append((float(best[i]), float(final.noise_rchi2[i])))
        if right:
            rows = torch.tensor(right)
            places = [_free_pixel(ivar[i], float(analysis.lag[i]), rng) for i in right]
            left = _left_of_lines(pipeline, rows_of(batch, rows), places)
            for i, share in zip(right, left, strict=True):
                key = (f"{part[i].survey} {part[i].spectype}", span(float(analysis.prepared.snr[i])))
                lines[key].append((share,))
    return chi2, lines


def cost(pipeline: Pipeline, batch: Gridded) -> Rows:
    """Return core-ms a spectrum of the final fit, and over those of the analysis, by class and S/N."""
    rows = defaultdict(list)
    start = time.thread_time()
    with torch.inference_mode():
        analysis = pipeline.analysis(batch, everything=True)
        before = (time.thread_time() - start) / len(batch.flux)
        for i in range(len(batch.flux)):
            alone = _row(analysis, slice(i, i + 1))
            start = time.thread_time()
            final_fit(alone, FINE)
            spent = time.thread_time() - start
            key = (CLASSES[int(analysis.decision.spectype[i])], span(float(analysis.prepared.snr[i])))
            rows[key].append((1e3 * spent, spent / before))
    return rows


def _row(analysis: BatchAnalysis, rows: slice) -> BatchAnalysis:
    """Return what the final fit needs of some rows."""
    records = {
        name: rows_of(getattr(analysis, name), rows) for name in ("gridded", "prepared", "decision", "fit")
    }
    stars, *others = analysis.candidates
    numbers = {name: getattr(analysis, name)[rows] for name in ("lag", "kappa")}
    return replace(analysis, candidates=(rows_of(stars, rows), *others), **records, **numbers)


def mocks(pipeline: Pipeline, sky: MockSky, batches: int) -> tuple[Rows, Rows]:
    """Return the squared error of the best and of the final fit against the truth, and the cost of it."""
    rows, costs = defaultdict(list), defaultdict(list)
    for _ in range(batches):
        drawn = sky.batch()
        for start in range(0, len(drawn), BATCH):
            picked = torch.arange(start, min(start + BATCH, len(drawn)))
            part = replace(
                drawn,
                **{name: getattr(drawn, name)[picked] for name in ("flux", "ivar", "truth")},
                z=drawn.z[picked.numpy()],
                spectype=[drawn.spectype[i] for i in picked],
            )
            analysis, final = fitted(pipeline, gridded(part))
            for key, spent in cost(pipeline, gridded(part)).items():
                costs[key] += spent
            scale = analysis.prepared.scale
            before, after = error(analysis.fit.model * scale, part), error(final.model * scale, part)
            for i in range(len(picked)):
                if _right(analysis, i, part.spectype[i], float(part.z[i])):
                    key = (part.spectype[i], span(float(analysis.prepared.snr[i])))
                    rows[key].append((float(before[i]), float(after[i])))
    return rows, costs


def _right(analysis: BatchAnalysis, i: int, spectype: str, z: float) -> bool:
    """Return whether class and redshift of row i are those of the label."""
    off = abs(float(z_of(analysis.lag[i : i + 1])[0]) - z) / (1 + z)
    return CLASSES[int(analysis.decision.spectype[i])] == spectype and off < SAME_Z[spectype]


def _free_pixel(ivar: torch.Tensor, lag: float, rng: np.random.Generator) -> int:
    """Return a pixel with a hundred good neighbours and no known line near."""
    pixel = np.arange(N_PIXELS)
    known = pixel_of(np.array([wavelength(name) for name in NARROW])) + lag
    good = np.convolve((ivar > 0).numpy().astype(float), np.ones(101), "same") > 99
    free = good & (np.abs(pixel[:, None] - known).min(1) > CLEAR_PIXELS)
    return int(rng.choice(np.flatnonzero(free))) if free.any() else int(np.flatnonzero(ivar > 0).mean())


def _left_of_lines(pipeline: Pipeline, batch: Gridded, places: Sequence[int]) -> Iterator[float]:
    """Yield the part of an added line's flux that the final fit leaves, its noise taken out."""
    pixel = torch.arange(N_PIXELS)
    profile = torch.stack([torch.exp(-0.5 * ((pixel - place) / LINE_SIGMA_PIXELS) ** 2) for place in places])
    peak = LINE_SNR / (profile.square() * batch.ivar).sum(1, keepdim=True).sqrt().clamp_min(1e-9)
    added = replace(batch, flux=batch.flux + peak * profile)
    without = _leftover(pipeline, batch, profile)
    for before, after, height in zip(without, _leftover(pipeline, added, profile), peak[:, 0], strict=True):
        yield float((after - before) / height)


def _leftover(pipeline: Pipeline, batch: Gridded, profile: torch.Tensor) -> torch.Tensor:
    """Return amplitudes of a profile in what the final fit leaves."""
    analysis, final = fitted(pipeline, batch)
    residual = batch.flux - final.model * analysis.prepared.scale
    return (profile * residual * batch.ivar).sum(1) / (profile.square() * batch.ivar).sum(1)


def shown(title: str, names: Sequence[str], rows: Rows, cell: Callable[[np.ndarray], str]) -> Table:
    """Return a table of one row a class and range of S/N."""
    table = Table("class", "S/N", "spectra", *names, title=title)
    for key in sorted(rows):
        values = np.array(rows[key])
        if len(values) > 2:
            table.add_row(*key, str(len(values)), *(cell(column) for column in values.T))
    return table


def upper(values: np.ndarray) -> str:
    """Return the median, and the 90th percentile in brackets."""
    return f"{np.median(values):.3g} ({np.percentile(values, 90):.3g})"


def lower(values: np.ndarray) -> str:
    """Return the 10th percentile and the median."""
    return f"{np.percentile(values, 10):.2f}, {np.median(values):.2f}"


def main() -> None:
    """Fit real spectra and mocks, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="take only every n-th real spectrum")
    parser.add_argument("--batches", type=int, default=2, help="of mocks")
    parser.add_argument("--seed", type=int, default=SEED, help="of mocks")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipeline, console = Pipeline.load(threads=1), Console(width=120)
    spectra = list(labelled(options.data))
    more = list(labelled(options.data, NORMAL))
    kept = [
        spectrum for spectrum in spectra + more if spectrum.trusted and spectrum.observation.ivar is not None
    ]
    chi2, lines = real(pipeline, kept[:: options.every])
    console.print(shown("real spectra, chi2 with the noise alone", ("best fit", "final fit"), chi2, upper))
    console.print(shown("an unknown line of S/N 10, part left over", ("final fit",), lines, lower))
    shapes = NoiseShapes.of(noise(options.data, spectra))
    sky = MockSky(material.load(options.data), shapes, material.sky_lines(options.data), options.seed)
    rows, costs = mocks(pipeline, sky, options.batches)
    console.print(shown("mocks, squared error over the noise's", ("best fit", "final fit"), rows, upper))
    console.print(shown("mocks, cost", ("core-ms a spectrum", "over the analysis"), costs, upper))


if __name__ == "__main__":
    main()
