"""What the detector learns from: mocks with and without something put in, analysed as any spectrum is.

Half of the mocks are clean but for cosmic rays, half have all the faults that training mocks have, except
arms that do not meet: those are put in, with their name. Every second supernova is never put in, so that the
others can measure what the detector finds.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import nll_loss

from spectraq.models import shipped
from spectraq.models.anomaly import detector
from spectraq.models.anomaly.detector import Detector
from spectraq.models.anomaly.detector_input import N_EVIDENCE, N_PLANES
from spectraq.models.anomaly.judge import Scorer
from spectraq.models.anomaly.kinds import NOTHING, SEEN
from spectraq.models.anomaly.second_object import CompanionSearch
from spectraq.models.batch import BatchAnalyst
from spectraq.models.classes import CLASSES
from spectraq.models.grid.axis import N_COARSE
from spectraq.models.grid.prepare import Gridded
from spectraq.models.networks import weightfile
from spectraq.models.networks.ensemble import Ensemble
from spectraq.models.redshift import eigenspectra
from spectraq.models.training import material_file, supernovae
from spectraq.models.training.mocks import Mocks, MockSky
from spectraq.models.training.mocks.planted_anomalies import SHARES, Spoiled, Strangers
from spectraq.models.training.trainer import Recipe, Trainer

RECIPE = Recipe(41, 6, detector.WIDTHS, detector.HIDDEN, dropout=0.1)
BATCH, BLOCK = 512, 16
HELD_OUT = 3_000
"""The first examples: never trained on."""
CARD = "detector.json"
STRANGER_SEED = 1000


@dataclass(frozen=True)
class Examples:
    """What the detector sees of mocks, and what was put into them; n rows."""

    planes: np.memmap[Any, Any]  # (n, N_PLANES, N_COARSE) float16
    numbers: Tensor  # (n, N_EVIDENCE)
    kind: Tensor  # (n,) index into SEEN

    def __len__(self) -> int:
        return len(self.kind)

    def read(self, rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return planes, numbers and kinds of some rows."""
        planes = torch.from_numpy(self.planes[rows.numpy()].astype(np.float32))
        return planes, self.numbers[rows], self.kind[rows]


def draw(material: Path, weights: Path, seed: int, n: int, path: Path) -> None:
    """Draw n examples into PATH.npy and PATH.npz, whole or not at all; odd seeds are clean.

    Parameters
    ----------
    weights
        Folder of the networks and eigenspectra that analyse them.
    """
    torch.set_num_threads(1)
    made = material_file.load(material)
    taught = made.supernovae[::2]
    clean = seed % 2 == 1
    sky = MockSky(made.families, made.shapes, made.sky, seed, clean=clean, arm_steps=False)
    sky_lines = made.sky.numpy().astype(np.float64)
    strangers = Strangers(sky_lines, taught, supernovae.FIRST_COARSE, STRANGER_SEED + seed)
    cpu, bases = torch.device("cpu"), eigenspectra.load(weights)
    analyst = BatchAnalyst(Ensemble.load(weights), bases, cpu, BLOCK)
    scorer = Scorer(CompanionSearch(bases, supernovae.learn(taught), cpu), None, cpu)
    partial_path, done = path.with_suffix(".partial.npy"), 0
    planes = np.lib.format.open_memmap(partial_path, "w+", np.float16, (n, N_PLANES, N_COARSE))
    numbers, kinds = np.zeros((n, N_EVIDENCE), np.float32), np.zeros(n, np.int64)
    while done < n:
        mocks = sky.batch(BATCH)
        spoiled = strangers.spoil(mocks, cosmic_rays=clean)
        pictures, evidence, kind = _analysed(analyst, scorer, mocks, spoiled)
        rows, take = slice(done, min(done + len(kind), n)), min(len(kind), n - done)
        planes[rows], numbers[rows], kinds[rows] = pictures[:take], evidence[:take], kind[:take]
        done += take
    planes.flush()
    np.savez(path.with_suffix(".npz"), numbers=numbers, kind=kinds)
    partial_path.rename(path.with_suffix(".npy"))


