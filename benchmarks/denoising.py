"""How much closer to the truth than the data: squared error against noiseless mocks, in units of the noise.

    python benchmarks/denoising.py --data DATA

One is the data themselves. Beside spectraq's fit and its denoised spectrum stand what people use: a Wiener
filter, a Savitzky-Golay filter, and the fit of the eigenspectra alone (PCA). Medians over spectra with the
right class and redshift; the pull is the denoised spectrum's error over what it says its error is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scipy.signal import savgol_filter, wiener

from spectraq.models.answers.denoise import denoise
from spectraq.models.batch import BatchAnalysis
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import Gridded
from spectraq.models.pipeline import Pipeline
from spectraq.models.training import material
from spectraq.models.training.mocks import MAX_BATCH, Mocks, MockSky
from spectraq.models.training.mocks.surveys import NoiseShapes
from spectraq.workers.files.labelled_spectra import labelled, noise

SNR = ((0, 3), (3, 8), (8, 20), (20, 1000))
SEED = 911
FINE = details.load()
METHODS = ("data", "Wiener", "Savitzky-Golay", "PCA", "fit", "denoised")


class OnGrid(Protocol):
    """Spectra on the grid, as mocks are."""

    flux: torch.Tensor
    ivar: torch.Tensor


def gridded(spectra: OnGrid) -> Gridded:
    """Return spectra on the grid as the pipeline sees them."""
    return Gridded.of_grid(spectra.flux, spectra.ivar)


def filtered(mocks: Mocks, name: str) -> torch.Tensor:
    """Run a filter of scipy over every spectrum, masked pixels filled from their neighbours."""
    out = np.zeros(tuple(mocks.flux.shape), np.float32)
    for row, (flux, ivar) in enumerate(zip(mocks.flux.numpy(), mocks.ivar.numpy(), strict=True)):
        used = np.flatnonzero(ivar > 0)
        filled = np.interp(np.arange(flux.size), used, flux[used])
        if name == "Wiener":
            with np.errstate(
                divide="ignore", invalid="ignore"
            ):  # a flat stretch has no variance to divide by
                out[row] = np.nan_to_num(wiener(filled, 11, float(np.median(1 / ivar[used]))))
        else:
            out[row] = savgol_filter(filled, 15, 3)
    return torch.from_numpy(out)


def error(model: torch.Tensor, mocks: Mocks) -> torch.Tensor:
    """Mean squared error in units of the noise's variance, shape (n,)."""
    used = mocks.ivar > 0
    return ((model - mocks.truth).square() * mocks.ivar).sum(1) / used.sum(1)


def measured(
    mocks: Mocks, pipeline: Pipeline, alone: Pipeline
) -> tuple[dict[str, torch.Tensor], torch.Tensor, BatchAnalysis]:
    """Errors by method, the denoised spectrum's pulls, and the analysis."""
    analysis, pca = pipeline.analysis(gridded(mocks), everything=True), alone.analysis(gridded(mocks))
    scale = analysis.prepared.scale
    final = final_fit(analysis, FINE)
    fit, fit_error = final.model * scale, final.sigma * scale
    clean = denoise(mocks.flux, mocks.ivar, fit, fit_error)
    errors = {
        "data": error(mocks.flux, mocks),
        "Wiener": error(filtered(mocks, "Wiener"), mocks),
        "Savitzky-Golay": error(filtered(mocks, "Savitzky-Golay"), mocks),
        "PCA": error(pca.fit.model * pca.prepared.scale, mocks),
        "fit": error(fit, mocks),
        "denoised": error(clean.flux, mocks),
    }
    return errors, torch.where(mocks.ivar > 0, (clean.flux - mocks.truth) / clean.sigma, torch.nan), analysis


def main() -> None:
    """Draw mocks, denoise them and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--spectra", type=int, default=1500)
    options = parser.parse_args()
    real = list(labelled(options.data))
    shapes = NoiseShapes.of(noise(options.data, real))
    sky = MockSky(material.load(options.data), shapes, material.sky_lines(options.data), SEED)
    pipeline = Pipeline.load()
    alone = Pipeline.load(members=[name for name in pipeline.members if name != "encoder"])
    batches = []
    for _ in range(-(-options.spectra // MAX_BATCH)):
        mocks = sky.batch()
        batches.append((mocks, *measured(mocks, pipeline, alone)))
    table = Table("class", "S/N", "spectra", *METHODS, "pull")
    for index, spectype in enumerate(CLASSES):
        for low, high in SNR:
            picked: dict[str, list[torch.Tensor]] = {name: [] for name in (*METHODS, "pull")}
            for mocks, errors, pulls, analysis in batches:
                truth = torch.from_numpy(mocks.z)
                own = torch.tensor([CLASSES.index(name) for name in mocks.spectype])
                right = (analysis.decision.spectype == own) & (own == index)
                right &= (z_of(analysis.lag) - truth).abs() / (1 + truth) < SAME_Z["GALAXY"]
                right &= (analysis.prepared.snr >= low) & (analysis.prepared.snr < high)
                for name, values in errors.items():
                    picked[name].append(values[right])
                picked["pull"].append(pulls[right].flatten())
            columns = {name: torch.cat(parts) for name, parts in picked.items()}
            figures = [f"{float(columns[name].median()):.3f}" for name in METHODS]
            spread = 1.4826 * float(columns["pull"].abs().nanmedian())
            table.add_row(spectype, f"{low}-{high}", str(len(columns["data"])), *figures, f"{spread:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
