"""`spectraq train`: make the networks and the eigenspectra again, from template libraries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

if TYPE_CHECKING:
    from models.training.train import Labelled, Plan
    from workers.labelled import LabelledSpectrum

Step = Literal["all", "eigenspectra", "mocks", "members", "calibrate", "normal"]
NORMAL_SAMPLE = "labelled-1"
"""Name of the spectra that anomalies are judged against: it comes with every result."""


def train(
    data: Annotated[Path, typer.Option(help="Folder with templates, populations, sky, and real spectra.")],
    out: Annotated[Path, typer.Option(help="Folder for mocks, checkpoints, weights and cards.")],
    mocks: Annotated[int, typer.Option(help="Number of mock spectra to draw.", min=5000)] = 240_000,
    epochs: Annotated[int, typer.Option(help="How often each network sees every mock.", min=1)] = 9,
    members: Annotated[int, typer.Option(help="Number of networks in the ensemble.", min=1)] = 3,
    processes: Annotated[
        int, typer.Option(help="Side by side, one thread each; 0 for one a core.", min=0)
    ] = 0,
    only: Annotated[Step, typer.Option(help="Do one step of it.")] = "all",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the ensemble's card as JSON at the end.")
    ] = False,
) -> None:
    """Make every weight again: eigenspectra, mocks, networks, temperature, cards, normal spectra.

    What is already in the output folder is not made again: an interrupted training goes on where it was. The
    real spectra give their noise to the mocks and are measured on; the networks never train on them.
    """
    from models.training.train import Plan
    from workers.cli.output import print_json, stderr
    from workers.errors import SettingsError

    plan = Plan(data, out, mocks, epochs, members, processes)
    try:
        card = _run(plan, only, lambda line: stderr.print(line, highlight=False))
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(str(error)) from error
    if as_json and card is not None:
        print_json(card)


def _run(plan: Plan, only: Step, report: Any) -> dict[str, Any] | None:
    from models.training import train as steps
    from models.training.mocks.surveys import NoiseShapes
    from workers.labelled import labelled, noise

    plan.out.mkdir(parents=True, exist_ok=True)
    if only in {"all", "eigenspectra"}:
        steps.make_eigenspectra(plan, report)
    real = list(labelled(plan.data)) if only in {"all", "mocks", "calibrate", "normal"} else []
    if only in {"all", "mocks"}:
        steps.make_mocks(plan, NoiseShapes.of(noise(plan.data, real)), report)
    if only in {"all", "members"}:
        steps.make_members(plan, report)
    card = None
    if only in {"all", "calibrate"}:
        card = steps.calibrate(plan, _measured_on(real), report)
    if only in {"all", "normal"}:
        _learn_normal(plan, real, report)
    return card


def _learn_normal(plan: Plan, real: list[LabelledSpectrum], report: Any) -> None:
    """Learn what is normal from the real spectra that the new networks answer right."""
    import numpy as np

    from models.training import normal

    trusted = [spectrum for spectrum in real if spectrum.trusted]
    observations = [spectrum.observation for spectrum in trusted]
    z = np.array([spectrum.z for spectrum in trusted])
    report("learning what normal spectra look like")
    normal.make(plan.out, NORMAL_SAMPLE, observations, [spectrum.spectype for spectrum in trusted], z)


def _measured_on(real: list[LabelledSpectrum]) -> Labelled:
    """Prepare the spectra with trusted labels as the networks will see them."""
    import torch

    from models.classifier import CLASSES
    from models.preprocess import grid_batch, prepare
    from models.training.dataset import Truth
    from models.training.train import Labelled

    trusted = [spectrum for spectrum in real if spectrum.trusted]
    prepared = prepare(grid_batch([spectrum.observation for spectrum in trusted]))
    spectype = torch.tensor([CLASSES.index(spectrum.spectype) for spectrum in trusted])
    z = torch.tensor([spectrum.z for spectrum in trusted], dtype=torch.float64)
    return Labelled(prepared.channels, Truth(spectype, z))
