"""Learn how much two spectra of an unchanged object differ: from real repeats, and galaxies observed twice.

Only quantiles are learned, and how much flux calibrations differ; no network is trained on a flux.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.models.anomaly.supernovae import Supernovae
from spectraq.models.change.compare import FILE, FLAG_RATE, Comparison
from spectraq.models.change.epoch import Epoch, Floats
from spectraq.models.change.evidence import PairEvidence, measured
from spectraq.models.change.light import KnownSupernova
from spectraq.models.change.null import Null
from spectraq.models.change.pair import paired
from spectraq.models.change.response import TERMS, UNKNOWN, Calibration, calibrations, instruments
from spectraq.models.grid.axis import N_PIXELS
from spectraq.models.training import supernovae

LEAST_SNR = 5.0
"""Of spectra that tell how much calibrations differ."""
WIDE = Calibration(np.concatenate([[0.5, 0.5], np.full(TERMS - 2, 0.3)]))
"""What responses are first fitted with, before it is known how much they differ."""
LEAST_SPREAD = 0.01
ONE_SIGMA = 0.683
FOLDS = 5
NAME = re.compile(r"sn(?P<name>\w+)\.(?P<sign>[mpu])(?P<days>\d+)")
"""Of a file of a supernova: m and p are days before and after maximum light, u those of an unsure maximum."""
MOCK_SEED = 5


@dataclass(frozen=True, slots=True)
class Repeat:
    """Two spectra of one object."""

    earlier: Epoch
    newer: Epoch
    object: str  # the same for all pairs of one
    real: bool = True

    @property
    def instruments(self) -> str:
        """What their calibration depends on."""
        return instruments(self.earlier.survey, self.newer.survey)


def make(
    folder: Path, name: str, repeats: Sequence[Repeat], galaxies: Sequence[Epoch], files: Sequence[Path]
) -> dict[str, Any]:
    """Learn the card from unchanged pairs, write it into a folder and return it.

    Parameters
    ----------
    folder
        With the eigenspectra of supernovae.
    name
        Of the sample.
    repeats
        Real pairs.
    galaxies
        Real galaxies that were observed once: they are observed again as mocks.
    files
        Spectra of supernovae, as of `supernovae.files`.
    """
    shapes = Supernovae.load(folder)
    spreads = response_spreads(repeats)
    pairs = [*repeats, *observed_again(galaxies, repeats, spreads)]
    card = learn(name, pairs, spreads, shapes, known_supernovae(files, shapes))
    (folder / FILE).write_text(json.dumps(card, indent=1) + "\n")
    return card


def learn(
    name: str,
    pairs: Sequence[Repeat],
    spreads: dict[str, Floats],
    shapes: Supernovae,
    known: Sequence[KnownSupernova],
) -> dict[str, Any]:
    """Return the card that unchanged pairs teach.

    Parameters
    ----------
    spreads
        As of `response_spreads`.
    """
    allowed = calibrations(spreads)
    found = [measured(pair.earlier, pair.newer, allowed[pair.instruments], shapes, known) for pair in pairs]
    null = null_of(found)
    real = np.array([pair.real for pair in pairs])
    apart = sum(pair.earlier.spectype != pair.newer.spectype for pair in pairs if pair.real)
    card = {
        "what": "How much two spectra of an unchanged object differ: standard deviations of the logarithm of "
        "the response's polynomials by instrument; median, 85 % and the tail's scale of each test's "
        "statistic by class; and observed supernovae as sums of the eigenspectra.",
        "name": name,
        "again": "spectraq train --data DATA --out OUT --only changes",
        "pairs": {"real": int(real.sum()), "mock": int((~real).sum())},
        "nominal_rate": FLAG_RATE,
        "response": {key: [round(float(one), 4) for one in spread] for key, spread in spreads.items()},
        "answer_rate": round((apart + 1) / (int(real.sum()) + 1), 5),
        "tails": {
            spectype: {
                test: [round(tail.median, 3), round(tail.bulk, 3), round(tail.scale, 3)]
                for test, tail in tails.items()
            }
            for spectype, tails in null.tails.items()
        },
        "supernovae": [
            asdict(one) | {"coefficients": [round(c, 4) for c in one.coefficients]} for one in known
        ],
    }
    flagged = left_out_in_turn(Comparison.of(card, shapes), pairs, found)
    rate = {"real": flagged[real], "mock": flagged[~real]}
    return card | {
        "flagged_of_left_out": {which: round(float(f.mean()), 4) for which, f in rate.items() if f.size}
    }


def null_of(found: Sequence[PairEvidence]) -> Null:
    """Return how the statistics of unchanged pairs are distributed."""
    return Null.learn([one.spectype for one in found], [one.strengths() for one in found])


def left_out_in_turn(
    comparison: Comparison, pairs: Sequence[Repeat], found: Sequence[PairEvidence]
) -> NDArray[np.bool_]:
    """Return which pairs are flagged by what other objects teach, a fifth left out in turn; (n,)."""
    fold = folds(pairs)
    flagged = np.zeros(len(pairs), bool)
    for number in range(FOLDS):
        others = null_of([one for one, f in zip(found, fold, strict=True) if f != number])
        apart = replace(comparison, null=others)
        for i in np.flatnonzero(fold == number).tolist():
            flagged[i] = apart.judged(found[i], pairs[i].earlier, pairs[i].newer).changed
    return flagged


def folds(pairs: Sequence[Repeat]) -> NDArray[np.int64]:
    """Return the fold of each pair, (n,): those of one object share theirs."""
    order = {name: i for i, name in enumerate(dict.fromkeys(pair.object for pair in pairs))}
    return np.array([order[pair.object] % FOLDS for pair in pairs])


def response_spreads(repeats: Sequence[Repeat]) -> dict[str, Floats]:
    """Return how large the response's coefficients are by instrument, of unknown ones the largest."""
    found: dict[str, list[Floats]] = {}
    for pair in repeats:
        if min(pair.earlier.snr, pair.newer.snr) > LEAST_SNR:
            found.setdefault(pair.instruments, []).append(paired(pair.earlier, pair.newer, WIDE).coefficients)
    spreads = {
        name: np.quantile(np.abs(rows), ONE_SIGMA, axis=0).clip(LEAST_SPREAD) for name, rows in found.items()
    }
    spreads[UNKNOWN] = np.max(list(spreads.values()), axis=0)
    return spreads


