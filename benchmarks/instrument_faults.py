"""Whether what an instrument or a reduction does to a spectrum is told as theirs, and the sky's as the sky's.

Faults of instruments, and lines, supernovae and second objects of like strength, are put into the spectra of
`benchmarks/anomalies.py`; each source is judged by a reference of all others. For each change the table says
how many spectra are flagged, how many of these have a first reason of the right origin, and what kinds are
told first. Needs the folder of real spectra and templates beside the checkout. Run as
`python benchmarks/instrument_faults.py`; some five minutes of one core. `--kept FILE` as of
`benchmarks/anomalies.py`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from anomalies import (
    CHANGES,
    DATA,
    Floats,
    Hosts,
    Judged,
    Measured,
    Rates,
    blend,
    judged,
    line,
    show,
    sky,
    step,
    supernova,
    unchanged,
)
from numpy.typing import NDArray

from spectraq.models.anomaly.judge import FLAG_RATE
from spectraq.models.anomaly.kinds import BY_NAME, INSTRUMENT, KINDS, SKY
from spectraq.models.anomaly.scores import Scores
from spectraq.models.grid.axis import N_PIXELS, WAVELENGTH

PLACES = np.arange(N_PIXELS)
Change = Callable[[Hosts, int, np.random.Generator], "Floats | None"]


def _level(hosts: Hosts, i: int) -> float:
    return float(np.median(np.abs(hosts.flux[i][hosts.used[i]])))


def _somewhere(hosts: Hosts, i: int, rng: np.random.Generator) -> int:
    return int(rng.choice(np.flatnonzero(hosts.used[i])[80:-80]))


def cosmic_ray(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """One to three pixels, 15 to 60 sigma in all, 2 % of the flux counted as noise."""
    at, pixels = _somewhere(hosts, i, rng), int(rng.choice([1, 2, 3], p=[0.4, 0.4, 0.2]))
    profile = np.zeros(N_PIXELS)
    profile[at : at + pixels] = rng.uniform(0.2, 1, pixels)
    ivar = hosts.ivar[i] / (1 + hosts.ivar[i] * (0.02 * _level(hosts, i)) ** 2)
    power = (profile**2 * ivar).sum()
    if power == 0:
        return None
    return hosts.flux[i] + rng.uniform(15, 60) / np.sqrt(power) * profile * hosts.used[i]


def dead_column(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """One to five pixels with nothing to a third of the flux left."""
    at, pixels = _somewhere(hosts, i, rng), int(rng.integers(1, 6))
    kept = np.ones(N_PIXELS)
    kept[at : at + pixels] = rng.uniform(0, 0.35)
    return hosts.flux[i] * kept


def constant_run(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Ten to a hundred pixels of the same value, zero or what came before, with the noise of others."""
    at, pixels = _somewhere(hosts, i, rng), int(rng.integers(10, 100))
    flux = hosts.flux[i].copy()
    flux[at : at + pixels] = rng.choice([0.0, flux[at]])
    return flux * hosts.used[i]


