"""The steps that make every weight again: eigenspectra, details, mocks, members, temperature and cards.

Each step leaves a file, and a step whose file is there is not done again: an interrupted run goes on where it
was. Mocks and members are made side by side, one thread each; on a GPU members are trained one after another.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectraq.models.grid.prepare import Gridded
from spectraq.models.observation import Observation
from spectraq.models.processes import cpus
from spectraq.models.training import material_file, recipes
from spectraq.models.training.measure import cards
from spectraq.models.training.mocks import MockSky, coarse_files, full_files
from spectraq.models.training.mocks.coarse_files import Truth
from spectraq.models.training.recipes import ENCODER, UNET, Site
from spectraq.models.training.trainer import OutOfTime, Recipe, fit

CHUNK = 60_000
"""Mocks of one seed, kept in one file."""
EXPOSURE_CHUNK = 30_000
FIRST_EXPOSURE_SEED = 31
HELD_OUT = 3_000
"""The first mocks of the first seed: never trained on."""
EXAMPLE_CHUNK = 25_000
FIRST_EXAMPLE_SEED = 51
EIGENSPECTRA_SEED = 1
ERROR_MOCKS = 3072
"""Mocks that the card of error bars compares with."""

Report = Callable[[str], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Plan:
    """What to make, and where."""

    out: Path
    mocks: int = 8 * CHUNK
    exposures: int = 4 * EXPOSURE_CHUNK
    examples: int = 8 * EXAMPLE_CHUNK
    epochs: int = 6
    classifiers: int = 3
    processes: int = 0  # 0: one a core
    device: str = "cpu"
    deadline: float = field(default=float("inf"))  # of time.monotonic()
    reconstruction_epochs: int | None = None  # None: as the recipes say
    library: Path | None = None  # of MILES

    @property
    def material(self) -> Path:
        """Return the packed templates, noise and sky."""
        return self.out / "material.npz"

    @property
    def side_by_side(self) -> int:
        """Return how many processes work at once, one thread each."""
        return self.processes or cpus.available()

    @property
    def members(self) -> dict[str, Recipe]:
        """Return how every member is trained, by name."""
        return recipes.members(self.classifiers, self.epochs, self.reconstruction_epochs)

    @property
    def chunks(self) -> list[tuple[int, int, Path]]:
        """Return the seed, number and file of each chunk of mocks."""
        sizes = _sizes(self.mocks, CHUNK)
        return [(seed, n, self.out / f"mocks-{seed}.npz") for seed, n in enumerate(sizes, 1)]

    @property
    def exposure_chunks(self) -> list[tuple[int, int, Path]]:
        """Return the same of the mocks at full resolution."""
        sizes = _sizes(self.exposures, EXPOSURE_CHUNK)
        first = FIRST_EXPOSURE_SEED
        return [(seed, n, self.out / f"exposures-{seed}.npy") for seed, n in enumerate(sizes, first)]

    @property
    def example_chunks(self) -> list[tuple[int, int, Path]]:
        """Return the same of the detector's examples."""
        sizes = _sizes(self.examples, EXAMPLE_CHUNK)
        return [
            (seed, n, self.out / f"examples-{seed}.npy") for seed, n in enumerate(sizes, FIRST_EXAMPLE_SEED)
        ]


def _sizes(n: int, chunk: int) -> list[int]:
    """Cut n into chunks."""
    return [min(chunk, n - start) for start in range(0, n, chunk)]


@dataclass(frozen=True)
class Labelled:
    """Real spectra with trusted labels, as the networks see them; never trained on."""

    channels: torch.Tensor  # (n, 4, N_COARSE)
    truth: Truth


def draw_chunk(material: Path, seed: int, n: int, path: Path) -> None:
    """Draw the mocks of one seed into a file, on coarse pixels or (.npy) at full resolution."""
    torch.set_num_threads(1)
    made = material_file.load(material)
    sky = MockSky(made.families, made.shapes, made.sky, seed)
    if path.suffix == ".npy":
        full_files.draw(sky, n, path)
    else:
        coarse_files.generate(sky, n).save(path)


