"""How many parameters represent a spectrum: what 1 to 64 latent numbers fit, predict and recover.

    python benchmarks/parameters.py --data DATA [--mocks 900] [--every 1] [--pictures docs]

A latent number is the amplitude of one eigenspectrum of the class, learned from noiseless mocks; all stars
share one basis. Beside them stand the three terms of the continuum, as in the scan. For each class, S/N and
number:

- chi2: a pixel, with the noise that the survey states and nothing added; median over spectra
- held out: the same on pixels that the fit did not see, five in each twenty-five
- nats: description length, (chi2 + K ln N) / 2 on the pixels of the fit, above the least over all K
- class, z: recovered by chi2 alone, all three classes with as many numbers over all redshifts
- line: median error of the equivalent width of the class's strongest line in a mock, over that width
- final fit: the effective number of parameters that the final fit takes, in the last table
- type: error of a star's type (O to M in units of one) that a linear map of the latent numbers gives

Labelled real spectra are fitted at their label's redshift, mocks at the true one.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from denoising import gridded
from plots import Panel, write
from rich.console import Console
from rich.table import Table

from spectraq.models.classes import CLASSES, SAME_Z, STAR_TYPES, Z_RANGES
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.grid.axis import N_PIXELS, lag_of, pixel_of, z_of
from spectraq.models.grid.prepare import grid_batch, prepare
from spectraq.models.lines import wavelength
from spectraq.models.pipeline import Pipeline
from spectraq.models.redshift.best_fit import interpolated
from spectraq.models.redshift.continuum import Continuum, chebyshev
from spectraq.models.redshift.eigenspectra import Basis
from spectraq.models.redshift.scan_all_lags import CONTINUUM_TERMS, Scan
from spectraq.models.redshift.templates import Templates
from spectraq.models.training import material
from spectraq.models.training.eigenspectra import GALAXY, QSO, STAR_PIXELS, Recipe, learn
from spectraq.models.training.material import Family
from spectraq.models.training.mocks import MockSky
from spectraq.models.training.mocks.noiseless import stars_of
from spectraq.models.training.mocks.surveys import NoiseShapes
from spectraq.workers.files.labelled_spectra import NORMAL, SPECTRA, LabelledSpectrum, labelled, noise

NUMBERS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64)
SCANNED = (1, 2, 4, 8, 16, 32)
"""The scan of a class solves K x K systems at two thousand lags."""
MOST = max(NUMBERS)
SNR = ((0, 5), (5, 20), (20, 1000))
MOCKS_A_BASIS = 800
SEED = 4
PERIOD, HELD = 25, 5
BATCH = 50
FIRST, REACH, MARGIN = -9100, 60, 2
"""The first pixel at rest that a spectrum can meet, how far beyond its last one stars reach, and what cubic
convolution needs."""
LINES = {"GALAXY": ("Halpha", "OIII_5008", "OII"), "QSO": ("CIV", "MgII", "Hbeta", "Halpha")}
HALF_WIDTH = {"GALAXY": 12, "QSO": 60}
"""Of the window of a line, in pixels; its continuum is as wide on either side."""
ORDERED = STAR_TYPES.index("M") + 1
"""Star types along the sequence of temperature."""


@dataclass(frozen=True)
class Spectra:
    """Spectra whose class and redshift are known; n rows."""

    flux: torch.Tensor  # (n, N_PIXELS)
    ivar: torch.Tensor
    truth: torch.Tensor | None  # noiseless, where it is known
    spectype: np.ndarray
    lag: torch.Tensor  # (n,) float64
    startype: np.ndarray  # along STAR_TYPES; -1 where it is no star or not certain
    snr: np.ndarray

    def rows(self, chosen: np.ndarray) -> Spectra:
        """Return some of them."""
        index = torch.from_numpy(chosen)
        return Spectra(
            self.flux[index],
            self.ivar[index],
            None if self.truth is None else self.truth[index],
            self.spectype[chosen],
            self.lag[index],
            self.startype[chosen],
            self.snr[chosen],
        )

    def __len__(self) -> int:
        return len(self.lag)


@dataclass(frozen=True)
class Fits:
    """Fits of n spectra with K latent numbers."""

    chi2: torch.Tensor  # (n,) on the pixels of the fit
    pixels: torch.Tensor  # (n,) of them
    held: torch.Tensor  # (n,) chi2 a pixel of those that are held out
    model: torch.Tensor  # (n, N_PIXELS)
    latent: torch.Tensor  # (n, K) over the level of the spectrum


def bases_of(families: Sequence[Family]) -> dict[str, Basis]:
    """Return a basis of MOST eigenspectra of each class."""
    by_name = {family.name: family for family in families}
    learned = {}
    for recipe in (GALAXY, QSO):
        shares = {**recipe.families, **recipe.others}
        chosen = [(by_name[name], share) for name, share in shares.items()]
        wide = replace(recipe, k=MOST, others={}, more=0)
        learned[recipe.spectype] = learn(wide, "", chosen, MOCKS_A_BASIS, MOST, SEED)
    stars = Recipe("STAR", {}, MOST, STAR_PIXELS, 0.7)
    learned["STAR"] = learn(stars, "", stars_of(families, set(STAR_TYPES)), MOCKS_A_BASIS, MOST, SEED)
    return learned


def mocks_of(families: Sequence[Family], data: Path, n: int) -> Spectra:
    """Return mocks without faults, observed as the surveys do."""
    shapes = NoiseShapes.of(noise(data, list(labelled(data))))
    mocks = MockSky(families, shapes, material.sky_lines(data), SEED + 1, clean=True).batch(n)
    own = mocks.allowed[:, : len(STAR_TYPES)]
    startype = np.where(own.sum(1) == 1, own.argmax(1), -1)
    lag = lag_of(torch.from_numpy(mocks.z))
    return Spectra(mocks.flux, mocks.ivar, mocks.truth, mocks.spectype, lag, startype, mocks.snr)


def real_spectra(data: Path, every: int) -> Spectra:
    """Return labelled spectra that have a noise of their own."""
    chosen = [
        spectrum
        for folder in (SPECTRA, NORMAL)
        for spectrum in labelled(data, folder)
        if spectrum.trusted and spectrum.observation.ivar is not None and _sought(spectrum)
    ][::every]
    gridded = grid_batch([spectrum.observation for spectrum in chosen])
    z = torch.tensor([spectrum.z for spectrum in chosen], dtype=torch.float64)
    return Spectra(
        gridded.flux,
        gridded.ivar,
        None,
        np.array([spectrum.spectype for spectrum in chosen]),
        lag_of(z) - gridded.offset,
        np.full(len(chosen), -1),
        prepare(gridded).snr.numpy(),
    )


def _sought(spectrum: LabelledSpectrum) -> bool:
    low, high = Z_RANGES[spectrum.spectype]
    return spectrum.survey != "smoothed" and low <= spectrum.z <= high


def fits(spectra: Spectra, templates: Templates, numbers: Sequence[int]) -> Iterator[Fits]:
    """Yield the fits of spectra of one class with each number of eigenspectra."""
    shapes = interpolated(templates, torch.zeros(len(spectra), dtype=torch.int64), spectra.lag)
    smooth = chebyshev(N_PIXELS, CONTINUUM_TERMS, spectra.flux.device).expand(len(spectra), -1, -1)
    design = torch.cat([smooth, shapes], 1).double()
    held = torch.arange(N_PIXELS) % PERIOD < HELD
    ivar = spectra.ivar.double()
    fitted, tested = ivar * ~held, ivar * held
    normal = (design * fitted[:, None]) @ design.transpose(1, 2)
    vector = (design * (fitted * spectra.flux)[:, None]).sum(2)
    level = (spectra.flux.abs() * (ivar > 0)).sum(1) / (ivar > 0).sum(1)
    for k in numbers:
        n = CONTINUUM_TERMS + k
        ridge = 1e-9 * torch.diag_embed(normal[:, :n, :n].diagonal(dim1=1, dim2=2) + 1e-30)
        amplitudes = torch.linalg.solve(normal[:, :n, :n] + ridge, vector[:, :n])
        model = (amplitudes[:, None] @ design[:, :n])[:, 0]
        square = (spectra.flux - model).square()
        yield Fits(
            chi2=(fitted * square).sum(1),
            pixels=(fitted > 0).sum(1),
            held=(tested * square).sum(1) / (tested > 0).sum(1),
            model=model.float(),
            latent=amplitudes[:, CONTINUUM_TERMS:] / level[:, None],
        )


def width_of(flux: torch.Tensor, centre: int, half: int) -> torch.Tensor:
    """Return the flux of a line over the continuum beside it, in pixels."""
    left, line, right = flux[centre - 2 * half : centre + 2 * half + 1].split([half, 2 * half + 1, half])
    return (line / torch.cat([left, right]).mean() - 1).sum()


def line_errors(spectra: Spectra, model: torch.Tensor, spectype: str) -> list[float]:
    """Return the relative errors of the widths of the first line that each mock shows."""
    errors = []
    half = HALF_WIDTH[spectype]
    for row in range(len(spectra)):
        z = float(z_of(spectra.lag[row]))
        places = [int(pixel_of(wavelength(line) * (1 + z))) for line in LINES[spectype]]
        seen = [place for place in places if 2 * half < place < N_PIXELS - 2 * half]
        if not seen or (spectra.ivar[row, seen[0] - half : seen[0] + half] <= 0).any():
            continue
        true = float(width_of(spectra.truth[row], seen[0], half))
        if true > 2:
            errors.append(abs(float(width_of(model[row], seen[0], half)) / true - 1))
    return errors


def type_error(latent: torch.Tensor, startype: np.ndarray) -> float:
    """Return the median error of star types from a linear map, each half of the stars by the other's."""
    chosen = (startype >= 0) & (startype < ORDERED)
    known = torch.from_numpy(startype[chosen]).double()
    numbers = latent[torch.from_numpy(chosen)]
    numbers = numbers / numbers.square().mean(0).sqrt().clamp_min(1e-12)
    design = torch.cat([torch.ones(len(numbers), 1), numbers.clamp(-5, 5)], 1)
    errors = []
    for own, other in ((slice(0, None, 2), slice(1, None, 2)), (slice(1, None, 2), slice(0, None, 2))):
        normal = design[other].T @ design[other]
        ridge = 1e-3 * torch.diag(normal.diagonal())
        weights = torch.linalg.solve(normal + ridge, design[other].T @ known[other])
        errors.append((design[own] @ weights - known[own]).abs())
    return float(torch.cat(errors).median())


