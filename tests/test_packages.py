"""What is installed is one package, and the three folders of the repository are parts of it."""

import importlib.metadata
import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PARTS = ("models", "schemas", "workers")


@pytest.mark.parametrize("name", PARTS)
def test_each_part_is_the_folder_of_the_repository(name: str) -> None:
    spec = importlib.util.find_spec(f"spectraq.{name}")
    assert spec is not None and spec.origin is not None
    assert Path(spec.origin).resolve().parent == ROOT / name


@pytest.mark.parametrize("name", PARTS)
def test_each_part_says_in_its_first_paragraph_what_lives_there(name: str) -> None:
    text = (ROOT / name / "__init__.py").read_text()
    assert text.startswith('"""') and len(text.split('"""')[1]) > 60


def test_no_module_imports_a_part_by_a_general_name() -> None:
    general = tuple(f"{word} {name}" for word in ("from", "import") for name in PARTS)
    paths = [
        path for name in (*PARTS, "spectraq", "tests", "benchmarks") for path in (ROOT / name).rglob("*.py")
    ]
    lines = [(path, line.strip()) for path in paths for line in path.read_text().splitlines()]
    assert [(path, line) for path, line in lines if line.startswith(general)] == []


def test_folders_of_tests_mirror_the_parts_and_are_packages() -> None:
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("*.py")}
    mirrors = [folder for folder in folders if folder.parts and folder.parts[0] in PARTS]
    assert len(mirrors) > 15
    assert [folder for folder in mirrors if not (ROOT / folder / "__init__.py").exists()] == []
    assert [folder for folder in folders if not (ROOT / "tests" / folder / "__init__.py").exists()] == []


def test_no_module_of_the_tests_is_imported_by_a_bare_name() -> None:
    paths = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]
    ours = "|".join(path.stem for path in (ROOT / "tests").rglob("*.py") if path.stem != "__init__")
    bare = re.compile(rf"^\s*(?:from|import) (?:{ours})\b", re.MULTILINE)
    assert [path for path in paths if bare.search(path.read_text())] == []


def test_the_console_script_is_the_only_entry() -> None:
    scripts = importlib.metadata.entry_points(group="console_scripts").select(module="spectraq.workers.cli")
    assert [script.name for script in scripts] == ["spectraq"]
    assert not [path for name in PARTS for path in (ROOT / name).rglob("__main__.py")]
