"""Learn what the noise that a survey states leaves out, from what the final fit leaves of its bright stars.

Only stars whose eigenspectra follow them are asked: what is left of an M dwarf is its model's.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.batch import BatchAnalysis, BatchAnalyst
from spectraq.models.classes import STAR_TYPES
from spectraq.models.decision.decide import STAR
from spectraq.models.final_fit import details
from spectraq.models.final_fit.fit import final_fit
from spectraq.models.grid.prepare import grid_batch
from spectraq.models.grid.survey_noise import FILE, N_STRETCHES, STRETCH
from spectraq.models.grid.surveys import SURVEYS, survey_index
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.observation import Observation
from spectraq.models.redshift import eigenspectra
from spectraq.models.training.measure.normal_spectra import answered_right

Floats = NDArray[np.float64]
LEAST_SNR = 20.0
LEAST_SPECTRA = 100
"""Of a survey, and a third of it in a stretch: fewer can't tell a factor from a floor."""
FOLLOWED = tuple(STAR_TYPES.index(name) for name in ("A", "F", "G", "K"))
NORMAL_MEDIAN_SQUARE = 0.455
"""Median of the square of a normal variable: what a variance is taken from, so that lines don't count."""
FACTORS = np.geomspace(1.0, 6.0, 37)
FLOORS = np.concatenate([[0.0], np.geomspace(0.003, 0.5, 42)])
BATCH = 48


def make(
    folder: Path, spectra: Sequence[Observation], spectype: Sequence[str], z: Floats, without: dict[str, str]
) -> dict[str, Any]:
    """Learn the card from real spectra that a folder's networks answer right, write it there and return it.

    Parameters
    ----------
    folder
        Of networks, eigenspectra and details.
    spectra, spectype, z
        Spectra with labels that are trusted and a noise of their own.
    without
        Spectra that were left out, and why.
    """
    known: dict[str, list[tuple[Floats, Floats]]] = {survey: [] for survey in SURVEYS}
    analyst = BatchAnalyst(Ensemble.load(folder), eigenspectra.load(folder), torch.device("cpu"))
    for start in range(0, len(spectra), BATCH):
        part = slice(start, start + BATCH)
        for row, variances in _left(analyst, folder, spectra[part], spectype[part], z[part]):
            survey = survey_index(spectra[start + row].survey)
            if survey < len(SURVEYS):
                known[SURVEYS[survey]].append(variances)
    surveys = {name: of_spectra(rows) for name, rows in known.items() if len(rows) >= LEAST_SPECTRA}
    card = {
        "what": "By survey: a factor on the stated standard deviation, and a floor in units of the local "
        f"flux, in stretches of {STRETCH} pixels from 3600 Å on.",
        "spectra": dict(Counter({name: len(rows) for name, rows in known.items()})),
        "of": f"stars of types {', '.join(STAR_TYPES[i] for i in FOLLOWED)} above S/N {LEAST_SNR:.0f}; "
        f"surveys with fewer than {LEAST_SPECTRA} are believed",
        "without": without,
        "again": "spectraq train --data DATA --out OUT --only survey-noise",
        "surveys": surveys,
    }
    (folder / FILE).write_text(json.dumps(card, indent=1) + "\n")
    return card


def _left(
    analyst: BatchAnalyst, folder: Path, spectra: Sequence[Observation], spectype: Sequence[str], z: Floats
) -> list[tuple[int, tuple[Floats, Floats]]]:
    """Return rows of bright stars that are answered right, with what the final fit leaves of them."""
    with torch.inference_mode():
        analysis = analyst.analyze(grid_batch(spectra), everything=True)
        bright = (analysis.prepared.snr > LEAST_SNR).numpy() & answered_right(analysis, spectype, z)
        kind = analysis.candidates[STAR].basis[:, 0].numpy()
        star = (analysis.decision.spectype == STAR).numpy() & np.isin(kind, FOLLOWED)
        if not (bright & star).any():
            return []
        model = final_fit(analysis, details.load(folder)).model
    return [(int(row), variances(analysis, model, int(row))) for row in np.flatnonzero(bright & star)]


def variances(analysis: BatchAnalysis, model: torch.Tensor, row: int) -> tuple[Floats, Floats]:
    """Return the variance that is left, and the stated one, in units of the local flux squared.

    Returns
    -------
    left, stated
        Shape (N_STRETCHES,) each, NaN where a stretch has few pixels.
    """
    ivar = analysis.prepared.noise_ivar[row].double().numpy().reshape(N_STRETCHES, STRETCH)
    level = analysis.prepared.level[row].double().numpy().reshape(N_STRETCHES, -1).mean(1, keepdims=True)
    off = (analysis.prepared.flux[row] - model[row]).double().numpy().reshape(N_STRETCHES, STRETCH) / level
    used = ivar > 0
    few = used.sum(1) < STRETCH // 2
    with np.errstate(divide="ignore"):
        own = np.where(used, 1 / ivar, np.nan) / level**2
    square = np.where(used, off**2, np.nan)
    square[few], own[few] = 0.0, 0.0
    left = np.nanmedian(square, 1) / NORMAL_MEDIAN_SQUARE
    return np.where(few, np.nan, left), np.where(few, np.nan, np.nanmedian(own, 1))


def of_spectra(rows: Sequence[tuple[Floats, Floats]]) -> dict[str, list[float]]:
    """Return the factor and the floor of each stretch with the least absolute deviation in log variance.

    A stretch that too few spectra have has the factor and the floor of its nearest neighbour.

    Parameters
    ----------
    rows
        As of `variances`, one for each spectrum.
    """
    left, stated = (np.array(column) for column in zip(*rows, strict=True))
    expected = FACTORS[:, None] ** 2, FLOORS[None, :] ** 2
    factor, floor = np.full(N_STRETCHES, np.nan), np.full(N_STRETCHES, np.nan)
    for stretch in range(N_STRETCHES):
        seen = np.isfinite(left[:, stretch]) & (left[:, stretch] > 0)
        if seen.sum() < LEAST_SPECTRA // 3:
            continue
        variance = expected[0] * stated[seen, stretch][:, None, None] + expected[1]
        off = np.abs(np.log(left[seen, stretch])[:, None, None] - np.log(variance)).sum(0)
        i, j = np.unravel_index(int(off.argmin()), off.shape)
        factor[stretch], floor[stretch] = FACTORS[i], FLOORS[j]
    known = np.flatnonzero(np.isfinite(factor))
    nearest = known[np.abs(np.arange(N_STRETCHES)[:, None] - known).argmin(1)]
    return {"factor": factor[nearest].round(3).tolist(), "floor": floor[nearest].round(4).tolist()}
