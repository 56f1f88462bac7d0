from pathlib import Path

import pytest
import torch

from spectraq.models.final_fit import details as shipped
from spectraq.models.final_fit.shapes import NARROW
from spectraq.models.grid.axis import pixel_of
from spectraq.models.lines import wavelength
from spectraq.models.redshift import eigenspectra
from spectraq.models.training import details, material
from spectraq.models.training.eigenspectra import SHARED, STAR_PIXELS, Recipe
from spectraq.models.training.mocks.noiseless import stars_of


def test_shipped_details_are_those_that_their_command_learns(shared_data: Path) -> None:
    basis, families = eigenspectra.load()["WD"], material.load(shared_data)
    recipe = Recipe("STAR", {}, len(basis.flux), STAR_PIXELS, 0.0)
    learned = details.learn(basis, stars_of(families, {"WD"}), recipe, details.MOCKS["STAR"]).shapes
    known = shipped.load()["WD"].shapes
    # A shape may come with either sign, and shapes of almost one size in any mixture: the leading ones tell.
    alike = (learned[:4] * known[:4]).sum(1).abs() / (learned[:4].norm(dim=1) * known[:4].norm(dim=1))
    assert alike.tolist() == pytest.approx([1.0] * 4, abs=0.01)
    assert learned.norm(dim=1).tolist() == pytest.approx(known.norm(dim=1).tolist(), rel=0.02, abs=0.02)


def test_galaxies_and_every_star_type_with_a_basis_have_details() -> None:
    types = {name for name, basis in eigenspectra.load().items() if basis.spectype == "STAR"}
    known = shipped.load()
    assert set(known) == {"GALAXY", *types}
    assert not set(SHARED) & set(known)
    for own in known.values():
        assert own.shapes.shape[0] == details.SHAPES
        assert torch.isfinite(own.shapes).all()


def test_details_of_galaxies_hold_no_emission_lines() -> None:
    galaxy = shipped.load()["GALAXY"]
    centres = [round(pixel_of(wavelength(name))) - galaxy.first for name in NARROW]
    inside = [centre for centre in centres if 0 <= centre < galaxy.shapes.shape[1]]
    assert len(inside) > 20
    assert not galaxy.shapes[:, inside].any()
