"""The documentation site: built as `make docs` builds it, and read as a browser without a network would."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag

import pytest

import spectraq
from spectraq.schemas.registry import schemas

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}


class Links(HTMLParser):
    """What a page loads by itself, what it leads to, and the anchors in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.led_to: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if address := given.get(LOADED.get(tag, "")):
            self.loaded.append(address)
        if tag == "a" and (address := given.get("href")):
            self.led_to.append(address)
        self.anchors |= {name for name in (given.get("id"), given.get("name")) if name}


def build(folder: Path) -> subprocess.CompletedProcess[str]:
    """Build the site of `folder/pages` into `folder/site`."""
    text = (ROOT / "zensical.toml").read_text()
    for written, here in (("build/pages", "pages"), ("build/site", "site"), ('["."]', f'["{ROOT}"]')):
        assert written in text
        text = text.replace(written, here)
    (folder / "zensical.toml").write_text(text)
    command = [str(BIN / "zensical"), "build", "--strict"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages and the site made of them."""
    folder = tmp_path_factory.mktemp("docs")
    subprocess.run([sys.executable, ROOT / "docs/site/pages.py", folder / "pages"], check=True)
    done = build(folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def target(page: Path, address: str, site: Path) -> tuple[Path, str]:
    """Return the file that an address on a page means, and the anchor in it."""
    path, anchor = urldefrag(unquote(address))
    start = site if path.startswith("/") else page.parent
    file = start / path.lstrip("/") if path else page
    return (file / "index.html" if file.is_dir() else file), anchor


def test_nothing_that_a_page_loads_comes_from_elsewhere_and_no_link_or_anchor_is_lost(folder: Path) -> None:
    site = folder / "site"
    pages = {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}
    assert len(pages) > 25
    foreign, lost = [], []
    for page, links in pages.items():
        foreign += [address for address in links.loaded if "//" in address]
        for address in (*links.loaded, *links.led_to):
            if "//" in address or address.startswith(("mailto:", "data:", "javascript:")):
                continue
            file, anchor = target(page, address, site)
            if not file.exists() or (anchor and file in pages and anchor not in pages[file].anchors):
                lost.append(f"{page.parent.name}: {address}")
    assert foreign == []
    assert sorted(set(lost)) == []
    assert not [page for page in pages if "mermaid" in page.read_text()]  # its program would be fetched


def test_every_page_is_in_the_list_and_the_list_has_no_other(folder: Path) -> None:
    def listed(entries: Any) -> list[str]:
        if isinstance(entries, str):
            return [entries]
        values = entries.values() if isinstance(entries, dict) else entries
        return [page for value in values for page in listed(value)]

    nav = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]["nav"]
    assert sorted(listed(nav)) == sorted(page.name for page in (folder / "pages").glob("*.md"))


def test_every_public_name_and_every_version_of_a_schema_is_on_the_site(folder: Path) -> None:
    anchors = Links(folder / "site" / "python" / "index.html").anchors
    assert {f"spectraq.{name}" for name in spectraq.__all__ if not name.startswith("_")} <= anchors
    for schema in schemas().values():
        assert (folder / "site" / f"{schema.record}-{schema.version}.avsc").is_file()
        text = (folder / "pages" / f"{schema.record.lower()}.md").read_text()
        assert [
            field["name"] for field in schema.document["fields"] if f"`{field['name']}`" not in text
        ] == []


@pytest.mark.parametrize(
    ("line", "said"),
    [("[there](wire.md#nowhere)", "anchor does not exist"), ("[there](nowhere.md)", "page does not exist")],
)
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "index.md").write_text(f"# Here\n\n{line}\n")
    (tmp_path / "pages" / "wire.md").write_text("# Wire\n\n## Somewhere\n")
    done = build(tmp_path)
    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_the_picture_of_the_floors_is_of_the_layers_that_import_linter_checks(tmp_path: Path) -> None:
    program, picture = ROOT / "docs/site/floors.py", tmp_path / "floors.svg"
    subprocess.run([sys.executable, program, picture], check=True)
    assert (ROOT / "docs/floors.svg").read_text() == picture.read_text(), "run `python docs/site/floors.py`"
