"""`spectraq train`: make the networks and the eigenspectra again, fit the networks to one's own survey,
or learn from verdicts which flags are worth a look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from spectraq.workers.cli.common_options import Config

if TYPE_CHECKING:
    from spectraq.models.training.steps import Labelled, Plan
    from spectraq.workers.files.labelled_spectra import LabelledSpectrum

Step = Literal[
    "all",
    "pack",
    "eigenspectra",
    "details",
    "populations",
    "supernovae",
    "stellar-parameters",
    "rotation",
    "mocks",
    "members",
    "calibrate",
    "errors",
    "detector",
    "survey-noise",
    "normal",
    "changes",
]
NORMAL_SAMPLE = "normal-2"
"""Name of the spectra that anomalies are judged against: it comes with every result."""
CHANGES_SAMPLE = "repeats-1"
"""Name of the pairs of spectra that changes are judged against."""
TOPIC = "topic"
WITH_REAL_SPECTRA = ("all", "pack", "calibrate", "errors", "survey-noise", "normal", "changes")


def train(
    out: Annotated[Path, typer.Option(help="Folder for mocks, checkpoints, weights and cards.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder with templates, populations, sky, and real spectra.")
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(help="Folder of the MILES library, to calibrate parameters of stars on."),
    ] = None,
    mocks: Annotated[int, typer.Option(help="Coarse mock spectra to draw.", min=5000)] = 480_000,
    exposures: Annotated[int, typer.Option(help="Mocks at full resolution to draw.", min=5000)] = 120_000,
    examples: Annotated[int, typer.Option(help="Mocks to show the detector.", min=4000)] = 200_000,
    epochs: Annotated[int, typer.Option(help="How often each classifier sees every mock.", min=1)] = 6,
    reconstruction_epochs: Annotated[
        int | None, typer.Option(help="The same of encoder and U-Net; their recipes' otherwise.", min=1)
    ] = None,
    classifiers: Annotated[int, typer.Option(help="Number of classifiers in the ensemble.", min=1)] = 3,
    processes: Annotated[
        int, typer.Option(help="Side by side, one thread each; 0 for one a core.", min=0)
    ] = 0,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the members are trained.")] = "cpu",
    minutes: Annotated[
        float | None, typer.Option(help="Stop training after this long; the same command goes on.", min=0.1)
    ] = None,
    only: Annotated[Step, typer.Option(help="Do one step of it.")] = "all",
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Both --only calibrate and --only errors.")
    ] = False,
    survey_table: Annotated[
        Path | None,
        typer.Option(help="Fit the shipped classifiers to labelled spectra: a table of file, spectype, z."),
    ] = None,
    from_verdicts: Annotated[
        str | None,
        typer.Option(
            help="Learn the order of the strangest from what people said of flags: a file of JSON lines "
            "with verdicts and anomalies, or `topic` for those on Kafka."
        ),
    ] = None,
    config: Config = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the ensemble's card as JSON at the end.")
    ] = False,
) -> None:
    """Make every weight again: eigenspectra, details, mocks, networks, temperature, cards, normal spectra.

    What is already in the output folder is not made again: an interrupted training goes on where it was. The
    real spectra give their noise to the mocks and are measured on; the networks never train on them.

    Examples: `spectraq train --data DATA --out OUT`, `spectraq train --out OUT --only members --minutes 10`,
    `spectraq train --survey-table mine.csv --out mine`, `spectraq train --from-verdicts topic --out mine`
    """
    from spectraq.models.training.steps import Plan

    deadline = time.monotonic() + 60 * minutes if minutes else float("inf")
    plan = Plan(out, mocks, exposures, examples, epochs, classifiers, processes, device, deadline)
    plan = replace(plan, reconstruction_epochs=reconstruction_epochs, library=library)
    asked: tuple[Step, ...] = ("calibrate", "errors") if calibrate else (only,)
    others: dict[str, Callable[[Any], dict[str, Any]]] = {}
    if survey_table is not None:
        others["--survey-table"] = partial(_fit_survey, survey_table, out)
    if from_verdicts is not None:
        others["--from-verdicts"] = partial(_learn_from_verdicts, from_verdicts, out, config)
    _make(plan, data, asked, others, as_json)


def _make(
    plan: Plan,
    data: Path | None,
    asked: Sequence[Step],
    others: Mapping[str, Callable[[Any], dict[str, Any]]],
    as_json: bool,
) -> None:
    """Take the steps that are asked for, or one of the others; what is missing is an error in one line."""
    from spectraq.workers.cli.terminal import print_json, stderr
    from spectraq.workers.errors import SettingsError

    def report(line: str) -> None:
        stderr.print(line, highlight=False, markup=False)

    try:
        if len(others) > 1:
            raise ValueError(f"{' and '.join(others)} learn different things: give one of them")
        if others:
            printed = [learn(report) for learn in others.values()]
        else:
            printed = [card for step in asked if (card := _run(plan, data, step, report)) is not None]
    except (FileNotFoundError, ValueError) as error:
        raise SettingsError(str(error)) from error
    if as_json and printed:
        print_json(printed[0])


def _run(plan: Plan, data: Path | None, only: Step, report: Any) -> dict[str, Any] | None:
    """Take one step, or all; return the ensemble's card where it is written."""
    from spectraq.models.training import steps as steps

    plan.out.mkdir(parents=True, exist_ok=True)
    real = _labelled(data) if only in WITH_REAL_SPECTRA else []
    if only == "pack" or (only == "all" and not plan.material.exists()):
        _pack(plan, data, real, report)
    if only in {"all", "eigenspectra"}:
        steps.make_eigenspectra(plan, report)
    if only in {"all", "details"}:
        steps.make_details(plan, report)
    if only in {"all", "populations"}:
        steps.make_populations(plan, report)
    if only in {"all", "supernovae"}:
        _learn_supernovae(plan, data, report)
    if only == "stellar-parameters" or (only == "all" and plan.library):
        _calibrate_stellar_parameters(plan, data, report)
    if only in {"all", "rotation"}:
        steps.make_sharp_stars(plan, _required(data), report)
    if only in {"all", "mocks"}:
        steps.make_mocks(plan, report)
    if only in {"all", "members"} and not steps.make_members(plan, report):
        report("time is over: the same command goes on")
        return None
    card = None
    if only in {"all", "calibrate"}:
        card = steps.calibrate(plan, _measured_on(real), report)
    if only in {"all", "errors"}:
        _measure_errors(plan, real, report)
    if only in {"all", "detector"} and not steps.make_detector(plan, report):
        report("time is over: the same command goes on")
        return None
    if only in {"all", "survey-noise"}:
        _learn_survey_noise(plan, [*real, *_further_normal(data)], report)
    if only in {"all", "normal"}:
        _learn_normal(plan, [*real, *_further_normal(data)], report)
    if only in {"all", "changes"}:
        _learn_changes(plan, data, [*real, *_further_normal(data)], report)
    return card


