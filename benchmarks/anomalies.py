"""What the anomaly flags say of surveys that their reference never saw, and what they catch there.

Every source of normal real spectra is judged by a reference of all others, each spectrum alone and in the
group of its source. Faults and strangers are put into them, too; half of the supernovae teach the search and
the detector, and the others are put in. Recall is shown at the nominal rate, and at the threshold that one in
a hundred of the unchanged spectra passes.
Needs the folder of real spectra and templates beside the checkout. Run as `python benchmarks/anomalies.py`;
with `--kept FILE` scores are kept, and another way to learn a reference from them is tried in seconds: remove
the file when what makes the scores has changed.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models import shipped
from spectraq.models.anomaly import detector
from spectraq.models.anomaly.false_positive_shares import together
from spectraq.models.anomaly.group import LEAST_GROUP, Bulk, Group
from spectraq.models.anomaly.judge import FLAG_RATE, Scorer, attributed
from spectraq.models.anomaly.kinds import KINDS
from spectraq.models.anomaly.reference import Reference
from spectraq.models.anomaly.scores import Scores
from spectraq.models.anomaly.second_object import CompanionSearch
from spectraq.models.batch import BatchAnalyst
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH, z_of
from spectraq.models.grid.prepare import grid_batch, running_median
from spectraq.models.grid.survey_noise import SurveyNoise
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.redshift import eigenspectra
from spectraq.models.tensors import rows_of
from spectraq.models.training import supernovae
from spectraq.models.training.measure import line_errors, normal_spectra
from spectraq.models.training.measure.known_faults import FAULTS

DATA = Path(__file__).parents[2] / "shared" / "data"
BLOCK = 16
LARGE = 30
"""Spectra of a source whose own share of flagged ones is worth a figure."""
BRIGHT = 5
"""Median S/N a pixel above which recall is shown apart."""
LINE_SNR, STEP, SKY_SIGMA, HALF = 10, 0.3, 8, 0.5
Floats = NDArray[np.float64]


class Hosts:
    """Normal real spectra on the grid, whose they are, and how they are scored."""

    def __init__(self) -> None:
        from spectraq.workers.files.labelled_spectra import NORMAL, SPECTRA, labelled

        torch.set_num_threads(1)
        cpu = torch.device("cpu")
        bases = eigenspectra.load()
        self.analyst = BatchAnalyst(Ensemble.load(), bases, cpu, BLOCK, SurveyNoise.load(shipped.FOLDER))
        taught = supernovae.learn(supernovae.read(supernovae.files(DATA)[::2]))
        network = detector.Detector.load(shipped.FOLDER / detector.FILE)
        self.scorer = Scorer(CompanionSearch(bases, taught, cpu), network, cpu)
        known = [one for folder in (SPECTRA, NORMAL) for one in labelled(DATA, folder)]
        known = [one for one in known if one.trusted and one.name not in FAULTS]
        gridded = grid_batch([one.observation for one in known])
        analysis = self.analyst.analyze(gridded)
        right = normal_spectra.answered_right(
            analysis, [one.spectype for one in known], np.array([one.z for one in known])
        )
        rows = torch.from_numpy(np.flatnonzero(right))
        self.gridded, self.z = rows_of(gridded, rows), z_of(analysis.lag).numpy()[rows.numpy()]
        mine = [known[i] for i in rows.tolist()]
        self.name = [one.name for one in mine]
        self.source = np.array(
            normal_spectra.pooled([one.source for one in mine], [one.survey for one in mine])
        )
        self.spectype = analysis.decision.spectype[rows].numpy()
        self.snr = analysis.prepared.snr[rows].numpy()
        self.flux = self.gridded.flux.numpy().astype(np.float64)
        self.ivar = self.gridded.ivar.numpy().astype(np.float64)
        self.used = self.ivar > 0
        left = line_errors.heights(analysis)
        self.errors = line_errors.apart([left[i] for i in rows.tolist()], self.source.tolist())
        model = analysis.fit.model[rows] * analysis.prepared.scale[rows]
        self.model = model.numpy().astype(np.float64)

    def scores(self, flux: Floats, rows: NDArray[np.int64], ivar: Floats | None = None) -> Scores:
        """Score spectra whose flux, and perhaps ivar, was changed."""
        old = rows_of(self.gridded, torch.from_numpy(rows))
        weight = old.ivar if ivar is None else torch.from_numpy(ivar).float()
        new = replace(old, flux=torch.from_numpy(flux).float(), ivar=weight)
        whose = self.source[rows].tolist()
        return normal_spectra.scored_apart(self.analyst, self.scorer, new, whose, self.errors)


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


CHANGES: dict[Change, int] = dict.fromkeys((unchanged, line, step, sky, supernova, blend), 1)
"""What is put in, into one host of so many."""


@dataclass(frozen=True)
class Measured:
    """Scores of the hosts with each change: these take minutes, a reference of them seconds."""

    name: list[str]  # of each of n hosts
    source: NDArray[np.str_]  # (n,)
    snr: Floats  # (n,)
    rows: dict[str, NDArray[np.int64]]  # by change, the hosts that it was put into
    scores: dict[str, Scores]

    @classmethod
    def of(cls, hosts: Hosts, changes: Mapping[Change, int] = CHANGES) -> Measured:
        """Score every change, in one host of so many."""
        rows, scores = {}, {}
        for k, (change, every) in enumerate(changes.items()):
            rng = np.random.default_rng(1)
            changed = [(i, change(hosts, i, rng)) for i in range(k % every, len(hosts.z), every)]
            made = [(i, flux) for i, flux in changed if flux is not None]
            rows[change.__name__] = np.array([i for i, _ in made])
            scores[change.__name__] = hosts.scores(
                np.array([flux for _, flux in made]), rows[change.__name__]
            )
        return cls(hosts.name, hosts.source, hosts.snr, rows, scores)

    @classmethod
    def kept(cls, path: Path | None, changes: Mapping[Change, int] = CHANGES) -> Measured:
        """Read what a run before this one has kept at a path, or measure and keep it there."""
        if path is not None and path.exists():
            return cls(**torch.load(path, weights_only=False))
        measured = cls.of(Hosts(), changes)
        if path is not None:
            torch.save(vars(measured), path)
        return measured


@dataclass(frozen=True)
class Rates:
    """How often normal spectra of other sources are as strange as these."""

    overall: Floats  # (n,)
    told: Floats  # (n, kinds) over their shares, the detector's given to what it sees

    @classmethod
    def of(cls, rates: torch.Tensor, seen: torch.Tensor) -> Rates:
        """Put the rates of kinds together."""
        return cls(together(rates).double().numpy(), attributed(rates, seen).numpy())


ALONE, ADAPTED = "alone", "adapted"
Judged = dict[str, dict[str, Rates]]  # by how it was judged and by change


def judged(measured: Measured) -> Judged:
    """Judge every source by a reference of all others: each spectrum alone, and in its source's group."""
    parts: dict[str, dict[str, list[tuple[NDArray[np.int64], Rates]]]] = {
        how: {change: [] for change in measured.rows} for how in (ALONE, ADAPTED)
    }
    clean = measured.scores[unchanged.__name__]
    for source in np.unique(measured.source):
        others = measured.source != source
        rest = rows_of(clean, torch.from_numpy(others))
        reference = normal_spectra.learn("others", rest, measured.source[others].tolist())
        mine = reference.strangeness(reference.measured(rows_of(clean, torch.from_numpy(~others))))
        bulk = Group.of(mine.double().numpy()).bulk(reference.quartile.double().numpy())
        for change, rows in measured.rows.items():
            here = np.flatnonzero(~others[rows])
            scores = rows_of(measured.scores[change], torch.from_numpy(here))
            strangeness = reference.strangeness(reference.measured(scores))
            alone = Rates.of(reference.rates_alone(strangeness), scores.seen)
            parts[ALONE][change].append((here, alone))
            in_group = (~others).sum() >= LEAST_GROUP
            adapted = _in_group(reference, bulk, strangeness, scores) if in_group else alone
            parts[ADAPTED][change].append((here, adapted))
    return {how: {change: _in_order(some) for change, some in of.items()} for how, of in parts.items()}


