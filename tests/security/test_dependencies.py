"""What is installed is what the constraints pin, so that a list of names and versions can be audited."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS = ("local", "web", "dev", "docs")


def needed(extras: tuple[str, ...] = ("", *EXTRAS)) -> set[str]:
    """Everything that spectraq with extras needs here, and what that needs."""
    found: set[str] = set()
    waiting = [("spectraq", extra) for extra in extras]
    done: set[tuple[str, str]] = set()
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in done:
            continue
        done.add((name, extra))
        found.add(name)
        for text in importlib.metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                into = canonicalize_name(requirement.name)
                waiting += [(into, wanted) for wanted in ("", *requirement.extras)]
    return found - {"spectraq"}


def pinned() -> dict[str, str]:
    """Versions by name, as the constraints say."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pins.items()}


def test_every_dependency_is_pinned_and_installed_in_that_version() -> None:
    pins = pinned()
    assert len(pins) > 50
    for name in sorted(needed()):
        assert name in pins, f"{name} is not in constraints.txt"
        assert importlib.metadata.version(name) == pins[name], name


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """What a lock installs: versions and hashes by name."""
    text = (ROOT / "deploy" / "locks" / f"{name}.txt").read_text().replace("\\\n", " ")
    rows = [
        re.fullmatch(r"(\S+)==(\S+)( ; .+?)?((?: +--hash=sha256:[0-9a-f]{64})+) *", line)
        for line in text.splitlines()
    ]
    assert all(rows), "a line is more, or less, than a name, a version and hashes"
    return {canonicalize_name(row[1]): (row[2], row[4].split()) for row in rows if row}


def test_what_the_image_installs_is_written_down_with_hashes_and_is_what_the_constraints_pin() -> None:
    pins = pinned()
    for lock in ("image", "build"):
        for name, (version, hashes) in locked(lock).items():
            assert pins.get(name) == version, (
                f"{name} in {lock}.txt is not in constraints.txt so; run `make lock`"
            )
            assert hashes
    missing = needed(("", "web")) - set(locked("image"))
    assert not missing, f"{missing} are not in image.txt; run `make lock`"
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert {canonicalize_name(Requirement(text).name) for text in build} <= set(locked("build"))


def test_the_image_installs_nothing_without_its_hash() -> None:
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:install|wheel) ([^&\n]*)", text)
    assert len(installs) == 4
    assert all("--require-hashes" in line or "--no-index --no-deps" in line for line in installs)


def test_pip_refuses_a_package_that_was_exchanged(tmp_path: Path) -> None:
    wheel = tmp_path / "pluggy-1.7.0-py3-none-any.whl"
    wheel.write_bytes(b"not what was published")
    lock = tmp_path / "lock.txt"
    lock.write_text(f"pluggy==1.7.0 {' '.join(locked('build')['pluggy'][1])}\n")
    command = [sys.executable, "-m", "pip", "install", "--no-index", "--find-links", str(tmp_path)]
    command += ["--no-deps", "--require-hashes", "--target", str(tmp_path / "target"), "-r", str(lock)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and "DO NOT MATCH THE HASHES" in done.stderr


def test_every_pin_is_one_version() -> None:
    assert all(re.fullmatch(r"[0-9][0-9a-z.+]*", version) for version in pinned().values())