def fringing(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Waves of 4 to 15 % redward of 7000 Å, 25 to 90 Å long at 8500 Å, of a layer of constant thickness."""
    size, period = rng.uniform(0.04, 0.15), rng.uniform(25, 90)
    phase = 2 * np.pi * 8500**2 / period / WAVELENGTH + rng.uniform(0, 6.3)
    rise = np.clip((WAVELENGTH - 7000) / 1000, 0, 1)
    return hosts.flux[i] * (1 + size * rise * np.sin(phase))


def scattered_light(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Light that falls off from one end within 150 to 500 Å, 0.5 to 2 times the median flux there."""
    used = WAVELENGTH[hosts.used[i]]
    end = rng.choice([used[0], used[-1]])
    fall = np.exp(-np.abs(WAVELENGTH - end) / rng.uniform(150, 500))
    return hosts.flux[i] + rng.uniform(0.5, 2) * _level(hosts, i) * fall * hosts.used[i]


def flux_calibration(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """A smooth factor: two to four bends of 15 to 40 % in all of the range."""
    x = np.linspace(0, 1, N_PIXELS)
    bends, size = rng.uniform(2, 4), rng.uniform(0.15, 0.4)
    return hosts.flux[i] * (1 + size * np.sin(2 * np.pi * bends * x + rng.uniform(0, 6.3)))


def broken_end(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """The last 100 to 400 Å of an end rise to three times the flux, or fall to nothing."""
    used = WAVELENGTH[hosts.used[i]]
    end = rng.choice([used[0], used[-1]])
    near = np.clip(1 - np.abs(WAVELENGTH - end) / rng.uniform(100, 400), 0, 1)
    return hosts.flux[i] * (1 + rng.choice([-1.0, 2.0]) * near)


def negative_flux(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Too much sky taken off: blueward of a pixel the flux falls below zero by a third of its median."""
    used = WAVELENGTH[hosts.used[i]]
    to = used[0] + rng.uniform(300, 1000)
    share = np.clip((to - WAVELENGTH) / 200, 0, 1)
    return hosts.flux[i] - share * (hosts.model[i] + 0.33 * _level(hosts, i)) * hosts.used[i]


def repeated_values(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Every second to fifth pixel, repeated; or values in steps of a fifth of the median flux."""
    if rng.random() < 0.5:
        return np.repeat(hosts.flux[i][:: (n := int(rng.integers(2, 6)))], n)[:N_PIXELS] * hosts.used[i]
    unit = 0.2 * _level(hosts, i)
    return np.round(hosts.flux[i] / unit) * unit


def wrong_noise(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """Scatter of 2.5 to 5 times the noise that is stated."""
    sigma = 1 / np.sqrt(np.where(hosts.used[i], hosts.ivar[i], np.inf))
    return hosts.flux[i] + rng.uniform(2.3, 5) * sigma * rng.standard_normal(N_PIXELS)


def strong_line(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """An emission line as strong as the cosmic rays, one to four pixels wide (standard deviation)."""
    at, width = _somewhere(hosts, i, rng) + rng.uniform(-0.5, 0.5), rng.uniform(1.0, 4)
    profile = np.exp(-0.5 * ((PLACES - at) / width) ** 2)
    ivar = hosts.ivar[i] / (1 + hosts.ivar[i] * (0.02 * _level(hosts, i)) ** 2)
    power = (profile**2 * ivar).sum()
    if power == 0:
        return None
    return hosts.flux[i] + rng.uniform(15, 60) / np.sqrt(power) * profile * hosts.used[i]


def absorption_line(hosts: Hosts, i: int, rng: np.random.Generator) -> Floats | None:
    """An absorption line, one to four pixels wide, that takes 50 to 95 % of the light in its middle."""
    at, width = _somewhere(hosts, i, rng) + rng.uniform(-0.5, 0.5), rng.uniform(1.0, 4)
    profile = np.exp(-0.5 * ((PLACES - at) / width) ** 2)
    return hosts.flux[i] * (1 - rng.uniform(0.5, 0.95) * profile)


EVERY = 3
"""One host of so many gets each fault."""
WHOSE: dict[Change, str] = {
    unchanged: "",
    cosmic_ray: INSTRUMENT,
    dead_column: INSTRUMENT,
    constant_run: INSTRUMENT,
    fringing: INSTRUMENT,
    scattered_light: INSTRUMENT,
    flux_calibration: INSTRUMENT,
    broken_end: INSTRUMENT,
    negative_flux: INSTRUMENT,
    repeated_values: INSTRUMENT,
    wrong_noise: INSTRUMENT,
    step: INSTRUMENT,
    sky: INSTRUMENT,
    line: SKY,
    strong_line: SKY,
    absorption_line: SKY,
    supernova: SKY,
    blend: SKY,
}
"""What is put in, and whose doing it is."""


def changes() -> dict[Change, int]:
    """Return what is put in, those of `anomalies.CHANGES` into every host."""
    return {change: CHANGES.get(change, EVERY) for change in WHOSE}


@dataclass(frozen=True)
class Told:
    """What is told of spectra first: a kind and an origin, "" where they are not flagged."""

    kind: NDArray[np.str_]
    origin: NDArray[np.str_]

    @classmethod
    def of(cls, rates: Rates, scores: Scores) -> Told:
        """Return what `judge.told_of` would tell first."""
        first = rates.told.argmin(1)
        told = scores.told_as.numpy()[np.arange(len(first)), first]
        flagged = rates.overall < FLAG_RATE
        kinds = [BY_NAME[KINDS[k]] for k in told]
        return cls(
            np.where(flagged, [kind.told_as or kind.name for kind in kinds], ""),
            np.where(flagged, [kind.origin for kind in kinds], ""),
        )


def show_told(measured: Measured, found: Judged) -> None:
    """Print how many spectra of each change are flagged, and what they are told as."""
    for how, by_change in found.items():
        print(f"{how}: part flagged, part of these told with the right origin, and the kinds told first")
        for change, whose in WHOSE.items():
            name = change.__name__
            told = Told.of(by_change[name], measured.scores[name])
            flagged = told.kind != ""
            right = (told.origin[flagged] == whose).mean() if flagged.any() and whose else np.nan
            counted = Counter(told.kind[flagged].tolist()).most_common(6)
            listed = ", ".join(f"{kind} {count}" for kind, count in counted)
            print(
                f"   {name:16s} {len(flagged):4d} flagged {flagged.mean():.3f}  right {right:.2f}   {listed}"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, help="File that scores are kept in, and read from again.")
    options = parser.parse_args()
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    measured = Measured.kept(options.kept, changes())
    found = judged(measured)
    show(measured, found)
    show_told(measured, found)


if __name__ == "__main__":
    main()