def observed_again(
    galaxies: Sequence[Epoch], repeats: Sequence[Repeat], spreads: dict[str, Floats]
) -> list[Repeat]:
    """Return galaxies with a second spectrum: their model, a response of real pairs, new noise."""
    rng = np.random.default_rng(MOCK_SEED)
    allowed = calibrations(spreads)
    seen = [
        paired(pair.earlier, pair.newer, allowed[pair.instruments]).coefficients
        for pair in repeats
        if pair.instruments == "sdss" and min(pair.earlier.snr, pair.newer.snr) > LEAST_SNR
    ]
    pairs = []
    for number, galaxy in enumerate(galaxies):
        used = galaxy.ivar > 0
        response = np.exp(seen[rng.integers(len(seen))] @ Calibration.polynomials(used))
        sigma = 1 / np.sqrt(np.where(used, galaxy.ivar, 1.0))
        flux = np.where(used, galaxy.model * response + sigma * rng.standard_normal(N_PIXELS), 0.0)
        again = replace(galaxy, flux=flux, model=galaxy.model * response)
        pairs.append(Repeat(galaxy, again, f"mock-{number}", real=False))
    return pairs


def known_supernovae(files: Sequence[Path], shapes: Supernovae) -> list[KnownSupernova]:
    """Return observed supernovae as sums of eigenspectra."""
    basis = shapes.flux.double().numpy()
    known = []
    for path, flux in zip(files, supernovae.read(files), strict=True):
        match = NAME.match(path.name)
        if match is None:
            continue
        seen = np.isfinite(flux)
        own = flux[seen] / np.nanmedian(np.abs(flux))
        coefficients = np.linalg.solve(
            basis[:, seen] @ basis[:, seen].T + 1e-3 * np.eye(len(basis)), basis[:, seen] @ own
        )
        days = float(match["days"]) * (-1 if match["sign"] == "m" else 1)
        known.append(KnownSupernova(match["name"], path.parent.name, days, tuple(coefficients.tolist())))
    return known