def recovered(spectra: Spectra, bases: dict[str, Basis], k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which spectra get their class, and their redshift within that class, by chi2 alone."""
    scans = {
        name: Scan(replace(bases[name], flux=bases[name].flux[:k]), Z_RANGES[name], torch.device("cpu"))
        for name in CLASSES
    }
    best, lags = [], []
    for start in range(0, len(spectra), BATCH):
        part = spectra.rows(np.arange(start, min(start + BATCH, len(spectra))))
        prepared = prepare(gridded(part))
        continuum = Continuum.fit(prepared.coarse_flux, prepared.coarse_ivar, CONTINUUM_TERMS)
        gains = [scan.gain(prepared.coarse_flux, prepared.coarse_ivar, continuum) for scan in scans.values()]
        best.append(torch.stack([gain.max(1).values for gain in gains], 1))
        places = [scan.lags[gain.argmax(1)] for scan, gain in zip(scans.values(), gains, strict=True)]
        lags.append(torch.stack(places, 1))
    own = np.array([CLASSES.index(name) for name in spectra.spectype])
    answer = torch.cat(best).argmax(1).numpy()
    z = z_of(torch.cat(lags))[np.arange(len(own)), own].numpy()
    true = z_of(spectra.lag).numpy()
    limit = np.array([SAME_Z[name] for name in spectra.spectype])
    return answer == own, np.abs(z - true) < limit * (1 + true)


@dataclass(frozen=True)
class Figures:
    """What K latent numbers do for one class, medians by range of S/N."""

    chi2: dict[int, float]
    held: dict[int, float]
    nats: dict[int, float]
    line: dict[int, float]
    type: dict[int, float]


def figures(spectra: Spectra, basis: Basis) -> Figures:
    """Return the figures of spectra of one class and range of S/N."""
    templates = Templates(basis.window(FIRST, N_PIXELS - FIRST + REACH)[None], FIRST, MARGIN)
    whole: dict[int, list[Fits]] = {k: [] for k in NUMBERS}
    lines: dict[int, list[float]] = {k: [] for k in NUMBERS}
    for start in range(0, len(spectra), BATCH):
        part = spectra.rows(np.arange(start, min(start + BATCH, len(spectra))))
        for k, fit in zip(NUMBERS, fits(part, templates, NUMBERS), strict=True):
            whole[k].append(fit)
            if part.truth is not None and basis.spectype in LINES:
                lines[k] += line_errors(part, fit.model, basis.spectype)
    chi2 = {k: torch.cat([fit.chi2 for fit in parts]) for k, parts in whole.items()}
    pixels = torch.cat([fit.pixels for fit in whole[1]])
    length = {k: (chi2[k] + k * pixels.log()) / 2 for k in NUMBERS}
    least = torch.stack(list(length.values())).min(0).values
    return Figures(
        chi2={k: float((chi2[k] / pixels).median()) for k in NUMBERS},
        held={k: float(torch.cat([fit.held for fit in whole[k]]).nanmedian()) for k in NUMBERS},
        nats={k: float((length[k] - least).median()) for k in NUMBERS},
        line={k: float(np.median(errors)) for k, errors in lines.items() if errors},
        type={
            k: type_error(torch.cat([fit.latent for fit in whole[k]]), spectra.startype)
            for k in NUMBERS
            if (spectra.startype >= 0).sum() > 2 * MOST
        },
    )


def paid(spectra: Spectra, pipeline: Pipeline) -> np.ndarray:
    """Return the effective numbers of parameters of the final fits; NaN where the class is wrong."""
    numbers = []
    for start in range(0, len(spectra), BATCH):
        part = spectra.rows(np.arange(start, min(start + BATCH, len(spectra))))
        with torch.inference_mode():
            analysis = pipeline.analysis(gridded(part), everything=True)
            number = final_fit(analysis, details.load()).parameters.numpy()
        right = np.array(CLASSES)[analysis.decision.spectype.numpy()] == part.spectype
        numbers.append(np.where(right, number, np.nan))
    return np.concatenate(numbers)


def table_of(title: str, by_snr: dict[str, Figures], numbers: Sequence[int]) -> Table:
    """Return a table, a row for each range of S/N and figure."""
    table = Table("S/N", "figure", *map(str, numbers), title=title)
    for name, found in by_snr.items():
        for label in Figures.__dataclass_fields__:
            values = getattr(found, label)
            if values:
                table.add_row(name, label, *(f"{values[k]:.3g}" if k in values else "" for k in numbers))
    return table


def ranges(spectra: Spectra, spectype: str) -> Iterator[tuple[str, Spectra]]:
    """Yield the spectra of a class by range of S/N, where there are ten."""
    for low, high in SNR:
        chosen = np.flatnonzero((spectra.spectype == spectype) & (spectra.snr >= low) & (spectra.snr < high))
        if len(chosen) >= 10:
            yield (f"{low}-{high}" if high < SNR[-1][1] else f"above {low}"), spectra.rows(chosen)


COLOURS = ("#0072b2", "#e69f00", "#cc3311")


def picture(path: Path, of_class: dict[str, dict[str, Figures]], figure: str, label: str) -> None:
    """Draw a figure against the number of latent numbers, a panel for each class."""
    panels = []
    for spectype, by_snr in of_class.items():
        curves = [getattr(found, figure) for found in by_snr.values()]
        values = [value for curve in curves for value in curve.values()]
        low, high = np.log10(min(values)), np.log10(max(values))
        panel = Panel(spectype, (0, 6), (round(low - 0.05, 1), round(high + 0.05, 1)), "log2 K", label)
        for row, (name, curve, colour) in enumerate(zip(by_snr, curves, COLOURS, strict=False)):
            panel.line([(np.log2(k), np.log10(value)) for k, value in curve.items()], colour)
            panel.text(row, f"S/N {name}", colour)
        panels.append(panel)
    write(path, [panels])


def main() -> None:
    """Learn the bases, fit, print the tables and draw the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--mocks", type=int, default=900)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    console, pipeline = Console(width=170), Pipeline.load()
    families = material.load(options.data)
    bases = bases_of(families)
    samples = {
        "mocks": mocks_of(families, options.data, options.mocks),
        "real": real_spectra(options.data, options.every),
    }
    for sample, spectra in samples.items():
        of_class = {
            name: {span: figures(part, bases[name]) for span, part in ranges(spectra, name)}
            for name in CLASSES
        }
        for name, by_snr in of_class.items():
            console.print(table_of(f"{name}, {sample}", by_snr, NUMBERS))
        if options.pictures:
            picture(options.pictures / f"parameters-{sample}.svg", of_class, "held", "log10 held-out chi2")
        numbers = paid(spectra, pipeline)
        columns = ("class", "S/N", "spectra", "right", *map(str, SCANNED), "final fit")
        table = Table(*columns, title=f"recovered, and parameters of the final fit, {sample}")
        answers = {k: recovered(spectra, bases, k) for k in SCANNED}
        for name in CLASSES:
            for low, high in SNR:
                own = (spectra.spectype == name) & (spectra.snr >= low) & (spectra.snr < high)
                for index, what in enumerate(("class", "z")):
                    shares = (f"{answers[k][index][own].mean():.3f}" for k in SCANNED)
                    if own.sum() >= 10:
                        number = f"{np.nanmedian(numbers[own]):.0f}" if what == "z" else ""
                        table.add_row(name, f"{low}-{high}", str(own.sum()), what, *shares, number)
        console.print(table)


if __name__ == "__main__":
    main()
