"""The three packages have general names, so nothing else may be imported in their place."""

import importlib.metadata
import importlib.util
from pathlib import Path

import pytest

PACKAGES = ("models", "schemas", "workers")


def test_the_three_packages_come_from_one_folder() -> None:
    parents = set()
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        assert spec is not None and spec.origin is not None
        parents.add(Path(spec.origin).parent.parent)
    assert len(parents) == 1


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_says_in_its_first_paragraph_what_lives_there(name: str) -> None:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    text = Path(spec.origin).read_text()
    assert text.startswith('"""') and len(text.split('"""')[1]) > 60


def test_the_console_script_is_the_only_entry() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts").select(module="workers.cli")
    assert [script.name for script in scripts] == ["spectraq"]
    root = Path(__file__).parent.parent
    assert not [path for name in PACKAGES for path in (root / name).rglob("__main__.py")]
