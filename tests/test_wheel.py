"""The wheel, with nothing beside it but what it says it needs, in a folder with modules named like ours."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
OF_THE_USER = ("models", "schemas", "workers")

ANALYZE = """
import numpy, spectraq
from spectraq.schemas import codec
(made,) = spectraq.simulate(1, seed=5)
assert codec.decode(codec.encode(made)) == made
numpy.savez("made.npz", wavelength=made.wavelength, flux=made.flux, ivar=made.ivar, medium="vacuum")
(result,) = spectraq.analyze(made)
print(spectraq.__file__, result.redshift.spectype, result.redshift.z)
"""


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def required(name: str, extra: str = "") -> Iterator[str]:
    """What a distribution says it needs here, and what that needs."""
    for text in importlib.metadata.requires(name) or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement.name
            for wanted in ("", *requirement.extras):
                yield from required(requirement.name, wanted)


def link_what_is_required(into: Path) -> None:
    """Put the running environment's packages into another one, as far as spectraq says that it needs them."""
    for name in set(required("spectraq")):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (into / top).exists():
                (into / top).symlink_to(Path(str(distribution.locate_file(top))))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; returns its folder of programs."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=ROOT)
    (wheel,) = folder.glob("*.whl")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "env", cwd=folder)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", python, "--disable-pip-version-check"]
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", wheel, cwd=folder)
    (packages,) = (folder / "env" / "lib").glob("*/site-packages")
    assert {path.name.split("-")[0] for path in packages.iterdir()} == {"spectraq"}
    link_what_is_required(packages)
    return python.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where somebody works whose modules are named like parts of spectraq."""
    folder = tmp_path_factory.mktemp("night")
    for name in OF_THE_USER:
        (folder / f"{name}.py").write_text(f"raise RuntimeError('the user\\'s own {name}.py was imported')\n")
    return folder


def test_the_wheel_alone_analyzes_in_a_folder_that_has_modules_named_like_ours(
    installed: Path, folder: Path
) -> None:
    where, spectype, z = run(installed / "python", "-c", ANALYZE, cwd=folder).split()
    assert Path(where).is_relative_to(installed.parent)
    printed = json.loads(run(installed / "spectraq", "analyze", "made.npz", "--json", cwd=folder))
    redshift = printed["redshift"]
    assert (redshift["spectype"], redshift["z"]) == (spectype, pytest.approx(float(z), abs=1e-6))
