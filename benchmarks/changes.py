"""How often unchanged pairs of spectra are flagged as changed, and what is found of changes put into them.

Every pair is judged by the rates that pairs of other objects teach (a fifth left out in turn); how much
calibrations differ is learned from all. Changes are put into the newer spectrum (or the earlier, for what
went), at S/N above 5 of the newer; half of the supernovae teach the search and the others are put in. No
galaxy of the data was observed twice: galaxies are real spectra, observed again as mocks.
Needs the folder of real spectra beside the checkout. Run as `python benchmarks/changes.py`; with
`--kept FILE` the analysed spectra are kept, so that another run takes a minute.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from spectraq.models import shipped
from spectraq.models.change import broad_lines
from spectraq.models.change.compare import Comparison
from spectraq.models.change.epoch import Epoch, Floats
from spectraq.models.change.evidence import PairEvidence, measured
from spectraq.models.change.record import Change
from spectraq.models.change.response import calibrations
from spectraq.models.constants import LIGHT_KM_S
from spectraq.models.grid.axis import KM_S_PER_PIXEL, N_PIXELS, WAVELENGTH, lag_of, pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.pipeline import Pipeline
from spectraq.models.training import supernovae
from spectraq.models.training.measure import changes
from spectraq.models.training.measure.changes import Repeat
from spectraq.workers.files import repeated_spectra
from spectraq.workers.files.labelled_spectra import NORMAL, labelled

DATA = Path(__file__).parents[2] / "shared" / "data"
BRIGHT = 5.0
LINE_SNR, PART, BLUE, SHIFT_SIGMA, WEEKS = 10.0, 0.3, 0.3, 5.0, 14.0
BROAD_KM_S, BROAD_EW = 1700.0, 60.0
"""Standard deviation of a broad H beta (FWHM 4000 km/s) and its equivalent width at rest, angstrom."""


def level(epoch: Epoch) -> float:
    return float(np.median(np.abs(epoch.model[epoch.ivar > 0])))


def added(epoch: Epoch, light: Floats) -> Epoch:
    """Return an epoch with light in flux and model, as if it had been fitted."""
    return replace(epoch, flux=epoch.flux + light * (epoch.ivar > 0), model=epoch.model + light)


def supernova(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A real supernova of 30 % of the light within two weeks of maximum light."""
    if found.spectype != "GALAXY":
        return None
    files = [
        path
        for path in supernovae.files(DATA)[1::2]
        if (match := changes.NAME.match(path.name)) and float(match["days"]) <= WEEKS
    ]
    table = np.loadtxt(files[rng.integers(len(files))])
    light = np.interp(WAVELENGTH / (1 + found.z), table[:, 0], table[:, 1], left=0, right=0)
    seen = (pair.newer.ivar > 0) & (light > 0)
    if seen.sum() < 1500:
        return None
    light *= PART / (1 - PART) * level(pair.newer) / np.median(light[seen])
    return replace(pair, newer=added(pair.newer, light))