def _in_group(reference: Reference, bulk: Bulk, strangeness: torch.Tensor, scores: Scores) -> Rates:
    beyond = bulk.rebased(strangeness.double().numpy())
    return Rates.of(reference.rates(torch.from_numpy(beyond).float()), scores.seen)


def _in_order(parts: list[tuple[NDArray[np.int64], Rates]]) -> Rates:
    """Put rates of parts into the order of their rows."""
    order = np.argsort(np.concatenate([rows for rows, _ in parts]))
    overall, told = (
        np.concatenate([getattr(part, name) for _, part in parts]) for name in ("overall", "told")
    )
    return Rates(overall[order], told[order])


def show(measured: Measured, found: Judged) -> None:
    """Print shares of flagged spectra by source, and recall by change."""
    sources, counts = np.unique(measured.source, return_counts=True)
    for how, rates in found.items():
        flags = rates[unchanged.__name__].overall < FLAG_RATE
        share = {str(one): float(flags[measured.source == one].mean()) for one in sources}
        worst = max((share[one], one) for one, n in zip(sources, counts, strict=True) if n >= LARGE)
        print(
            f"{how}: flagged {flags.mean():.4f} of {len(flags)}, mean of sources "
            f"{np.mean(list(share.values())):.4f}, worst {worst[1]} {worst[0]:.3f}"
        )
        print(
            "   "
            + ", ".join(f"{one} {share[one]:.3f} of {n}" for one, n in zip(sources, counts, strict=True))
        )
        real = float(np.quantile(rates[unchanged.__name__].overall, FLAG_RATE))
        print(f"   one in a hundred has a rate below {real:.5f}")
        print(f"   {'put in':12s} spectra nominal  true 1 %  (S/N > {BRIGHT}: nominal, true)  told as")
        for change, of_change in rates.items():
            _show_change(change, of_change, measured.snr[measured.rows[change]] > BRIGHT, real)


