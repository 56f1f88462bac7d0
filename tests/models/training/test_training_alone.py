"""Training needs torch and numpy alone once the templates are packed: a GPU machine may have nothing else."""

import subprocess
import sys

import numpy as np
import pytest

from spectraq.models.training import material, material_file
from spectraq.models.training.mocks.surveys import NoiseShapes

SUPERNOVA = np.ones((2, 600))
ALONE = """
import sys
for name in ("astropy", "safetensors", "pydantic", "typer", "kafka", "redis", "structlog", "fastavro"):
    sys.modules[name] = None
from pathlib import Path
from spectraq.models.training import steps
steps.HELD_OUT = 100  # in the processes that train, too: each reads this script again
plan = steps.Plan(Path(sys.argv[1]), mocks=250, exposures=250, epochs=1, classifiers=1, processes=1,
                  reconstruction_epochs=1)
if __name__ == "__main__":
    steps.make_mocks(plan, print)
    steps.make_members(plan, print)
"""


@pytest.fixture(scope="module")
def families(shared_data):
    return material.load(shared_data)


def test_packed_templates_are_those_that_were_read(families, shared_data, tmp_path, noise_shapes):
    path = tmp_path / "material.npz"
    material_file.save(families, noise_shapes, material.sky_lines(shared_data), SUPERNOVA, path)
    again = material_file.load(path)
    assert path.stat().st_size < 40e6
    for one, other in zip(families, again.families, strict=True):
        assert (one.name, one.labels, one.first_pixel) == (other.name, other.labels, other.first_pixel)
        flux = one.coefficients[:20] @ one.basis
        assert abs(flux - other.coefficients[:20] @ other.basis).max() < 2e-3 * abs(flux).max()
    assert set(again.shapes.sigma) == set(noise_shapes.sigma)


@pytest.mark.slow
def test_mocks_and_members_are_made_with_torch_and_numpy_alone(
    families, shared_data, tmp_path, noise_shapes: NoiseShapes
):
    material_file.save(
        families, noise_shapes, material.sky_lines(shared_data), SUPERNOVA, tmp_path / "material.npz"
    )
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    done = subprocess.run(
        [sys.executable, script, tmp_path], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    for name in ("classifier-1", "encoder", "unet"):
        assert (tmp_path / f"{name}.checkpoint").exists(), done.stdout