def broad_line(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A broad H beta that goes from a quasar, or of 60 angstrom that comes or goes in a galaxy."""
    centre = float(pixel_of(wavelength("Hbeta")) + lag_of(found.z))
    used = (pair.newer.ivar > 0) & (pair.earlier.ivar > 0)
    sigma = BROAD_KM_S / KM_S_PER_PIXEL
    if found.spectype == "STAR" or not 0 < centre < N_PIXELS - 1:
        return None
    near = np.abs(np.arange(N_PIXELS) - centre) < 3 * sigma
    if used[near].mean() < 0.9:
        return None
    if found.spectype == "QSO":
        return _without_broad_line(pair, found, centre)
    angstrom = np.gradient(WAVELENGTH)[round(centre)] / (1 + found.z)
    profile = np.exp(-0.5 * ((np.arange(N_PIXELS) - centre) / sigma) ** 2)
    height = BROAD_EW / (np.sqrt(2 * np.pi) * sigma * angstrom)
    which = "newer" if rng.random() < 0.5 else "earlier"
    epoch: Epoch = getattr(pair, which)
    around = float(np.median(np.abs(epoch.model[near & used])))
    return replace(pair, **{which: added(epoch, height * around * profile)})


def _without_broad_line(pair: Repeat, found: PairEvidence, centre: float) -> Repeat | None:
    """Take the Gaussian that fits best from the newer spectrum's H beta, where both have one of S/N 10."""
    best = (0.0, 0.0, np.zeros(N_PIXELS))
    for speed in (1000.0, 1800.0, 3000.0):
        sigma = speed / KM_S_PER_PIXEL
        profile = broad_lines.profile(centre, sigma)
        (a, error_a), (b, error_b) = broad_lines.heights_in(found.pair, profile, centre, sigma)
        if b / error_b > best[0] and a / error_a > 10:
            best = (b / error_b, b, profile)
    if best[0] < 10:
        return None
    unit = found.pair.newer.scale / pair.newer.unit
    return replace(pair, newer=added(pair.newer, -best[1] * unit * best[2]))


def line(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A narrow line of S/N 10 in the spectrum that has it (2 % of the flux counted as noise)."""
    return _line(pair, found, rng, both=False)


def line_of_both(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A narrow line of S/N 10 beside the noise of both spectra."""
    return _line(pair, found, rng, both=True)


def _line(pair: Repeat, found: PairEvidence, rng: np.random.Generator, both: bool) -> Repeat:
    at = rng.choice(np.flatnonzero(found.pair.used)[60:-60])
    profile = np.exp(-0.5 * ((np.arange(N_PIXELS) - at) / rng.choice([1.5, 2.5, 4.0])) ** 2)
    which = "newer" if rng.random() < 0.5 else "earlier"
    epoch: Epoch = getattr(pair, which)
    if both:
        side = getattr(found.pair, which)
        unit = side.scale / epoch.unit
        weight = found.pair.weight * (1.0 if which == "newer" else found.pair.response**2) / unit**2
    else:
        weight = epoch.ivar / (1 + epoch.ivar * (0.02 * level(epoch)) ** 2)
    height = LINE_SNR / np.sqrt((profile**2 * weight).sum())
    seen = replace(epoch, flux=epoch.flux + height * profile * (epoch.ivar > 0))
    return replace(pair, **{which: seen})


def velocity(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A shift of five of its standard deviations."""
    speed = SHIFT_SIGMA * found.velocity_error * rng.choice([-1, 1])
    place = np.arange(N_PIXELS) - np.log1p(speed / LIGHT_KM_S) / np.log1p(KM_S_PER_PIXEL / LIGHT_KM_S)
    new = pair.newer
    flux, model, good = (
        np.interp(place, np.arange(N_PIXELS), values) for values in (new.flux, new.model, new.ivar > 0)
    )
    return replace(pair, newer=replace(new, flux=flux, model=model, ivar=np.where(good == 1, new.ivar, 0)))


def blue(pair: Repeat, found: PairEvidence, rng: np.random.Generator) -> Repeat | None:
    """A power law of slope -1.5 of 30 % of the flux in the blue third that comes or goes."""
    which = "newer" if rng.random() < 0.5 else "earlier"
    epoch: Epoch = getattr(pair, which)
    index = np.flatnonzero(epoch.ivar > 0)
    third = index[: index.size // 3]
    light = (WAVELENGTH / 5000) ** -1.5
    light *= BLUE * np.median(np.abs(epoch.model[third])) / np.median(light[third])
    return replace(pair, **{which: added(epoch, light)})


CHANGES: dict[str, tuple[Callable[..., Repeat | None], tuple[str, ...]]] = {
    "supernova": (supernova, ("transient",)),
    "broad H beta": (broad_line, ("line_appeared", "line_faded", "line_changed")),
    "line, S/N 10 of its own": (line, ("line_appeared", "line_faded", "line_changed")),
    "line, S/N 10 of both": (line_of_both, ("line_appeared", "line_faded", "line_changed")),
    "velocity, 5 sigma": (velocity, ("velocity_changed",)),
    "30 % blue": (blue, ("continuum_changed", "transient")),
}


def load(kept: Path | None) -> tuple[list[Repeat], list[Epoch]]:
    if kept is not None and kept.exists():
        return pickle.loads(kept.read_bytes())
    pipeline = Pipeline.load(threads=1)
    repeats = repeated_spectra.repeats(DATA, pipeline, shipped.FOLDER)
    galaxies = repeated_spectra.galaxies(list(labelled(DATA, NORMAL)), pipeline, shipped.FOLDER)
    if kept is not None:
        kept.write_bytes(pickle.dumps((repeats, galaxies)))
    return repeats, galaxies


class Judges:
    """A comparison for each fifth of the objects, taught by the others."""

    def __init__(self, repeats: list[Repeat], galaxies: list[Epoch]) -> None:
        files = supernovae.files(DATA)[::2]
        shapes = supernovae.learn(supernovae.read(files))
        known = changes.known_supernovae(files, shapes)
        spreads = changes.response_spreads(repeats)
        self.pairs = [*repeats, *changes.observed_again(galaxies, repeats, spreads)]
        self._allowed = calibrations(spreads)
        self._with = (shapes, known)
        start = time.process_time()
        self.found = [self.measured(pair) for pair in self.pairs]
        self.ms = 1e3 * (time.process_time() - start) / len(self.pairs)
        self._fold = changes.folds(self.pairs)
        base = Comparison("left out", self._allowed, changes.null_of(self.found), shapes, known, 0.01)
        self._judges = [
            replace(
                base, null=changes.null_of([f for f, g in zip(self.found, self._fold, strict=True) if g != k])
            )
            for k in range(changes.FOLDS)
        ]

    def measured(self, pair: Repeat) -> PairEvidence:
        return measured(pair.earlier, pair.newer, self._allowed[pair.instruments], *self._with)

    def judged(self, i: int, pair: Repeat, found: PairEvidence) -> Change:
        return self._judges[self._fold[i]].judged(found, pair.earlier, pair.newer)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path)
    kept = parser.parse_args().kept
    torch.set_num_threads(1)
    judges = Judges(*load(kept))
    print(f"{len(judges.pairs)} pairs measured, {judges.ms:.1f} core-ms each")
    print("| unchanged | pairs | flagged | kinds |\n| --- | --- | --- | --- |")
    groups = defaultdict(list)
    for i, (pair, found) in enumerate(zip(judges.pairs, judges.found, strict=True)):
        change = judges.judged(i, pair, found)
        groups[found.spectype, pair.real].append(change)
        if change.changed and pair.real:
            print(f"    {pair.object}: {change.message}")
    for (spectype, real), judged in sorted(groups.items()):
        flagged = [change for change in judged if change.changed]
        kinds = dict(Counter(change.reasons[0].kind for change in flagged))
        print(f"| {spectype}, {'real' if real else 'mock'} | {len(judged)} | {len(flagged)} | {kinds} |")
    print("| put in | class | pairs | flagged | named |\n| --- | --- | --- | --- | --- |")
    for name, (change_of, kinds) in CHANGES.items():
        rng = np.random.default_rng(1)
        counts: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
        for i, (pair, found) in enumerate(zip(judges.pairs, judges.found, strict=True)):
            if pair.newer.snr < BRIGHT:
                continue
            made = change_of(pair, found, rng)
            if made is None:
                continue
            change = judges.judged(i, made, judges.measured(made))
            named = any(reason.kind in kinds for reason in change.reasons)
            counts[found.spectype].append((change.changed, named))
        for spectype, rows in sorted(counts.items()):
            flagged, named = np.mean(rows, axis=0)
            print(f"| {name} | {spectype} | {len(rows)} | {flagged:.2f} | {named:.2f} |", flush=True)
    others(judges)


def others(judges: Judges) -> None:
    """Say how often two spectra of different objects are told to be."""
    rng = np.random.default_rng(2)
    rows = []
    for i, pair in enumerate(judges.pairs):
        same = [
            j
            for j, other in enumerate(judges.pairs)
            if other.object != pair.object and other.instruments == pair.instruments
        ]
        other = judges.pairs[same[rng.integers(len(same))]].newer
        mixed = replace(pair, newer=replace(other, ra=None))
        change = judges.judged(i, mixed, judges.measured(mixed))
        known = any(
            r.kind in ("different_object", "class_changed", "redshift_changed") for r in change.reasons
        )
        rows.append((judges.found[i].spectype, change.changed, known))
    for spectype in ("STAR", "GALAXY", "QSO"):
        mine = [row[1:] for row in rows if row[0] == spectype]
        flagged, named = np.mean(mine, axis=0)
        print(f"| another object | {spectype} | {len(mine)} | {flagged:.2f} | {named:.2f} |")


if __name__ == "__main__":
    main()
