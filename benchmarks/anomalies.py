"""What the anomaly flags catch: faults and strangers put into real spectra that are normal.

Half of the normal spectra teach the reference and the other half is judged by it, and the other way round;
half of the supernovae teach the search and the detector, and the others are put in. Recall is shown at the
nominal rate, and at the threshold that one in a hundred of the unchanged spectra passes.
Needs the folder of real spectra and templates beside the checkout. Run as `python benchmarks/anomalies.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.anomaly import detector
from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.judge import FLAG_RATE, Scorer, attributed
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.anomaly.scores import Scores
from spectraq.models.anomaly.second_object import CompanionSearch
from spectraq.models.batch import BatchAnalyst
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH, z_of
from spectraq.models.grid.prepare import Gridded, grid_batch, running_median
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.redshift import eigenspectra
from spectraq.models.tensors import rows_of
from spectraq.models.training import supernovae
from spectraq.models.training.measure import normal_spectra

DATA = Path(__file__).parents[2] / "shared" / "data"
BLOCK = 16
BRIGHT = 5
"""Median S/N a pixel above which recall is shown apart."""
LINE_SNR, STEP, SKY_SIGMA, HALF = 10, 0.3, 8, 0.5
Floats = NDArray[np.float64]


class Hosts:
    """Normal real spectra on the grid, and how they are judged."""

    def __init__(self) -> None:
        from spectraq.workers.files.labelled_spectra import labelled

        torch.set_num_threads(1)
        cpu = torch.device("cpu")
        bases = eigenspectra.load()
        self.analyst = BatchAnalyst(Ensemble.load(), bases, cpu, BLOCK)
        taught = supernovae.learn(supernovae.read(supernovae.files(DATA)[::2]))
        network = detector.Detector.load(shipped.FOLDER / detector.FILE)
        self.scorer = Scorer(CompanionSearch(bases, taught, cpu), network, cpu)
        known = [one for one in labelled(DATA) if one.trusted]
        gridded = grid_batch([one.observation for one in known])
        analysis = self.analyst.analyze(gridded)
        z = z_of(analysis.lag).numpy()
        right = [
            CLASSES[int(c)] == k.spectype for c, k in zip(analysis.decision.spectype, known, strict=True)
        ]
        near = np.abs(z - np.array([one.z for one in known])) < 0.005 * (1 + z)
        rows = torch.from_numpy(np.flatnonzero(np.array(right) & near))
        self.gridded, self.z = rows_of(gridded, rows), z[rows.numpy()]
        self.survey = np.array([known[i].observation.survey or "DESI, smoothed" for i in rows.tolist()])
        self.spectype = analysis.decision.spectype[rows].numpy()
        self.flux = self.gridded.flux.numpy().astype(np.float64)
        self.ivar = self.gridded.ivar.numpy().astype(np.float64)
        self.used = self.ivar > 0
        model = analysis.fit.model[rows] * analysis.prepared.scale[rows]
        self.model = model.numpy().astype(np.float64)

    def scores(self, flux: Floats, rows: NDArray[np.int64], ivar: Floats | None = None) -> Scores:
        """Score spectra whose flux, and perhaps ivar, was changed."""
        old = rows_of(self.gridded, torch.from_numpy(rows))
        weight = old.ivar if ivar is None else torch.from_numpy(ivar).float()
        new = Gridded(torch.from_numpy(flux).float(), weight, old.offset, old.noise_estimated, old.unit)
        with torch.inference_mode():
            return self.scorer.score(self.analyst.analyze(new), BLOCK)


Change = Callable[[Hosts, int, np.random.Generator], "Floats | None"]


def unchanged(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    return hosts.flux[i]


def line(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """An emission line of S/N 10, 2 % of the flux counted as noise."""
    at = rng.choice(np.flatnonzero(hosts.used[i])[60:-60])
    profile = np.exp(-0.5 * ((np.arange(N_PIXELS) - at) / rng.choice([1.5, 2.5, 4.0])) ** 2)
    level = np.median(np.abs(hosts.flux[i][hosts.used[i]]))
    ivar = hosts.ivar[i] / (1 + hosts.ivar[i] * (0.02 * level) ** 2)
    return hosts.flux[i] + LINE_SNR / np.sqrt((profile**2 * ivar).sum()) * profile * hosts.used[i]


def step(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """One arm 30 % too bright or too faint."""
    size = rng.choice([-1, 1]) * STEP
    return hosts.flux[i] * (1 + size * (np.arange(N_PIXELS) > rng.integers(1500, 3200)))


def sky(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """The night sky's lines, the brightest 8 sigma of a pixel."""
    table = np.loadtxt(DATA / "sky/desispec/spec-sky.dat")
    lines = np.interp(WAVELENGTH, table[:, 0], table[:, 1])
    lines = np.clip(lines - running_median(lines, 60), 0, None)
    sigma = 1 / np.sqrt(np.median(hosts.ivar[i][hosts.used[i]]))
    size = rng.choice([-1, 1]) * SKY_SIGMA * sigma / np.percentile(lines, 99.5)
    return hosts.flux[i] + size * lines * hosts.used[i]


