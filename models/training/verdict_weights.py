"""Learn from verdicts which flags are worth a look, and see on held-out verdicts whether that helps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectraq.models.ranking import (
    FORMAT,
    INSTRUMENT,
    INSTRUMENT_DECADES,
    NO_VERDICTS,
    Flagged,
    VerdictWeights,
    interest,
)

FILE = "ranking.json"
PRECISION = 5.0
"""Of the Gaussian prior on every weight, in 1/nat^2: as twenty verdicts at even odds, so that ten, all of the
same word, move their kind, origin and survey together by less than half a decade."""
STEPS = 50
LEAST_JUDGED, LEAST_OF_EACH = 60, 10
"""Judged spectra, and of these interesting ones and others: with fewer, halves say nothing."""
SPLITS = 20
TOP = 20
SEED = 5
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Gain:
    """Mean over random halves, each ordered without verdicts, and with what the other half teaches.

    Attributes
    ----------
    precision, average_precision
        Of the first `TOP`, and of the whole order; (before, after).
    scatter
        Standard deviation over halves of what average precision gains.
    """

    precision: tuple[float, float]
    average_precision: tuple[float, float]
    scatter: float

    @property
    def better(self) -> bool:
        """Whether the mean order is better."""
        return self.average_precision[1] > self.average_precision[0]


def learn(flagged: Sequence[Flagged], interesting: NDArray[np.bool_]) -> VerdictWeights:
    """Return the weights of a penalised logistic regression of "interesting" on origin, kind and survey.

    Parameters
    ----------
    flagged
        n judged spectra.
    interesting
        What people said, (n,).
    """
    names = [_features(one) for one in flagged]
    columns = {name: i for i, name in enumerate(sorted({name for row in names for name in row}))}
    design = np.zeros((len(names), len(columns)))
    for i, row in enumerate(names):
        design[i, [columns[name] for name in row]] = 1
    expected = np.array([_expected(name) for name in columns])
    decades = _fitted(design, interesting.astype(np.float64), expected) / np.log(10)
    tables: dict[str, dict[str, float]] = {
        "origin": {INSTRUMENT: INSTRUMENT_DECADES},
        "kind": {},
        "survey": {},
    }
    for (table, name), column in columns.items():
        tables[table][name] = round(float(decades[column]), 4)
    return VerdictWeights(tables["origin"], tables["kind"], tables["survey"])


def _features(flagged: Flagged) -> list[tuple[str, str]]:
    own = [("origin", flagged.origin), ("kind", flagged.kind)]
    return [*own, ("survey", flagged.survey)] if flagged.survey else own


def _expected(feature: tuple[str, str]) -> float:
    """Return a weight before any verdict, in nats."""
    return INSTRUMENT_DECADES * float(np.log(10)) if feature == ("origin", INSTRUMENT) else 0.0


def _fitted(design: Floats, target: Floats, expected: Floats) -> Floats:
    """Return the most probable weights in nats, by Newton's method; the intercept has hardly any prior."""
    x = np.hstack([np.ones((len(design), 1)), design])
    prior = np.concatenate([[1e-3], np.full(design.shape[1], PRECISION)])
    mean = np.concatenate([[0.0], expected])
    weights = mean.copy()
    for _ in range(STEPS):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -30, 30)))
        slope = x.T @ (target - p) - prior * (weights - mean)
        step = np.linalg.solve((x.T * (p * (1 - p))) @ x + np.diag(prior), slope)
        weights = weights + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-8:
            break
    return weights[1:]


def gain(flagged: Sequence[Flagged], interesting: NDArray[np.bool_], counts: Mapping[str, int]) -> Gain:
    """Return what verdicts of one half do for the order of the other, over `SPLITS` random halves.

    Parameters
    ----------
    flagged, interesting
        As of `learn`.
    counts
        As of `interest`.
    """
    rng = np.random.default_rng(SEED)
    figures = []
    for _ in range(SPLITS):
        order = rng.permutation(len(flagged))
        taught, held = order[::2], order[1::2]
        weights = learn([flagged[i] for i in taught], interesting[taught])
        judged = [flagged[i] for i in held]
        figures.append(
            [
                measured(np.array([interest(one, counts, known) for one in judged]), interesting[held])
                for known in (NO_VERDICTS, weights)
            ]
        )
    table = np.array(figures)  # (split, before or after, which figure)
    (before, after), gained = table.mean(0), table[:, 1, 1] - table[:, 0, 1]
    return Gain((float(before[0]), float(after[0])), (float(before[1]), float(after[1])), float(gained.std()))


def measured(order: Floats, interesting: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the precision of the first `TOP`, and the average precision, of an order by falling numbers.

    Parameters
    ----------
    order
        Numbers, (n,).
    interesting
        What people said, (n,).
    """
    hits = interesting[np.argsort(-order, kind="stable")]
    if not hits.any():
        return 0.0, 0.0
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    return float(hits[:TOP].mean()), float(precision[hits].mean())


def make(
    flagged: Sequence[Flagged], interesting: Sequence[bool], counts: Mapping[str, int], out: Path
) -> dict[str, Any]:
    """Learn from all verdicts, and write the weights where held-out verdicts say that they help.

    Returns
    -------
    card
        The file's content, and "better": whether it was written.

    Raises
    ------
    ValueError
        Where there are too few verdicts.
    """
    said = np.array(interesting, dtype=bool)
    few = min(int(said.sum()), int((~said).sum()))
    if len(said) < LEAST_JUDGED or few < LEAST_OF_EACH:
        raise ValueError(
            f"{len(said)} flagged spectra with a verdict, {int(said.sum())} of them interesting, are too "
            f"few: at least {LEAST_JUDGED} are needed, {LEAST_OF_EACH} of them interesting and "
            f"{LEAST_OF_EACH} not"
        )
    found, weights = gain(flagged, said, counts), learn(flagged, said)
    card = {
        "format": FORMAT,
        "what": "What verdicts add to the interest of a flag, in decades, by origin, kind and survey.",
        "learned_from": {
            "judged": len(said),
            "interesting": int(said.sum()),
            "by_kind": dict(Counter(one.kind for one in flagged).most_common()),
        },
        "held_out": {
            "halves": SPLITS,
            f"precision_of_{TOP}": _before_after(found.precision),
            "average_precision": _before_after(found.average_precision),
            "scatter_of_the_gain": round(found.scatter, 4),
        },
        "origins": dict(weights.origins),
        "kinds": dict(weights.kinds),
        "surveys": dict(weights.surveys),
        "again": "spectraq train --from-verdicts FILE --out OUT",
    }
    if found.better:
        out.mkdir(parents=True, exist_ok=True)
        (out / FILE).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return card | {"better": found.better}


def _before_after(pair: tuple[float, float]) -> dict[str, float]:
    return {"before": round(pair[0], 4), "after": round(pair[1], 4)}
