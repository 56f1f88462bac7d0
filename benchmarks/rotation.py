"""How right rotation is: model stars that turn at a known speed, and real ones, nearly all of which are slow.

    python benchmarks/rotation.py --data DATA [--stars 100]

Mocks are models that the measurement does not have, of each type, through SDSS's line spread, 4 % wrong,
at velocities off by 6 km/s, with ripples of 5 % in flux calibration. Given: share with a value; bias and
scatter of it, in km/s; scatter of the difference from the truth over its error. Real stars: how many of those
that are compared are said to turn.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from spectraq.models.answer import Extra
from spectraq.models.grid.axis import KM_S_PER_PIXEL, LN_PER_PIXEL, N_PIXELS, WAVELENGTH
from spectraq.models.measurement.instrument import spread_at
from spectraq.models.measurement.rotation import OVERSAMPLED, TYPES, profile, sharp_stars, v_sin_i
from spectraq.models.measurement.target import Target
from spectraq.models.pipeline import Pipeline
from spectraq.models.training import rotation
from spectraq.workers.files.labelled_spectra import NORMAL, labelled

SEED = 911
SPEEDS = ((0, 30, 60), (80, 100), (120, 150), (200, 250), (300, 350))
SNR = ((10, 20), (20, 40), (40, 80))
SPREADS = 5
SPREAD_ERROR, VELOCITY_PIXELS, RIPPLE = 0.04, 0.08, 0.05


def mock(sharp: np.ndarray, speed: float, snr: float, rng: np.random.Generator) -> Target:
    """Return a model star as SDSS would see it."""
    first = sharp_stars().first
    place = first + np.arange(sharp.size) / OVERSAMPLED
    spread = OVERSAMPLED * spread_at("sdss", np.interp(place, np.arange(N_PIXELS), WAVELENGTH))
    spread *= 1 + SPREAD_ERROR * rng.standard_normal()
    turned = np.convolve(sharp, profile(speed, KM_S_PER_PIXEL / OVERSAMPLED), "same")
    known = np.linspace(spread.min(), spread.max() * 1.001, SPREADS)
    kernels = [np.exp(-0.5 * (np.arange(-30, 31) / sigma) ** 2) for sigma in known]
    blurred = np.stack([np.convolve(turned, kernel / kernel.sum(), "same") for kernel in kernels])
    low = np.clip(np.searchsorted(known, spread) - 1, 0, SPREADS - 2)
    share = (spread - known[low]) / (known[low + 1] - known[low])
    column = np.arange(sharp.size)
    blurred = blurred[low, column] * (1 - share) + blurred[low + 1, column] * share
    lag, pixel = rng.uniform(-3, 3), np.arange(N_PIXELS)
    used = (pixel - lag > place[0] + 5) & (pixel - lag < place[-1] - 5)
    flux = np.interp((pixel - lag - first) * OVERSAMPLED, column, blurred)
    flux = np.where(used, flux * (1 + RIPPLE * np.sin(pixel / 200)), 0.0)
    sigma = flux[used].mean() / snr
    flux += np.where(used, sigma * rng.standard_normal(N_PIXELS), 0.0)
    lag += VELOCITY_PIXELS * rng.standard_normal()
    return Target(flux, used / sigma**2, "STAR", lag, lag * LN_PER_PIXEL, "sdss")


def mocks(data: Path, n: int) -> tuple[Table, float]:
    """Return how right rotation is by S/N and speed, and the median processor time of one, ms."""
    rng, rows, spent = np.random.default_rng(SEED), defaultdict(list), []
    for subtype in TYPES:
        spectra = rotation.archetypes(data, subtype)
        spectra = np.delete(spectra, rotation.unlike(spectra, rotation.MODELS), axis=0)
        for _ in range(n):
            for speeds in SPEEDS:
                snr, speed = float(np.exp(rng.uniform(np.log(10), np.log(80)))), float(rng.choice(speeds))
                sharp = spectra[rng.integers(len(spectra))]
                target = mock(sharp / sharp.mean(), speed, snr, rng)
                start = time.thread_time()
                answer = v_sin_i(target, subtype)["v_sin_i"]
                spent.append(1e3 * (time.thread_time() - start))
                span = next(span for span in SNR if span[0] <= snr < span[1])
                rows[span, speeds].append((answer.value, answer.error, speed))
    table = Table("S/N", "v sin i", "stars", "given", "bias", "scatter", "over its error", title="mocks")
    for (span, speeds), found in sorted(rows.items()):
        known = np.array([row for row in found if row[0] is not None])
        cells = ["", "", ""]
        if len(known) > 2:
            off, error = known[:, 0] - known[:, 2], known[:, 1]
            scatter = 1.48 * np.median(np.abs(off - np.median(off)))
            pull = 1.48 * np.median(np.abs(off / error))
            cells = [f"{np.median(off):+.0f}", f"{scatter:.0f}", f"{pull:.2f}"]
        said = f"{len(known) / len(found):.2f}"
        table.add_row("-".join(map(str, span)), ", ".join(map(str, speeds)), str(len(found)), said, *cells)
    return table, float(np.median(spent))


def real(data: Path) -> Table:
    """Return how many real stars of each type are compared, and what is said of them."""
    stars = [
        one for folder in (None, NORMAL) for one in (labelled(data, folder) if folder else labelled(data))
    ]
    stars = [
        one for one in stars if one.spectype == "STAR" and one.trusted and one.observation.ivar is not None
    ]
    pipeline, rows = Pipeline.load(threads=1), defaultdict(list)
    for answer, star in zip(
        pipeline.analyze([one.observation for one in stars], Extra.MEASUREMENT), stars, strict=True
    ):
        if answer.measurement is not None and "v_sin_i" in answer.measurement.quantities:
            rows[star.survey, answer.subtype].append(answer.measurement.quantities["v_sin_i"])
    table = Table("survey", "type", "stars", "compared", "v sin i", title="real stars")
    for key, found in sorted(rows.items()):
        compared = [
            one for one in found if one.value is not None or (one.reason or "").startswith("not resolved")
        ]
        values = [f"{one.value:.0f} +- {one.error:.0f}" for one in found if one.value is not None]
        if compared:
            table.add_row(*key, str(len(found)), str(len(compared)), ", ".join(values))
    return table


def main() -> None:
    """Measure mocks and real stars, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--stars", type=int, default=100, help="mocks of each type and range of speeds")
    options = parser.parse_args()
    console = Console(width=120)
    table, spent = mocks(options.data, options.stars)
    console.print(table, f"{spent:.2f} ms of a core", real(options.data))


if __name__ == "__main__":
    main()