def _labelled(data: Path | None) -> list[LabelledSpectrum]:
    from spectraq.workers.files.labelled_spectra import labelled

    return list(labelled(_required(data)))


def _further_normal(data: Path | None) -> list[LabelledSpectrum]:
    """Return the ordinary spectra that lie beside the labelled ones, where there are some."""
    from spectraq.workers.files.labelled_spectra import INDEX, NORMAL, labelled

    folder = _required(data)
    return list(labelled(folder, NORMAL)) if (folder / NORMAL / INDEX).exists() else []


def _required(data: Path | None) -> Path:
    from spectraq.workers.errors import SettingsError

    if data is None:
        raise SettingsError("this step reads templates or real spectra; give their folder with --data")
    if not (data / "templates").is_dir():
        raise SettingsError(f"{data / 'templates'}: no such folder; give the folder of templates with --data")
    return data


def _pack(plan: Plan, data: Path | None, real: list[LabelledSpectrum], report: Any) -> None:
    """Put templates, real noise and sky into one file: what follows needs no other."""
    from spectraq.models.training import material, material_file, supernovae
    from spectraq.models.training.mocks.surveys import NoiseShapes
    from spectraq.workers.files.labelled_spectra import noise

    folder = _required(data)
    report("packing templates, noise and sky")
    shapes = NoiseShapes.of(noise(folder, real))
    observed = supernovae.read(supernovae.files(folder))
    material_file.save(material.load(folder), shapes, material.sky_lines(folder), observed, plan.material)


def _learn_supernovae(plan: Plan, data: Path | None, report: Any) -> None:
    """Learn what may shine beside a galaxy's stars."""
    from spectraq.models.training import supernovae

    files = supernovae.files(_required(data))
    report(f"learning eigenspectra of supernovae from {len(files)} spectra")
    supernovae.save(supernovae.learn(supernovae.read(files)), plan.out, len(files))


def _calibrate_stellar_parameters(plan: Plan, data: Path | None, report: Any) -> None:
    from spectraq.models.training import steps
    from spectraq.workers.errors import SettingsError

    if plan.library is None:
        raise SettingsError("this step reads the MILES library; give its folder with --library")
    steps.make_stellar_parameters(plan, _required(data), plan.library, report)


def _learn_normal(plan: Plan, real: list[LabelledSpectrum], report: Any) -> None:
    """Learn what is normal from the real spectra that the new networks answer right."""
    import numpy as np
    import torch

    from spectraq.models.training.measure import normal_spectra
    from spectraq.models.training.measure.known_faults import FAULTS

    torch.set_num_threads(1)  # its tensors are small: more threads take twice the time of the cores
    trusted = [spectrum for spectrum in real if spectrum.trusted and spectrum.name not in FAULTS]
    report(f"learning what normal spectra look like from {len(trusted)}")
    normal_spectra.make(
        plan.out,
        NORMAL_SAMPLE,
        [spectrum.observation for spectrum in trusted],
        [spectrum.spectype for spectrum in trusted],
        np.array([spectrum.z for spectrum in trusted]),
        normal_spectra.pooled(
            [spectrum.source for spectrum in trusted], [spectrum.survey for spectrum in trusted]
        ),
    )