def train_member(plan: Plan, name: str, say: Any) -> None:
    """Train one member on all mocks but the held-out ones; `say` is a queue of lines for people."""
    torch.set_num_threads(1)
    recipe = plan.members[name]
    files = [path for _, _, path in plan.exposure_chunks]
    site = Site(plan.out, plan.material, files, HELD_OUT, plan.device, plan.deadline)
    member = recipes.prepare(name, recipe, site)

    def report(name: str, epoch: int, loss: float, seconds: float) -> None:
        say.put(f"{name}: epoch {epoch} of {recipe.epochs}, loss {loss:.4f}, {seconds:.0f} s")

    def save() -> None:
        try:
            member.save()
        except ModuleNotFoundError:
            say.put(f"{name}: no safetensors on this machine, the checkpoint holds the weights")

    try:
        fit(member.trainer, save, name, report)
    except OutOfTime as stopped:
        say.put(f"{stopped}: time is over, the checkpoint is kept")
        return
    if not (plan.out / f"{name}.safetensors").exists():
        save()


def make_eigenspectra(plan: Plan, report: Report) -> None:
    """Learn the eigenspectra and write them with their card."""
    from spectraq.models.training import eigenspectra

    report("learning eigenspectra")
    bases = eigenspectra.learn_all(material_file.load(plan.material).families, seed=EIGENSPECTRA_SEED)
    eigenspectra.save(bases, plan.out, {"seed": EIGENSPECTRA_SEED})


def make_details(plan: Plan, report: Report) -> None:
    """Learn what eigenspectra leave of the templates, and write it with its card."""
    from spectraq.models.redshift import eigenspectra
    from spectraq.models.training import details

    report("learning details")
    families = material_file.load(plan.material).families
    details.save(details.learn_all(families, eigenspectra.load(plan.out)), plan.out)


def make_populations(plan: Plan, report: Report) -> None:
    """Learn stellar populations without lines, and write them with their card."""
    from spectraq.models.training import populations

    report("learning stellar populations")
    populations.save(populations.learn_all(material_file.load(plan.material).families), plan.out)


def make_stellar_parameters(plan: Plan, data: Path, library: Path, report: Report) -> None:
    """Calibrate the parameters of stars on a library, and write them with their card.

    Parameters
    ----------
    data
        With Indo-US's stars, which are kept out and judged by.
    library
        Folder of MILES, and of STELIB where it is to be judged by, too.

    Raises
    ------
    FileNotFoundError
        Where the library is not there.
    """
    from spectraq.models.training import stellar_parameters
    from spectraq.models.training.material import miles
    from spectraq.models.training.measure import known_parameters as known

    report("calibrating stellar parameters")
    kept_out = {star.name for star in known.stars(known.INDO_US, data)}
    stars = stellar_parameters.usable(miles.load(library), kept_out)
    functions, answers = stellar_parameters.calibrate(stars)
    for source, folder in ((known.INDO_US, data), (known.STELIB, library)):
        said = known.answered(functions, known.stars(source, folder), set(stars.names))
        answers |= {} if said is None else {source: said}
    figures = known.figures(answers)
    stellar_parameters.save(functions, stars.names, plan.out, figures)
    report(f"stellar parameters: {figures}")


def make_sharp_stars(plan: Plan, data: Path, report: Report) -> None:
    """Pick model spectra of stars that rotation is measured with, and write them with their card."""
    from spectraq.models.training import rotation

    report("picking sharp model spectra of stars")
    rotation.make(data, plan.out)


def make_mocks(plan: Plan, report: Report) -> None:
    """Draw the chunks that are not there yet."""
    missing = [chunk for chunk in plan.chunks + plan.exposure_chunks if not chunk[2].exists()]
    with _pool(plan.side_by_side) as pool:
        jobs = [pool.submit(draw_chunk, plan.material, *chunk) for chunk in missing]
        for job, (seed, n, _) in zip(jobs, missing, strict=True):
            job.result()
            report(f"mocks: {n} of seed {seed} drawn")
    if missing or not (plan.out / coarse_files.CHANNELS).exists():
        coarse_files.write_channels([path for _, _, path in plan.chunks], plan.out)


