"""The steps that make every weight again: eigenspectra, mocks, members, temperature and cards.

Each step leaves a file, and a step whose file is there is not done again: an interrupted run goes on where it
was. Mocks and members are made side by side, one thread each.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import Any

import torch

from models.training import cards, dataset, eigenspectra, material
from models.training.dataset import Truth
from models.training.fit import Recipe, fit
from models.training.mocks import MockSky
from models.training.mocks.surveys import NoiseShapes

CHUNK = 60_000
"""Mocks of one seed, kept in one file."""
HELD_OUT = 3_000
"""The first mocks of the first seed: never trained on."""
WIDTHS = ((32, 48, 64, 96), (40, 56, 80, 112), (48, 64, 96, 128))
"""Channels of the first three members; later ones begin again. Networks that differ err differently."""
FIRST_MEMBER_SEED = 11
EIGENSPECTRA_SEED = 1

Report = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What to make, from what, and where."""

    data: Path
    out: Path
    mocks: int = 4 * CHUNK
    epochs: int = 9
    members: int = 3
    processes: int = 0  # 0: one a core

    def recipe(self, member: int) -> Recipe:
        """Say how a member (from 0) is trained."""
        return Recipe(FIRST_MEMBER_SEED + member, self.epochs, WIDTHS[member % len(WIDTHS)])

    def name(self, member: int) -> str:
        """Name a member (from 0) and its files."""
        return f"classifier-{member + 1}"

    @property
    def chunks(self) -> list[tuple[int, int, Path]]:
        """Seed, number and file of each chunk of mocks."""
        sizes = [min(CHUNK, self.mocks - start) for start in range(0, self.mocks, CHUNK)]
        return [(seed, n, self.out / f"mocks-{seed}.npz") for seed, n in enumerate(sizes, 1)]


@dataclass(frozen=True)
class Labelled:
    """Real spectra with trusted labels, as the networks see them; never trained on."""

    channels: torch.Tensor  # (n, 4, N_COARSE)
    truth: Truth


def draw_chunk(data: Path, shapes: NoiseShapes, seed: int, n: int, path: Path) -> None:
    """Draw the mocks of one seed into a file."""
    torch.set_num_threads(1)
    sky = MockSky(material.load(data), shapes, material.sky_lines(data), seed)
    dataset.generate(sky, n).save(path)


def train_member(plan: Plan, member: int, say: Any) -> None:
    """Train one member on all mocks but the held-out ones; `say` is a queue of lines for people."""
    torch.set_num_threads(1)
    channels, truth = dataset.mapped(plan.out)
    rows = slice(HELD_OUT, None)

    def report(name: str, epoch: int, loss: float, seconds: float) -> None:
        say.put(f"{name}: epoch {epoch} of {plan.epochs}, loss {loss:.4f}, {seconds:.0f} s")

    fit(plan.recipe(member), channels[rows], truth[rows], plan.out, plan.name(member), report)


def make_eigenspectra(plan: Plan, report: Report) -> None:
    """Learn the eigenspectra and write them with their card."""
    report("learning eigenspectra")
    bases = eigenspectra.learn_all(material.load(plan.data), seed=EIGENSPECTRA_SEED)
    eigenspectra.save(bases, plan.out, {"seed": EIGENSPECTRA_SEED})


def make_mocks(plan: Plan, shapes: NoiseShapes, report: Report) -> None:
    """Draw the chunks that are not there yet."""
    missing = [chunk for chunk in plan.chunks if not chunk[2].exists()]
    with _pool(plan) as pool:
        jobs = [pool.submit(draw_chunk, plan.data, shapes, *chunk) for chunk in missing]
        for job, (seed, n, _) in zip(jobs, missing, strict=True):
            job.result()
            report(f"mocks: {n} of seed {seed} drawn")
    if missing or not (plan.out / dataset.CHANNELS).exists():
        dataset.write_channels([path for _, _, path in plan.chunks], plan.out)


def make_members(plan: Plan, report: Report) -> None:
    """Train all members, each from its last checkpoint."""
    with multiprocessing.get_context("spawn").Manager() as manager, _pool(plan) as pool:
        lines = manager.Queue()
        jobs = [pool.submit(train_member, plan, member, lines) for member in range(plan.members)]
        _follow(jobs, lines, report)


def _follow(jobs: Sequence[Future[None]], lines: Any, report: Report) -> None:
    while True:
        finished = all(job.done() for job in jobs)
        try:
            while True:
                report(lines.get(timeout=0.5))
        except Empty:
            if finished:
                break
    for job in jobs:
        job.result()


def _pool(plan: Plan) -> ProcessPoolExecutor:
    # A forked torch may hang on locks that its parent's threads held.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(plan.processes or os.cpu_count(), mp_context=context)


def calibrate(plan: Plan, labelled: Labelled | None, report: Report) -> dict[str, Any]:
    """Find the temperature, measure everything, write the cards; returns the ensemble's card."""
    channels, truth = dataset.mapped(plan.out)
    rows = slice(0, HELD_OUT)
    samples: list[tuple[str, Iterable[torch.Tensor], Truth]] = [
        ("mocks", torch.split(channels[rows].float(), 500), truth[rows])
    ]
    if labelled is not None:
        samples.append(("labelled", [labelled.channels], labelled.truth))
    members = {plan.name(i): plan.recipe(i) for i in range(plan.members)}
    made_of = {
        "mocks": len(channels) - HELD_OUT,
        "mock_seeds": [seed for seed, _, _ in plan.chunks],
        "held_out": f"the first {HELD_OUT} of seed 1",
    }
    card = cards.write(plan.out, members, samples, made_of)
    report(f"temperature {card['temperature']}, class accuracy {card['figures']}")
    return card
