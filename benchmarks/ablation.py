"""What each ingredient of the mocks is worth: a small classifier trained without it, on real spectra.

    python benchmarks/ablation.py --data DATA --out OUT

Every variant is one network, the same recipe and the same number of mocks; only the ingredient is missing.
The labelled real spectra of DATA and mocks with every ingredient are what it is measured on. The last line
repeats "everything" with another seed to show how much is chance.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from spectraq.models.networks.classifier import Classifier
from spectraq.models.training import material
from spectraq.models.training.losses.classifier import classifier_loss
from spectraq.models.training.material import Family
from spectraq.models.training.measure.accuracy import ask, figures
from spectraq.models.training.mocks import MockSky, coarse_files
from spectraq.models.training.mocks.coarse_files import Dataset, Truth
from spectraq.models.training.mocks.surveys import SHARES, NoiseShapes
from spectraq.models.training.trainer import Recipe, Trainer, fit
from spectraq.workers.files.labelled_spectra import labelled, noise
from spectraq.workers.files.survey_table import prepared

MEASURED_ON_MOCKS = 4_000
TEST_SEED = 901
SAMPLES = ("labelled", "mocks")
COLUMNS = ("class_accuracy", "class_nll", "z_hit_galaxy", "z_hit_qso")


@dataclass(frozen=True)
class Variant:
    """Mocks without something."""

    name: str
    keeps: Callable[[Family], bool] = lambda _: True
    without_surveys: tuple[str, ...] = ()
    faultless: bool = False
    seed: int = 1


def named(*parts: str) -> Callable[[Family], bool]:
    """Keep the families whose name holds none of these."""
    return lambda family: not any(part in family.name for part in parts)


VARIANTS = (
    Variant("everything"),
    Variant("no galaxies of strong lines", named("galaxy_emission")),
    Variant("no single stellar populations", named("galaxy_population")),
    Variant("no observed shapes (GaSNet-III)", named("gasnet3")),
    Variant("no quasar archetypes", named("qso_archetype")),
    Variant("no observed stars", named("pyhammer", "mastar", "sdss_5")),
    Variant("no faults of the instrument", faultless=True),
    Variant("no short spectra", without_surveys=("short",)),
    Variant("no smoothed spectra without ivar", without_surveys=("smoothed",)),
    Variant("everything, another seed", seed=2),
)


@dataclass(frozen=True)
class Sky:
    """All that mocks are made of."""

    families: list[Family]
    shapes: NoiseShapes
    lines: torch.Tensor

    def draw(self, variant: Variant, n: int, seed: int) -> Dataset:
        """Draw a variant's mocks."""
        families = [family for family in self.families if variant.keeps(family)]
        shares = {name: share for name, share in SHARES.items() if name not in variant.without_surveys}
        sky = MockSky(families, self.shapes, self.lines, seed, shares=shares)
        sky.clean = variant.faultless
        return coarse_files.generate(sky, n)


def channels_of(data: Dataset) -> tuple[torch.Tensor, Truth]:
    """Return what networks see of mocks, and the truth."""
    channels = torch.cat([block.half() for block in data.blocks()])
    truth = Truth(*(torch.from_numpy(array) for array in (data.spectype, data.z, data.allowed)))
    return channels, truth


def train(channels: torch.Tensor, truth: Truth, recipe: Recipe, checkpoint: Path) -> Classifier:
    """Train one small classifier."""
    torch.manual_seed(recipe.seed)
    network = Classifier(recipe.widths, recipe.hidden, recipe.dropout)

    def loss(rows: torch.Tensor) -> torch.Tensor:
        return classifier_loss(network, channels, truth, rows)

    fit(Trainer(recipe, network, loss, len(channels), checkpoint), lambda: None, checkpoint.stem)
    return network.fold()


def measured(
    network: Classifier, samples: dict[str, tuple[Iterable[torch.Tensor], Truth]]
) -> dict[str, dict[str, float]]:
    """Figures of a network on each sample."""
    return {name: figures(ask([network], blocks), truth) for name, (blocks, truth) in samples.items()}


def main() -> None:
    """Train and measure every variant; a variant whose figures are in OUT is not done again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mocks", type=int, default=60_000)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    real = list(labelled(options.data))
    shapes = NoiseShapes.of(noise(options.data, real))
    sky = Sky(material.load(options.data), shapes, material.sky_lines(options.data))
    test, known = channels_of(sky.draw(VARIANTS[0], MEASURED_ON_MOCKS, TEST_SEED))
    channels, truth = prepared([spectrum for spectrum in real if spectrum.trusted])
    for number, variant in enumerate(VARIANTS):
        path = options.out / f"ablation-{number}.json"
        if path.exists():
            continue
        recipe = Recipe(variant.seed, options.epochs)
        made = channels_of(sky.draw(variant, options.mocks, 100 + variant.seed))
        network = train(*made, recipe, options.out / f"ablation-{number}.checkpoint")
        samples = {"labelled": ([channels], truth), "mocks": (test.float().split(500), known)}
        path.write_text(json.dumps(measured(network, samples)))
        (options.out / f"ablation-{number}.checkpoint").unlink()
    show(options.out)


def show(folder: Path) -> None:
    """Print the table of what is there."""
    table = Table("variant", *(f"{sample} {column}" for sample in SAMPLES for column in COLUMNS))
    for number, variant in enumerate(VARIANTS):
        path = folder / f"ablation-{number}.json"
        if path.exists():
            found = json.loads(path.read_text())
            values = [found[sample][column] for sample in SAMPLES for column in COLUMNS]
            table.add_row(variant.name, *(f"{value:.4f}" for value in values))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