def supernova(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """A real supernova, half as bright as its galaxy."""
    if CLASSES[hosts.spectype[i]] != "GALAXY":
        return None
    files = supernovae.files(DATA)[1::2]  # the others are what the search was taught for this benchmark
    table = np.loadtxt(files[rng.integers(len(files))])
    light = np.interp(WAVELENGTH / (1 + hosts.z[i]), table[:, 0], table[:, 1], left=0, right=0)
    seen = hosts.used[i] & (light > 0)
    if seen.sum() < 1500:
        return None
    level = np.median(np.abs(hosts.flux[i][hosts.used[i]])) / np.median(light[seen])
    return hosts.flux[i] + HALF * level * light * hosts.used[i]


def blend(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """A second object in the fibre, without noise of its own, half as bright."""
    j = int(rng.integers(len(hosts.z)))
    both = hosts.used[i] & hosts.used[j]
    if abs(hosts.z[i] - hosts.z[j]) < 0.01 or both.sum() < 0.8 * hosts.used[i].sum():
        return None
    level = np.median(np.abs(hosts.flux[i][both])) / max(np.median(np.abs(hosts.flux[j][both])), 1e-9)
    return hosts.flux[i] + HALF * level * np.where(both, hosts.model[j], 0)


CHANGES: tuple[Change, ...] = (unchanged, line, step, sky, supernova, blend)


@dataclass
class Judged:
    """Rates of what was put into some hosts."""

    rows: NDArray[np.int64]
    by_kind: Floats  # over their shares, the detector's given to what it sees
    overall: Floats


def judged(hosts: Hosts) -> dict[str, Judged]:
    """Rates of every change, each half of the hosts by a reference of the other half."""
    n = len(hosts.z)
    clean = hosts.scores(hosts.flux, np.arange(n))
    half = np.random.default_rng(0).permutation(n) % 2
    references = [normal_spectra.learn("half", rows_of(clean, torch.from_numpy(half != h))) for h in (0, 1)]
    result = {}
    for change in CHANGES:
        rng = np.random.default_rng(1)
        made = [(i, flux) for i in range(n) if (flux := change(hosts, i, rng)) is not None]
        rows = np.array([i for i, _ in made])
        scores = hosts.scores(np.array([flux for _, flux in made]), rows)
        by_kind = [reference.rates(reference.measured(scores)).numpy() for reference in references]
        rates: Floats = np.where((half[rows] == 1)[:, None], by_kind[1], by_kind[0]).astype(np.float64)
        overall = together(torch.from_numpy(rates)).numpy()
        told = attributed(torch.from_numpy(rates), scores.seen.double()).numpy()
        result[change.__name__] = Judged(rows, told, overall)
    return result


def main() -> None:
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    hosts = Hosts()
    snr = np.array(
        [
            np.median(np.abs(f[u]) * np.sqrt(v[u]))
            for f, v, u in zip(hosts.flux, hosts.ivar, hosts.used, strict=True)
        ]
    )
    found = judged(hosts)
    real = float(np.quantile(found["unchanged"].overall, FLAG_RATE))
    print(f"one in a hundred unchanged spectra has a rate below {real:.4f}")
    bright_column = f"S/N > {BRIGHT}"
    print(f"{'put in':12s} {'spectra':>7s} {'nominal':>7s} {bright_column:>8s} {'real 1 %':>8s}   told as")
    for name, one in found.items():
        flagged, bright = one.overall < FLAG_RATE, snr[one.rows] > BRIGHT
        told = [(flagged & (one.by_kind[:, k] < FLAG_RATE)).mean() for k in range(len(KINDS))]
        best = ", ".join(f"{kind} {part:.2f}" for kind, part in zip(KINDS, told, strict=True) if part > 0.02)
        print(
            f"{name:12s} {len(one.rows):7d} {flagged.mean():7.3f} {flagged[bright].mean():8.3f} "
            f"{(one.overall < real).mean():8.3f}   {best}"
        )
    print("unchanged and flagged, by survey:")
    for survey in np.unique(hosts.survey):
        mine = found["unchanged"].overall[hosts.survey == survey]
        print(f"{survey:16s} {len(mine):4d} {(mine < FLAG_RATE).mean():.3f}")


if __name__ == "__main__":
    main()
