"""Do probabilities and error bars mean what they say? Reliability diagrams and histograms of pulls.

    python benchmarks/calibration.py [--data DATA] [--out docs]

With a folder of templates and labelled spectra: those labelled spectra, and mocks with every fault that no
network has seen. Without: spectra simulated from the shipped eigenspectra, which flatter the redshifts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from plots import COLOURS, Panel, write

from spectraq.models.answers.redshift_errors import RedshiftErrors
from spectraq.models.answers.warnings import warnings
from spectraq.models.classes import CLASSES, SAME_Z
from spectraq.models.grid.axis import z_of
from spectraq.models.grid.prepare import Gridded, grid_batch
from spectraq.models.observation import Observation
from spectraq.models.pipeline import Pipeline
from spectraq.models.simulate import simulate

MOCKS, MOCK_SEED = 3072, 987
EDGES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0001)
SNR_EDGES = (0.0, 3.0, 10.0, np.inf)
RIGHT_Z = tuple(SAME_Z.values())
INFORMATION = {"noise_estimated"}
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Answers to spectra of known class and redshift."""

    name: str
    spectype: NDArray[np.int64]  # (n,) the true one
    surveys: NDArray[np.str_]
    snr: Array
    sureness: Array  # probability of the class that was named
    class_right: NDArray[np.bool_]
    z_probability: Array  # of the first candidate
    right: NDArray[np.bool_]  # class and redshift
    pull: Array
    flagged: NDArray[np.bool_]


def judged(
    name: str,
    pipeline: Pipeline,
    gridded: Gridded,
    spectype: Sequence[str],
    z: Array,
    surveys: Sequence[str | None],
    sources: Sequence[str],
) -> Judged:
    """Analyse spectra and compare with the truth."""
    analysis = pipeline.analysis(gridded)
    decision = analysis.decision
    kind = decision.spectype.numpy()
    found = z_of(analysis.lag, gridded.offset).numpy()
    offset = (found - z) / (1 + z)
    truth = np.array([CLASSES.index(one) for one in spectype])
    sigma = RedshiftErrors.load().sigma(
        analysis.sigma[:, None], decision.spectype[:, None], surveys, gridded.noise_estimated.tolist()
    )
    n_good = (gridded.ivar > 0).sum(1)
    named = warnings(analysis, n_good, torch.zeros_like(analysis.at_limit))
    return Judged(
        name,
        truth,
        np.array(sources),
        analysis.prepared.snr.numpy(),
        decision.class_probability.max(1).values.double().numpy(),
        kind == truth,
        decision.candidate_probability[:, 0].double().numpy(),
        (kind == truth) & (np.abs(offset) < np.array(RIGHT_Z)[truth]),
        offset / sigma[:, 0].double().numpy(),
        np.array([bool(set(names) - INFORMATION) for names in named]),
    )