def make_members(plan: Plan, report: Report) -> bool:
    """Train all members, each from its last checkpoint; returns whether all are done."""
    trained_at_once = plan.side_by_side if plan.device == "cpu" else 1  # a GPU is not shared
    with multiprocessing.get_context("spawn").Manager() as manager, _pool(trained_at_once) as pool:
        lines = manager.Queue()
        jobs = [pool.submit(train_member, plan, name, lines) for name in plan.members]
        _follow(jobs, lines, report)
    return time.monotonic() < plan.deadline


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


def measure_errors(
    plan: Plan, spectra: Sequence[Observation], spectype: Sequence[str], z: Floats, report: Report
) -> None:
    """Measure the error bars of redshifts on labelled spectra and on mocks without faults, and write them."""
    from spectraq.models.training.measure import redshift_errors

    made = material_file.load(plan.material)
    sky = MockSky(made.families, made.shapes, made.sky, redshift_errors.MOCK_SEED, clean=True)
    mocks = sky.batch(ERROR_MOCKS)
    gridded = Gridded.of_grid(mocks.flux, mocks.ivar)
    simulated = (gridded, mocks.spectype.tolist(), mocks.z, mocks.survey.tolist())
    card = redshift_errors.make(plan.out, spectra, spectype, z, simulated)
    report(f"error bars: spread of pulls {card['pulls']['labelled']}")


def make_detector(plan: Plan, report: Report) -> bool:
    """Draw the detector's examples, train it from its last checkpoint; returns whether it is done."""
    from spectraq.models.training import detector

    missing = [chunk for chunk in plan.example_chunks if not chunk[2].exists()]
    with _pool(plan.side_by_side) as pool:
        jobs = [pool.submit(detector.draw, plan.material, plan.out, *chunk) for chunk in missing]
        for job, (seed, n, _) in zip(jobs, missing, strict=True):
            job.result()
            report(f"detector: {n} examples of seed {seed} drawn")
    seeds = [seed for seed, _, _ in plan.example_chunks]
    files = detector.opened([path for _, _, path in plan.example_chunks])
    trainer, save = detector.prepared(plan.out, files, plan.device, plan.deadline)
    try:
        fit(
            trainer,
            save,
            "detector",
            lambda name, epoch, loss, s: report(f"{name}: epoch {epoch}, loss {loss:.4f}, {s:.0f} s"),
        )
    except OutOfTime:
        return False
    card = detector.write_card(plan.out, files, seeds)
    report(f"detector: found at 1 % of mocks with nothing in them: {card['figures']['found']}")
    return True


def _pool(processes: int) -> ProcessPoolExecutor:
    # A forked torch may hang on locks that its parent's threads held.
    return ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn"))


def calibrate(plan: Plan, labelled: Labelled | None, report: Report) -> dict[str, Any]:
    """Find the temperature, measure everything, write the cards; returns the ensemble's card."""
    channels, truth = coarse_files.mapped(plan.out)
    rows = slice(0, HELD_OUT)
    samples: list[tuple[str, Iterable[torch.Tensor], Truth]] = [
        ("mocks", torch.split(channels[rows].float(), 500), truth[rows])
    ]
    if labelled is not None:
        samples.append(("labelled", [labelled.channels], labelled.truth))
    made_of = {
        "mocks": len(channels) - HELD_OUT,
        "mock_seeds": [seed for seed, _, _ in plan.chunks],
        "exposures": plan.exposures - HELD_OUT,
        "exposure_seeds": [seed for seed, _, _ in plan.exposure_chunks],
        "held_out": f"the first {HELD_OUT} of the first seed of each",
    }
    voters = {name: recipe for name, recipe in plan.members.items() if name not in (ENCODER, UNET)}
    card = cards.write(plan.out, voters, samples, made_of, silent=[ENCODER])
    for name in (ENCODER, UNET):
        cards.write_member(plan.out, name, plan.members[name], made_of, {})
    report(f"temperature {card['temperature']}, class accuracy {card['figures']}")
    return card