def _learn_changes(plan: Plan, data: Path | None, real: list[LabelledSpectrum], report: Any) -> None:
    """Learn how much two spectra of an unchanged object differ."""
    import torch

    from spectraq.models.pipeline import Pipeline
    from spectraq.models.training import supernovae
    from spectraq.models.training.measure import changes
    from spectraq.workers.files import repeated_spectra

    torch.set_num_threads(1)
    folder = _required(data)
    pipeline = Pipeline.load(plan.out, threads=1)
    repeats = repeated_spectra.repeats(folder, pipeline, plan.out)
    galaxies = repeated_spectra.galaxies(real, pipeline, plan.out)
    report(
        f"learning what repeats of unchanged objects look like from {len(repeats)} and {len(galaxies)} mocks"
    )
    card = changes.make(plan.out, CHANGES_SAMPLE, repeats, galaxies, supernovae.files(folder))
    report(f"changes: flagged of pairs left out {card['flagged_of_left_out']}")


def _learn_survey_noise(plan: Plan, real: list[LabelledSpectrum], report: Any) -> None:
    """Learn what the surveys' noise leaves out from what the final fit leaves of bright stars."""
    import numpy as np

    from spectraq.models.training.measure import survey_noise
    from spectraq.models.training.measure.known_faults import FAULTS

    chosen = [
        spectrum
        for spectrum in real
        if spectrum.trusted and spectrum.name not in FAULTS and spectrum.observation.ivar is not None
    ]
    card = survey_noise.make(
        plan.out,
        [spectrum.observation for spectrum in chosen],
        [spectrum.spectype for spectrum in chosen],
        np.array([spectrum.z for spectrum in chosen]),
        FAULTS,
    )
    report(f"bright stars by survey: {card['spectra']}; learned of {', '.join(card['surveys']) or 'none'}")


def _measure_errors(plan: Plan, real: list[LabelledSpectrum], report: Any) -> None:
    """Make error bars of redshifts mean one standard deviation on the real spectra."""
    import numpy as np

    from spectraq.models.training.steps import measure_errors

    trusted = [spectrum for spectrum in real if spectrum.trusted]
    z = np.array([spectrum.z for spectrum in trusted])
    spectypes = [spectrum.spectype for spectrum in trusted]
    measure_errors(plan, [spectrum.observation for spectrum in trusted], spectypes, z, report)


def _measured_on(real: list[LabelledSpectrum]) -> Labelled:
    """Prepare the spectra with trusted labels as the networks will see them."""
    from spectraq.models.training.steps import Labelled
    from spectraq.workers.files.survey_table import prepared

    channels, truth = prepared([spectrum for spectrum in real if spectrum.trusted])
    return Labelled(channels, truth)


def _fit_survey(table: Path, out: Path, report: Any) -> dict[str, Any]:
    """Fit the shipped classifiers to a survey's labelled spectra, and say whether it helped."""
    from spectraq.models.training import finetune
    from spectraq.workers.files.survey_table import prepared, read

    spectra = list(read(table))
    report(f"{len(spectra)} labelled spectra; every third is held out")
    verdict = finetune.fit(*prepared(spectra), out, report)
    better = "better: the new weights" if verdict["better"] else "not better: the old weights"
    report(f"held out: accuracy {verdict['before']} before, {verdict['after']} after; {better} are in {out}")
    return verdict


def _learn_from_verdicts(source: str, out: Path, config: Path | None, report: Any) -> dict[str, Any]:
    """Learn which flags are worth a look, and say on held-out verdicts whether that helps."""
    from spectraq.models.training import verdict_weights
    from spectraq.workers.anomaly_verdicts import of_file, of_topics
    from spectraq.workers.settings import load_settings

    said = of_topics(load_settings(config), report) if source == TOPIC else of_file(Path(source))
    flagged, interesting, lost = said.judged()
    report(
        f"{len(flagged)} flagged spectra with a verdict, {sum(interesting)} interesting; "
        f"{lost} verdicts are on nothing that is flagged here"
    )
    card = verdict_weights.make(flagged, interesting, said.counts(), out)
    precision, average = list(card["held_out"].values())[1:3]
    written = "better: the new order" if card["better"] else "not better: nothing"
    report(
        f"held out: of the first {verdict_weights.TOP} {precision['before']:.0%} interesting before, "
        f"{precision['after']:.0%} after; average precision {average['before']:.3f} before, "
        f"{average['after']:.3f} after; {written} is in {out / verdict_weights.FILE}"
    )
    return card
