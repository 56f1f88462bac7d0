"""What is installed is what the constraints pin, so that a list of names and versions can be audited."""

from __future__ import annotations

import importlib.metadata
import re
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
EXTRAS = ("local", "web", "dev")


def needed() -> set[str]:
    """Everything that spectraq with its extras needs here, and what that needs."""
    found: set[str] = set()
    waiting = [("spectraq", extra) for extra in ("", *EXTRAS)]
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


def test_every_pin_is_one_version() -> None:
    assert all(re.fullmatch(r"[0-9][0-9a-z.+]*", version) for version in pinned().values())