def samples(pipeline: Pipeline, data: Path | None) -> list[Judged]:
    """Every sample there is to judge."""
    if data is None:
        spectra = simulate(MOCKS // 2, seed=MOCK_SEED)
        gridded = grid_batch([one.observation for one in spectra])
        surveys = [one.observation.survey for one in spectra]
        z = np.array([one.z for one in spectra])
        sources = [str(survey) for survey in surveys]
        return [
            judged("simulated", pipeline, gridded, [one.spectype for one in spectra], z, surveys, sources)
        ]
    from spectraq.models.training import material
    from spectraq.models.training.mocks import MockSky
    from spectraq.models.training.mocks.surveys import NoiseShapes
    from spectraq.workers.files.labelled_spectra import labelled, noise

    real = list(labelled(data))
    trusted = [one for one in real if one.trusted]
    observations: list[Observation] = [one.observation for one in trusted]
    shapes = NoiseShapes.of(noise(data, real))
    sky = MockSky(material.load(data), shapes, material.sky_lines(data), MOCK_SEED)
    mocks = sky.batch(MOCKS)
    drawn = Gridded.of_grid(mocks.flux, mocks.ivar)
    return [
        judged(
            "labelled",
            pipeline,
            grid_batch(observations),
            [one.spectype for one in trusted],
            np.array([one.z for one in trusted]),
            [one.observation.survey for one in trusted],
            [one.source for one in trusted],
        ),
        judged(
            "mocks",
            pipeline,
            drawn,
            mocks.spectype.tolist(),
            mocks.z,
            mocks.survey.tolist(),
            mocks.survey.tolist(),
        ),
    ]


def repeats(pipeline: Pipeline, observations: list[Observation]) -> None:
    """Print how far two noisier copies of one real spectrum differ, in units of their error bars.

    Each copy has three times the variance added that the spectrum has: of the copies' variance a quarter is
    common to both and does not show, which is allowed for. What both get wrong alike does not show either.
    """
    rng = np.random.default_rng(MOCK_SEED)
    chosen = [one for one in observations if one.ivar is not None]

    def noisier(one: Observation) -> Observation:
        assert one.ivar is not None
        sigma = np.sqrt(3 / np.where(one.ivar > 0, one.ivar, np.inf))
        flux = one.flux + sigma * rng.standard_normal(one.flux.size)
        return replace(one, flux=flux.astype(np.float32), ivar=(one.ivar / 4).astype(np.float32))

    first, second = ([noisier(one) for one in chosen] for _ in range(2))
    pairs = list(zip(pipeline.analyze(first), pipeline.analyze(second), strict=True))
    print("\n| pairs of noisier copies | pairs | spread |\n| --- | --- | --- |")
    for name, limit in zip(CLASSES, RIGHT_Z, strict=True):
        pull = [
            (a.z - b.z) / np.hypot(a.zerr, b.zerr) / np.sqrt(0.75)
            for a, b in pairs
            if a.spectype == b.spectype == name and abs(a.z - b.z) < limit * (1 + a.z)
        ]
        print(f"| {name} | {len(pull)} | {spread(np.array(pull)):.2f} |")


def reliability(probability: Array, right: NDArray[np.bool_]) -> list[tuple[float, float, float, int]]:
    """Mean probability, share that is right, its binomial error, and number, by bin of probability."""
    rows = []
    for low, high in pairwise(EDGES):
        inside = (probability >= low) & (probability < high)
        if n := int(inside.sum()):
            share = float(right[inside].mean())
            error = np.sqrt((share * (1 - share) + 0.25 / n) / n)  # never zero
            rows.append((float(probability[inside].mean()), share, float(error), n))
    return rows


def calibration_error(probability: Array, right: NDArray[np.bool_]) -> float:
    """Mean distance between probability and share that is right over those bins."""
    rows = reliability(probability, right)
    return sum(n * abs(p - share) for p, share, _, n in rows) / len(right)


def spread(pull: Array) -> float:
    """1.4826 times the median absolute deviation."""
    return float(1.4826 * np.median(np.abs(pull - np.median(pull))))


def reliability_panels(found: list[Judged]) -> list[Panel]:
    """Draw class and redshift probabilities against how often they are right."""
    panels = []
    for title in ("class", "class and redshift"):
        panel = Panel(title, (0, 1), (0, 1), "probability given", "share that is right")
        panel.line([(0, 0), (1, 1)], "#888", dashed=True)
        for row, one in enumerate(found):
            of = (one.sureness, one.class_right) if title == "class" else (one.z_probability, one.right)
            colour = COLOURS[one.name]
            for p, share, error, _ in reliability(*of):
                panel.point(p, share, share - error, share + error, colour)
            panel.text(row, f"{one.name}: calibration error {100 * calibration_error(*of):.1f} %", colour)
        panels.append(panel)
    return panels


def pull_panels(found: list[Judged]) -> list[list[Panel]]:
    """Draw pulls by class and S/N beside a normal distribution."""
    edges = np.linspace(-5, 5, 21)
    grid = []
    for c, name in enumerate(CLASSES):
        row = []
        for low, high in pairwise(SNR_EDGES):
            title = f"{name}, S/N {low:g} to {high:g}" if np.isfinite(high) else f"{name}, S/N above {low:g}"
            panel = Panel(title, (-5, 5), (0, 0.6), "(z - z true) / zerr", "")
            x = np.linspace(-5, 5, 81)
            normal = np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)
            panel.line(list(zip(x.tolist(), normal.tolist(), strict=True)), "#888", dashed=True)
            for line, one in enumerate(found):
                inside = (one.spectype == c) & one.right & (one.snr >= low) & (one.snr < high)
                if inside.sum() < 10:
                    continue
                pull = one.pull[inside]
                heights = np.histogram(pull, edges)[0] / pull.size / np.diff(edges)
                panel.steps(edges.tolist(), heights.tolist(), COLOURS[one.name], one.name == "labelled")
                panel.text(line, f"{one.name}: {pull.size}, spread {spread(pull):.2f}", COLOURS[one.name])
            row.append(panel)
        grid.append(row)
    return grid


def tables(found: list[Judged]) -> None:
    """Print what the pictures show, and warnings, as Markdown."""
    for one in found:
        print(f"\n{one.name}: {len(one.pull)} spectra")
        print("\n| probability of | given | right | spectra |\n| --- | --- | --- | --- |")
        for what, p, right in (
            ("class", one.sureness, one.class_right),
            ("redshift", one.z_probability, one.right),
        ):
            for mean, share, _, n in reliability(p, right):
                print(f"| {what} | {mean:.3f} | {share:.3f} | {n} |")
            print(f"| {what}, calibration error | {calibration_error(p, right):.4f} | | |")
        print("\n| pulls | spectra | spread |\n| --- | --- | --- |")
        for c, name in enumerate(CLASSES):
            for survey in ["every survey", *sorted(set(one.surveys))]:
                mine = (one.spectype == c) & one.right
                mine &= (one.surveys == survey) | (survey == "every survey")
                if mine.sum() >= 5:
                    print(f"| {name}, {survey} | {int(mine.sum())} | {spread(one.pull[mine]):.2f} |")
        kept = ~one.flagged
        print(
            f"\nwarned of: {one.flagged.mean():.4f}; right of the others: {one.right[kept].mean():.4f}; "
            f"right of those warned of: {one.right[~kept].mean():.4f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of templates and labelled spectra")
    parser.add_argument("--out", type=Path, default=Path("docs"), help="folder for the pictures")
    options = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = Pipeline.load(threads=1)
    found = samples(pipeline, options.data)
    write(options.out / "calibration-reliability.svg", [reliability_panels(found)])
    write(options.out / "calibration-pulls.svg", pull_panels(found))
    tables(found)
    if options.data is not None:
        from spectraq.workers.files.labelled_spectra import labelled

        repeats(pipeline, [one.observation for one in labelled(options.data) if one.trusted])


if __name__ == "__main__":
    main()
