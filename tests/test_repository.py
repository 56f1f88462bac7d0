"""What must never be found in the repository."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REGISTRIES = "pypi|pythonhosted|maven|npmjs|crates|golang|debian"
REGISTRY_HOST = re.compile(rf"https?://[^\s/]*({REGISTRIES})\.", re.IGNORECASE)
HOME_PATH = re.compile(r"(?<![\w.$~<-])/(root|home|Users)/\w+")


def tracked_text() -> list[tuple[str, str]]:
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    names = listing.stdout.splitlines()
    files = []
    for name in names:
        try:
            files.append((name, (ROOT / name).read_text()))
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    return files


def test_no_file_names_a_package_registry() -> None:
    assert [name for name, text in tracked_text() if REGISTRY_HOST.search(text)] == []


def test_no_file_names_a_path_of_one_machine() -> None:
    assert [name for name, text in tracked_text() if HOME_PATH.search(text)] == []


def test_every_pinned_package_is_pinned_exactly_and_without_an_address() -> None:
    text = (ROOT / "constraints.txt").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 40
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def test_no_module_is_longer_than_400_lines() -> None:
    long = [
        name
        for name, text in tracked_text()
        if name.endswith(".py") and not name.startswith("tests/") and text.count("\n") > 400
    ]
    assert long == []


def test_every_link_and_picture_of_a_page_leads_to_a_file() -> None:
    lost = [
        f"{name}: {target}"
        for name, text in tracked_text()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)
        if not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert lost == []


def test_every_file_that_the_architecture_names_is_there() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    names = set(re.findall(r"`([\w/]+\.(?:py|js))`", page)) | set(re.findall(r"`([\w/]+/)`", page))
    assert len(names) > 50
    roots = [ROOT, *(ROOT / part for part in ("schemas", "models", "workers"))]
    assert [name for name in names if not any((root / name).exists() for root in roots)] == []


@pytest.mark.parametrize(("name", "least"), [("delivery", 30), ("security", 18)])
def test_every_sentence_has_the_test_that_its_page_names(name: str, least: int) -> None:
    page = (ROOT / "docs" / f"{name}.md").read_text()
    rows = re.findall(r"^\| .+ \| (`test_\w+`(?:, `test_\w+`)*) \|$", page, re.MULTILINE)
    named = re.findall(r"test_\w+", " ".join(rows))
    assert len(named) > least
    code = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    assert not [name for name in named if f"def {name}(" not in code]
