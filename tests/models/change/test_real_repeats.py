"""Real spectra of one object: few are flagged, and changes that are put into them are found."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectraq.models import shipped
from spectraq.models.change.compare import Comparison
from spectraq.models.change.epoch import Epoch
from spectraq.models.grid.axis import WAVELENGTH
from spectraq.models.pipeline import Pipeline
from spectraq.models.training.measure.changes import Repeat
from spectraq.workers.files.repeated_spectra import epochs, first_of, repeated

STARS = 8


@pytest.fixture(scope="module")
def stars(shared_data: Path, pipeline: Pipeline) -> list[Repeat]:
    """Pairs of stars of LAMOST, each of its own object."""
    listed = {pair.object: pair for pair in repeated(shared_data) if "lamost" in pair.earlier}
    chosen = list(listed.values())[:STARS]
    given = [first_of(shared_data / file) for pair in chosen for file in (pair.earlier, pair.newer)]
    known = epochs(pipeline, shipped.FOLDER, given)
    return [Repeat(known[2 * i], known[2 * i + 1], pair.object) for i, pair in enumerate(chosen)]


def test_pairs_of_one_object_share_its_name(shared_data: Path) -> None:
    pairs = repeated(shared_data)
    assert len(pairs) > 100 and len({pair.object for pair in pairs}) < len(pairs)
    seen: dict[str, str] = {}
    for pair in pairs:
        for file in (pair.earlier, pair.newer):
            assert seen.setdefault(file, pair.object) == pair.object


def test_real_stars_are_mostly_unchanged(stars: list[Repeat], comparison: Comparison) -> None:
    changes = [comparison.compare(pair.earlier, pair.newer) for pair in stars]
    assert sum(change.changed for change in changes) <= 1
    assert all(change.days is not None and change.days > 0 for change in changes)


def test_blue_light_in_real_stars_is_found(stars: list[Repeat], comparison: Comparison) -> None:
    found = 0
    for pair in stars:
        change = comparison.compare(pair.earlier, _bluer(pair.newer))
        found += any(reason.kind == "continuum_changed" and reason.size > 0 for reason in change.reasons)
    assert found >= STARS - 1


def _bluer(epoch: Epoch) -> Epoch:
    """Add a power law of 40 % of the median flux."""
    light = (WAVELENGTH / 5000) ** -1.5
    light *= 0.4 * np.median(np.abs(epoch.model[epoch.ivar > 0])) / np.median(light)
    return replace(epoch, flux=epoch.flux + light * (epoch.ivar > 0), model=epoch.model + light)
