"""What the anomaly flags catch: faults and strangers put into real spectra that are normal.

Needs the folder of real spectra and templates beside the checkout. Run as `python benchmarks/anomalies.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models import eigenspectra, shipped
from models.analysis import Analyst
from models.anomaly import Judge, Verdict
from models.anomaly.companion import CompanionSearch
from models.anomaly.judge import Scorer
from models.anomaly.reasons import ORIGIN
from models.anomaly.reference import Reference
from models.classifier import CLASSES
from models.ensemble import Ensemble
from models.grid import N_PIXELS, WAVELENGTH
from models.preprocess import Gridded, grid_batch, running_median
from models.refine import z_of
from models.rows import rows_of
from models.training import supernovae

DATA = Path(__file__).parents[2] / "shared" / "data"
BLOCK = 16
Floats = NDArray[np.float64]


class Hosts:
    """Normal real spectra on the grid, and how they are judged."""

    def __init__(self) -> None:
        from workers.labelled import labelled

        torch.set_num_threads(1)
        cpu = torch.device("cpu")
        bases = eigenspectra.load()
        self.analyst = Analyst(Ensemble.load(), bases, cpu, BLOCK)
        taught = supernovae.learn(supernovae.files(DATA)[::2])
        scorer = Scorer(CompanionSearch(bases, taught, cpu), cpu)
        self.judge = Judge(Reference.load(shipped.FOLDER), scorer)
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
        self.spectype = analysis.decision.spectype[rows].numpy()
        self.flux = self.gridded.flux.numpy().astype(np.float64)
        self.ivar = self.gridded.ivar.numpy().astype(np.float64)
        self.used = self.ivar > 0
        model = analysis.fit.model[rows] * analysis.prepared.scale[rows]
        self.model = model.numpy().astype(np.float64)

    def verdicts(self, flux: Floats, rows: NDArray[np.int64]) -> list[Verdict]:
        """Judge spectra whose flux was changed."""
        old = rows_of(self.gridded, torch.from_numpy(rows))
        new = Gridded(torch.from_numpy(flux).float(), old.ivar, old.offset, old.noise_estimated, old.unit)
        with torch.inference_mode():
            return self.judge.judge(self.analyst.analyze(new), BLOCK)


Change = Callable[[Hosts, int, np.random.Generator], "Floats | None"]


def unchanged(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    return hosts.flux[i]


def line(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """An emission line of 10 to 25 sigma, 2 % of the flux counted as noise."""
    at = rng.choice(np.flatnonzero(hosts.used[i])[60:-60])
    profile = np.exp(-0.5 * ((np.arange(N_PIXELS) - at) / rng.choice([1.5, 2.5, 4.0])) ** 2)
    level = np.median(np.abs(hosts.flux[i][hosts.used[i]]))
    ivar = hosts.ivar[i] / (1 + hosts.ivar[i] * (0.02 * level) ** 2)
    return hosts.flux[i] + rng.uniform(10, 25) / np.sqrt((profile**2 * ivar).sum()) * profile * hosts.used[i]


def step(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """One arm 15 to 50 % too bright or too faint."""
    size = rng.choice([-1, 1]) * rng.uniform(0.15, 0.5)
    return hosts.flux[i] * (1 + size * (np.arange(N_PIXELS) > rng.integers(1500, 3200)))


def sky(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """The night sky's lines, the brightest 4 to 12 sigma of a pixel."""
    table = np.loadtxt(DATA / "sky/desispec/spec-sky.dat")
    lines = np.interp(WAVELENGTH, table[:, 0], table[:, 1])
    lines = np.clip(lines - running_median(lines, 60), 0, None)
    sigma = 1 / np.sqrt(np.median(hosts.ivar[i][hosts.used[i]]))
    size = rng.choice([-1, 1]) * rng.uniform(4, 12) * sigma / np.percentile(lines, 99.5)
    return hosts.flux[i] + size * lines * hosts.used[i]


def supernova(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """A real supernova, 0.3 to 1.5 times as bright as its galaxy."""
    if CLASSES[hosts.spectype[i]] != "GALAXY":
        return None
    files = supernovae.files(DATA)[1::2]  # the others are what the search was taught for this benchmark
    table = np.loadtxt(files[rng.integers(len(files))])
    light = np.interp(WAVELENGTH / (1 + hosts.z[i]), table[:, 0], table[:, 1], left=0, right=0)
    seen = hosts.used[i] & (light > 0)
    if seen.sum() < 1500:
        return None
    level = np.median(np.abs(hosts.flux[i][hosts.used[i]])) / np.median(light[seen])
    return hosts.flux[i] + rng.uniform(0.3, 1.5) * level * light * hosts.used[i]


def blend(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """A second object in the fibre, without noise of its own, half to 1.2 times as bright."""
    j = int(rng.integers(len(hosts.z)))
    both = hosts.used[i] & hosts.used[j]
    if abs(hosts.z[i] - hosts.z[j]) < 0.01 or both.sum() < 0.8 * hosts.used[i].sum():
        return None
    level = np.median(np.abs(hosts.flux[i][both])) / max(np.median(np.abs(hosts.flux[j][both])), 1e-9)
    return hosts.flux[i] + rng.uniform(0.5, 1.2) * level * np.where(both, hosts.model[j], 0)


def main() -> None:
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    hosts = Hosts()
    print(f"{'put in':14s} {'spectra':>8s} {'flagged':>8s}  {'S/N > 5':>8s}   of which told as")
    snr = np.array(
        [
            np.median(np.abs(f[u]) * np.sqrt(v[u]))
            for f, v, u in zip(hosts.flux, hosts.ivar, hosts.used, strict=True)
        ]
    )
    for change in (unchanged, line, step, sky, supernova, blend):
        rng = np.random.default_rng(1)
        made = [(i, flux) for i in range(len(hosts.z)) if (flux := change(hosts, i, rng)) is not None]
        rows = np.array([i for i, _ in made])
        verdicts = hosts.verdicts(np.array([flux for _, flux in made]), rows)
        flagged = np.array([verdict.flagged for verdict in verdicts])
        told = {
            kind: sum(v.flagged and any(c.kind == kind for c in v.reasons) for v in verdicts)
            for kind in ORIGIN
        }
        best = ", ".join(f"{kind} {n / len(rows):.2f}" for kind, n in told.items() if n > 0.02 * len(rows))
        bright = flagged[snr[rows] > 5].mean()
        print(f"{change.__name__:14s} {len(rows):8d} {flagged.mean():8.3f}  {bright:8.3f}   {best}")


if __name__ == "__main__":
    main()