def _analysed(
    analyst: BatchAnalyst, scorer: Scorer, mocks: Mocks, spoiled: Spoiled
) -> tuple[np.ndarray[Any, Any], ...]:
    """Show mocks as the detector will see them, without those that are normal but taken for another class."""
    rows = torch.from_numpy(np.flatnonzero(spoiled.kept))
    flux, estimated = torch.from_numpy(spoiled.flux).float(), torch.from_numpy(mocks.survey == "smoothed")
    gridded = Gridded.of_grid(flux[rows], mocks.ivar[rows], estimated[rows])
    with torch.inference_mode():
        analysis = analyst.analyze(gridded)
        parts = list(scorer.pictures(analysis, BLOCK))
    kind = spoiled.kind[spoiled.kept]
    right = np.array(CLASSES)[analysis.decision.spectype.numpy()] == mocks.spectype[spoiled.kept]
    told = right | (kind != SEEN.index(NOTHING))
    planes = torch.cat([planes for _, planes, _ in parts]).numpy()[told]
    numbers = torch.cat([numbers for _, _, numbers in parts]).numpy()[told]
    return planes.astype(np.float16), numbers, kind[told]


def opened(paths: list[Path]) -> list[Examples]:
    """Open files that `draw` wrote."""
    files = []
    for path in paths:
        with np.load(path.with_suffix(".npz")) as archive:
            numbers, kind = (torch.from_numpy(archive[name]) for name in ("numbers", "kind"))
        files.append(Examples(np.load(path.with_suffix(".npy"), mmap_mode="r"), numbers, kind))
    return files


def read(files: list[Examples], rows: Tensor) -> tuple[Tensor, ...]:
    """Return planes, numbers and kinds of rows counted through all files."""
    parts, start = [], 0
    for examples in files:
        in_file = rows[(rows >= start) & (rows < start + len(examples))] - start
        parts.append(examples.read(in_file))
        start += len(examples)
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))


def loss(network: Detector, files: list[Examples], rows: Tensor) -> Tensor:
    """Return the mean -ln p of what was put in."""
    planes, numbers, kind = (column.to(network.places.device) for column in read(files, rows + HELD_OUT))
    bfloat = planes.device.type == "cpu"
    with torch.autocast(planes.device.type, torch.bfloat16, enabled=bfloat):
        return nll_loss(network(planes, numbers), kind)


def prepared(folder: Path, files: list[Examples], device: str, deadline: float) -> tuple[Trainer, Any]:
    """Make the detector's trainer, from its checkpoint where there is one, and what saves its weights."""
    torch.manual_seed(RECIPE.seed)
    network = Detector(RECIPE.widths, RECIPE.hidden, RECIPE.dropout).to(device)
    n = sum(map(len, files)) - HELD_OUT
    checkpoint = folder / "detector.checkpoint"
    trainer = Trainer(RECIPE, network, partial(loss, network, files), n, checkpoint, deadline)
    return trainer, partial(network.save, folder / detector.FILE)


def write_card(folder: Path, files: list[Examples], seeds: list[int]) -> dict[str, Any]:
    """Measure the detector on the held-out examples and write its card.

    "found" is what part of each kind has higher odds than 99 % of those with nothing in them.
    """
    path = folder / detector.FILE
    network = Detector.load(path)
    with torch.inference_mode():
        planes, numbers, kind = read(files, torch.arange(HELD_OUT))
        blocks = zip(torch.split(planes, 500), torch.split(numbers, 500), strict=True)
        log_probability = torch.cat([network(*block) for block in blocks])
    odds = detector.odds(log_probability)
    limit = torch.quantile(odds[kind == SEEN.index(NOTHING)], 0.99)
    recall = {name: round(float((odds[kind == k] > limit).float().mean()), 3) for k, name in enumerate(SEEN)}
    card = {
        "what": "Picture of what the fit leaves to probabilities of what is strange in a spectrum.",
        "weights": path.name,
        "sha256": shipped.digest_of(path),
        "parameters": sum(t.numel() for t in weightfile.tensors_of(path).values()),
        "recipe": asdict(RECIPE),
        "trained_on": {"examples": sum(map(len, files)) - HELD_OUT, "seeds": seeds, "shares": SHARES},
        "figures": {
            "held_out": HELD_OUT,
            "loss": round(float(nll_loss(log_probability, kind)), 4),
            "found": recall,
        },
        "again": "spectraq train --data DATA --out OUT --only detector",
    }
    (folder / CARD).write_text(json.dumps(card, indent=1) + "\n")
    return card