def _show_change(change: str, rates: Rates, bright: NDArray[np.bool_], real: float) -> None:
    flagged, strange = rates.overall < FLAG_RATE, rates.overall < real
    told = [(flagged & (rates.told[:, k] < FLAG_RATE)).mean() for k in range(len(KINDS))]
    best = ", ".join(f"{kind} {part:.3f}" for kind, part in zip(KINDS, told, strict=True) if part > 0.004)
    print(
        f"   {change:12s} {len(flagged):7d} {flagged.mean():7.3f} {strange.mean():9.3f}"
        f"   ({flagged[bright].mean():.3f}, {strange[bright].mean():.3f})   {best}"
    )


def list_flagged(measured: Measured, found: Judged) -> None:
    """Print every unchanged spectrum that is flagged adapted, to be looked at by eye."""
    rates = found[ADAPTED][unchanged.__name__]
    for i in np.flatnonzero(rates.overall < FLAG_RATE):
        kinds = [f"{KINDS[k]} {rates.told[i, k]:.1e}" for k in np.flatnonzero(rates.told[i] < FLAG_RATE)]
        print(f"{measured.name[i]} ({measured.source[i]}, S/N {measured.snr[i]:.1f}): {', '.join(kinds)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, help="File that scores are kept in, and read from again.")
    parser.add_argument("--flagged", action="store_true", help="List the unchanged spectra that are flagged.")
    options = parser.parse_args()
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    measured = Measured.kept(options.kept)
    found = judged(measured)
    show(measured, found)
    if options.flagged:
        list_flagged(measured, found)


if __name__ == "__main__":
    main()
