"""What the order of the strangest is worth on spectra of known strangeness, and what verdicts add to it.

The spectra, and what is put into them, are those of `benchmarks/anomalies.py`. A night is drawn from them:
most spectra are as they are, into some a fault or a stranger is put. The verdict on what is flagged follows
a rule: a line, a supernova or a second object put in is interesting, a step or sky lines are the instrument's
fault, a flag on an unchanged spectrum is nothing. Half of the spectra teach, the other half is ordered: by
score, by interest without verdicts, and with the verdicts of the first half.
Run as `python benchmarks/ranking.py --kept FILE`; FILE as of `benchmarks/anomalies.py`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from anomalies import ADAPTED, ALONE, DATA, Judged, Measured, blend, judged, line, supernova, unchanged
from numpy.typing import NDArray

from spectraq.models.anomaly.judge import FLAG_RATE, sigma_of
from spectraq.models.anomaly.kinds import BY_NAME, KINDS
from spectraq.models.ranking import NO_VERDICTS, FlaggedSpectrum, interest
from spectraq.models.training.verdict_weights import TOP, learn, measured

INTERESTING = {change.__name__ for change in (line, supernova, blend)}
NIGHTS = 200
HUNDREDTHS = (2, 5, 10)
"""Of the spectra of a night, that each change is put into."""
SEED = 3


@dataclass(frozen=True)
class Flag:
    """A flagged spectrum, its score, and whether it is interesting by the rule."""

    host: int
    change: str
    score: float
    flagged: FlaggedSpectrum

    @property
    def interesting(self) -> bool:
        """What the rule says."""
        return self.change in INTERESTING


def flags(kept: Measured, found: Judged, how: str) -> dict[tuple[int, str], Flag]:
    """Return everything that is flagged, by host and change."""
    every = {}
    for change, rates in found[how].items():
        for place in np.flatnonzero(rates.overall < FLAG_RATE):
            host, kind = int(kept.rows[change][place]), KINDS[int(rates.told[place].argmin())]
            sigma = sigma_of(float(rates.told[place].min()))
            spectrum = FlaggedSpectrum(
                kind, BY_NAME[kind].origin, sigma, float(kept.snr[host]), str(kept.source[host])
            )
            every[host, change] = Flag(host, change, -np.log10(rates.overall[place]), spectrum)
    return every


def night(
    kept: Measured,
    every: dict[tuple[int, str], Flag],
    hosts: NDArray[np.int64],
    share: float,
    rng: np.random.Generator,
) -> list[Flag]:
    """Return what is flagged of some hosts, each with one change or none."""
    changes = [change for change in kept.rows if change != unchanged.__name__]
    chance = [1 - share * len(changes), *[share] * len(changes)]
    drawn = rng.choice([unchanged.__name__, *changes], len(hosts), p=chance)
    return [every[key] for key in zip(hosts.tolist(), drawn.tolist(), strict=True) if key in every]


def measure(kept: Measured, every: dict[tuple[int, str], Flag], share: float) -> None:
    """Print precision of the first `TOP` and average precision, over many nights and halves."""
    rng = np.random.default_rng(SEED)
    figures, sizes = [], []
    for _ in range(NIGHTS):
        hosts = rng.permutation(len(kept.snr))
        taught, held = (night(kept, every, half, share, rng) for half in (hosts[::2], hosts[1::2]))
        counts = Counter(flag.flagged.kind for flag in held)
        said = np.array([flag.interesting for flag in held])
        weights = learn([f.flagged for f in taught], np.array([f.interesting for f in taught]))
        orders = [
            [flag.score for flag in held],
            *([interest(flag.flagged, counts, known) for flag in held] for known in (NO_VERDICTS, weights)),
        ]
        figures.append([measured(np.array(order), said) for order in orders])
        sizes.append((len(taught), len(held), said.mean()))
    mean, error = np.mean(figures, 0), np.std(figures, 0) / np.sqrt(NIGHTS)
    taught_n, held_n, part = np.mean(sizes, 0)
    print(
        f"  {share:.0%} each: {taught_n:.0f} verdicts teach, {held_n:.0f} flags ordered, "
        f"{part:.2f} interesting"
    )
    for name, values, errors in zip(("score", "interest", "verdicts"), mean, error, strict=True):
        print(
            f"    by {name:9s} precision of {TOP} {values[0]:.3f} +- {errors[0]:.3f}, "
            f"average precision {values[1]:.3f} +- {errors[1]:.3f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path, help="File that scores are kept in, and read from again.")
    options = parser.parse_args()
    if not (DATA / "spectra/INDEX.csv").exists():
        print("no real spectra beside the checkout: nothing to measure on")
        return
    kept = Measured.kept(options.kept)
    found = judged(kept)
    for how in (ALONE, ADAPTED):
        print(how)
        every = flags(kept, found, how)
        for hundredths in HUNDREDTHS:
            measure(kept, every, hundredths / 100)


if __name__ == "__main__":
    main()
