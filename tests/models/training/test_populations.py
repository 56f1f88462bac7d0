from pathlib import Path

import numpy as np
import pytest

from spectraq.models.grid.axis import pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.measurement import populations as shipped
from spectraq.models.training import populations
from spectraq.models.training.material import Family
from spectraq.models.training.material.galaxies import archetypes, stellar_populations


@pytest.mark.soak
def test_shipped_populations_are_those_that_their_command_learns(shared_data: Path) -> None:
    basis, first, _ = archetypes(shared_data)
    flux = stellar_populations(shared_data, basis, first)
    family = Family(populations.FAMILY, "GALAXY", flux, first, np.eye(len(flux), dtype=np.float32), ())
    learned, known = populations.learn_all([family]), shipped.load()
    assert learned.first == known.first
    assert np.abs(learned.mean - known.mean).max() < 0.01
    for own, other in zip(learned.shapes[:4], known.shapes[:4], strict=True):
        alike = abs(float(own @ other)) / np.linalg.norm(own) / np.linalg.norm(other)
        assert alike == pytest.approx(1.0, abs=0.01)


def test_populations_moved_by_a_redshift_and_back_are_themselves() -> None:
    known = shipped.load()
    here, _ = known.at(300.0, 1.5)
    shifted, reached = known.at(300.4, 1.5)
    back = np.interp(np.arange(here.shape[1]) + 0.4, np.arange(here.shape[1]), shifted[0])
    assert np.abs(back - here[0])[reached][50:-50].max() < 0.01


def test_populations_hold_no_emission_at_the_lines_that_are_measured() -> None:
    known = shipped.load()
    for name in ("OIII_5008", "OII", "NII_6585", "SII_6718"):
        centre = round(pixel_of(wavelength(name))) - known.first
        near = known.mean[centre - 12 : centre + 13]
        beside = np.concatenate(
            [known.mean[centre - 40 : centre - 12], known.mean[centre + 13 : centre + 41]]
        )
        assert near.max() < beside.max() + 0.02
